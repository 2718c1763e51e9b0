"""Kernels and terminals on demand, in a JupyterLab of the local SageMaker; nobody stays connected to them."""

from __future__ import annotations

import json
import secrets
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import websocket

from airflow_sagemaker_presign.local.jupyter.identity import NOTEBOOK_HEADER

TIMEOUT_SECONDS = 60
"""Seconds that JupyterLab and a new kernel may take for one step; far more than they need."""


class Activity(StrEnum):
    """What runs in a notebook instance."""

    BUSY_KERNEL = "busy-kernel"
    UNCONNECTED_KERNEL = "unconnected-kernel"
    PRINTING_TERMINAL = "printing-terminal"
    SILENT_TERMINAL = "silent-terminal"


class JupyterActivity:
    """
    Starts and ends what runs in a JupyterLab.

    Requests go to its socket, past the reverse proxy: they need no presigned URL.

    :param name: the notebook instance.
    :param socket_path: the socket of its JupyterLab.
    """

    def __init__(self, name: str, socket_path: Path) -> None:
        self._name, self._socket_path = name, socket_path

    def start(self, activity: Activity, seconds: float) -> None:
        """
        Start a kernel or a terminal, and return when Jupyter reports it so.

        :param activity: what to start.
        :param seconds: how long its cell or command runs.
        """
        if activity is Activity.UNCONNECTED_KERNEL:
            self._request("POST", "/api/kernels", {})
        elif activity is Activity.BUSY_KERNEL:
            self._run_cell(seconds)
        elif activity is Activity.SILENT_TERMINAL:
            self._run_command(f"sleep {seconds}")
        else:
            self._run_command(f"sh -c 'i=0; while [ $i -lt {seconds:.0f} ]; do date; i=$((i+1)); sleep 1; done'")

    def end_all(self) -> None:
        """End all kernels and terminals."""
        for kernel in self._request("GET", "/api/kernels"):
            self._request("DELETE", f"/api/kernels/{kernel['id']}")
        for terminal in self._request("GET", "/api/terminals"):
            self._request("DELETE", f"/api/terminals/{terminal['name']}")

    def running(self) -> dict[str, Any]:
        """Return the kernels and terminals as Jupyter lists them."""
        return {what: self._request("GET", f"/api/{what}") for what in ("kernels", "terminals")}

    def _run_cell(self, seconds: float) -> None:
        kernel = self._request("POST", "/api/kernels", {})["id"]
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": uuid.uuid4().hex}
        header |= {"username": self._name, "version": "5.3", "date": ""}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        with self._connected(f"/api/kernels/{kernel}/channels") as channel:
            content = {"code": f"import time; time.sleep({seconds})", "silent": False}
            channel.send(json.dumps({**message, "content": content}))
            while not _begins(json.loads(channel.recv()), header["msg_id"]):
                pass
        self._wait_until_reported(kernel, seconds)

    def _wait_until_reported(self, kernel: str, seconds: float) -> None:
        """Wait until Jupyter reports a busy kernel without connections: it learns of both a moment later."""
        ends = time.monotonic() + min(seconds, TIMEOUT_SECONDS)
        while time.monotonic() < ends:
            row = self._request("GET", f"/api/kernels/{kernel}")
            if row["execution_state"] == "busy" and not row["connections"]:
                return
            time.sleep(0.02)

    def _run_command(self, command: str) -> None:
        name = self._request("POST", "/api/terminals", {})["name"]
        with self._connected(f"/terminals/websocket/{name}") as channel:
            channel.recv()
            channel.send(json.dumps(["stdin", f"{command}\r"]))

    @contextmanager
    def _connected(self, path: str) -> Iterator[websocket.WebSocket]:
        channel = websocket.create_connection(
            f"ws://localhost{path}",
            timeout=TIMEOUT_SECONDS,
            socket=self._connect(),
            header={NOTEBOOK_HEADER: self._name},
            suppress_origin=True,
        )
        try:
            yield channel
        finally:
            channel.close()

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = HTTPConnection("localhost")
        connection.sock = self._connect()
        # Jupyter compares them: a foreign page could not send the header.
        token = secrets.token_hex(16)
        headers = {NOTEBOOK_HEADER: self._name, "Cookie": f"_xsrf={token}", "X-XSRFToken": token}
        try:
            connection.request(
                method, f"{path}?no_track_activity=1", None if body is None else json.dumps(body), headers
            )
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise RuntimeError(f"JupyterLab responded to {method} {path} with HTTP status {response.status}.")
        return json.loads(content) if content else None

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_SECONDS)
        try:
            connection.connect(str(self._socket_path))
        except OSError:
            connection.close()
            raise
        return connection


def _begins(message: dict[str, Any], request: str) -> bool:
    """Return whether a kernel's message says that it begins with a request."""
    state = (message["parent_header"].get("msg_id"), message["content"].get("execution_state"))
    return state == (request, "busy")
