from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from airflow_sagemaker_presign.local.demo.launch_page_check import check_launch_page
from airflow_sagemaker_presign.local.demo.link_check import LinkCheckError
from tests.helpers.http_server import QuietHandler, serving

PAGE = '<input type="hidden" name="token" value="a.b&amp;c"><dd id="status-word" data-state="x">{}</dd>'


@dataclass
class Services:
    """What the launch page, SageMaker and JupyterLab return, and what they received."""

    page: tuple[int, str] = (200, PAGE.format("InService"))
    page_mints: int = 0
    click_mints: int = 1
    leads_to: str | None = "/open?authToken=secret"
    lab_status: int = 200
    minted: int = 0
    clicks: list[tuple[dict[str, list[str]], str | None, str | None]] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    """Airflow with its launch page, SageMaker and JupyterLab in one."""

    services: Services


class Handler(QuietHandler):
    server: Server

    def do_GET(self) -> None:
        services = self.server.services
        if self.path == "/launch-page":
            services.minted += services.page_mints
            self.answer(*services.page)
        elif self.path == "/requests":
            mint = {"operation": "CreatePresignedNotebookInstanceUrl"}
            self.answer(200, json.dumps([{"operation": "DescribeNotebookInstance"}, *[mint] * services.minted]))
        elif "authToken" in self.path:
            self.answer(302, "", "/lab")
        else:
            self.answer(services.lab_status, '{"kernels": 0}')

    def do_POST(self) -> None:
        services = self.server.services
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        services.clicks.append((form, self.headers["Cookie"], self.headers["Sec-Fetch-Site"]))
        services.minted += services.click_mints
        self.answer(303, "", services.leads_to and f"http://{self.headers['Host']}{services.leads_to}")

    def answer(self, status: int, body: str, location: str | None = None) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.services = Services()
    with serving(server):
        yield server


def check(server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    check_launch_page(f"{url}/launch-page", "ada", f"{url}/requests")


def test_the_button_is_pressed_once_as_somebody_signed_in_with_the_forms_own_token(server: Server) -> None:
    check(server)

    assert server.services.clicks == [({"action": ["open"], "token": ["a.b&c"]}, "_token=ada", "same-origin")]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"page": (303, "")}, "page returned 303"),
        ({"page": (200, "Somebody else's page")}, "not the page of a notebook"),
        ({"page": (200, PAGE.format("Stopped"))}, "shows Stopped"),
        ({"page_mints": 1}, "minted a URL on a GET request"),
        ({"leads_to": "/launch-page"}, "returned 303, without a link to a notebook"),
        ({"leads_to": None}, "returned 303, without a link to a notebook"),
        ({"click_mints": 2}, "minted 2 URLs"),
        ({"lab_status": 403}, "launch page's link opened /lab with status 403"),
    ],
)
def test_an_unexpected_launch_page_is_reported_without_the_link(
    server: Server, wrong: dict[str, Any], reason: str
) -> None:
    server.services = Services(**wrong)

    with pytest.raises(LinkCheckError, match=reason) as refused:
        check(server)

    assert "authToken" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_launch_page_that_does_not_respond_is_reported() -> None:
    with pytest.raises(LinkCheckError, match="does not respond: ConnectError"):
        check_launch_page("http://127.0.0.1:9/launch-page", "ada", "http://127.0.0.1:9/requests")
