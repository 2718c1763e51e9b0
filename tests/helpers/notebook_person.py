"""A person with a browser, at a notebook instance of the local SageMaker."""

from __future__ import annotations

from typing import Any

import requests
import websocket

from airflow_sagemaker_presign.local import LocalServices
from tests.helpers.local_client import sagemaker_client


class Person:
    """
    Opens a notebook instance, and stays signed in until the session ends.

    :param local: where.
    :param name: the notebook instance; it has to be InService.
    :param seconds: how long the session lasts.
    """

    def __init__(
        self, local: LocalServices, name: str = "research", *, seconds: int = 1800, region: str = "us-east-1"
    ) -> None:
        self.client = sagemaker_client(local.endpoint_url, region=region)
        self.name = name
        self.url = self.client.create_presigned_notebook_instance_url(
            NotebookInstanceName=name, SessionExpirationDurationInSeconds=seconds
        )["AuthorizedUrl"]
        self.address = self.url.partition("/?")[0]
        self.browser = requests.Session()
        assert self.browser.get(self.url, allow_redirects=False).status_code == 302

    def get(self, path: str) -> requests.Response:
        return self.browser.get(f"{self.address}{path}")

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        self.get("/lab")
        headers = {"X-XSRFToken": self.browser.cookies["_xsrf"]}
        answer = self.browser.post(f"{self.address}{path}", json=body or {}, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def connect(self, path: str) -> Any:
        cookie = "; ".join(f"{name}={value}" for name, value in self.browser.cookies.get_dict().items())
        return websocket.create_connection(f"ws{self.address[4:]}{path}", cookie=cookie, timeout=20)

    def in_terminal(self) -> Any:
        name = self.post("/api/terminals")["name"]
        return self.connect(f"/terminals/websocket/{name}")
