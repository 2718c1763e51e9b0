"""Work in a notebook's real JupyterLab, as a person's browser starts it; nobody stays connected."""

from __future__ import annotations

import json
import uuid
from typing import Any

import requests
import websocket

from tests.helpers.until import until


class JupyterWork:
    """
    A person's session at a notebook instance.

    :param presigned_url: opens it.
    """

    def __init__(self, presigned_url: str) -> None:
        self._browser = requests.Session()
        self._browser.trust_env = False
        page = self._browser.get(presigned_url)
        self._address = page.url.removesuffix("/lab")
        self._browser.headers["X-XSRFToken"] = self._browser.cookies["_xsrf"]

    def start_kernel(self) -> str:
        """Start a kernel that nobody connects to; its id."""
        return str(self._post("/api/kernels", {"name": "python3"})["id"])

    def start_idle_kernel(self) -> str:
        """Start a kernel that has done something and is idle; its id."""
        kernel = self.run_cell("import time; time.sleep(3600)")
        self.interrupt(kernel)
        return kernel

    def run_cell(self, code: str) -> str:
        """Start a kernel, let it begin to run a cell, and leave; its id."""
        kernel = self.start_kernel()
        cookies = "; ".join(f"{name}={value}" for name, value in self._browser.cookies.items())
        address = f"{self._address.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
        channel = websocket.create_connection(address, header={"Cookie": cookies}, timeout=30)
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": uuid.uuid4().hex}
        header |= {"username": "", "version": "5.3", "date": ""}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        channel.send(json.dumps({**message, "content": {"code": code, "silent": False}}))
        until(lambda: self.kernel(kernel)["execution_state"] == "busy", "the kernel is busy")
        channel.close()
        return kernel

    def interrupt(self, kernel: str) -> None:
        """Interrupt the cell that a kernel runs."""
        self._browser.post(f"{self._address}/api/kernels/{kernel}/interrupt").raise_for_status()
        until(lambda: self.kernel(kernel)["execution_state"] == "idle", "the kernel is idle")

    def kernel(self, kernel: str) -> dict[str, Any]:
        """A kernel as the server describes it."""
        return dict(self._get(f"/api/kernels/{kernel}"))

    def run_in_terminal(self, command: str) -> str:
        """Start a terminal, and a command in it; its name."""
        name = str(self._post("/api/terminals", {})["name"])
        cookies = "; ".join(f"{name}={value}" for name, value in self._browser.cookies.items())
        address = f"{self._address.replace('http', 'ws', 1)}/terminals/websocket/{name}"
        channel = websocket.create_connection(address, header={"Cookie": cookies}, timeout=30)
        channel.send(json.dumps(["stdin", f"{command}\r"]))
        channel.recv()
        channel.close()
        return name

    def end_terminal(self, name: str) -> None:
        """End a terminal, if it still runs, and what runs in it."""
        self._browser.delete(f"{self._address}/api/terminals/{name}")

    def _get(self, path: str) -> Any:
        return self._checked(self._browser.get(f"{self._address}{path}?no_track_activity=1"))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._checked(self._browser.post(f"{self._address}{path}", json=body))

    @staticmethod
    def _checked(answer: requests.Response) -> Any:
        answer.raise_for_status()
        return answer.json()
