from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.demo.link_check import LinkCheckError, check_newest, link_in
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import PresignedTokens
from tests.helpers.http_server import QuietHandler, serving


class Jupyter(QuietHandler):
    """Respond to a valid link as JupyterLab does, with a redirect to /lab."""

    def do_GET(self) -> None:
        if "authToken" in self.path:
            self.send_response(302)
            self.send_header("Location", "/lab")
            self.end_headers()
            return
        broken = isinstance(self.server, BrokenServer) and self.path == "/api/status"
        self.send_response(403 if broken else 200)
        self.end_headers()
        self.wfile.write(b'{"kernels": 0}')


class BrokenServer(ThreadingHTTPServer):
    """Its /api/status refuses."""


@pytest.fixture
def jupyter() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Jupyter)) as url:
        yield f"{url}/"


@pytest.fixture
def broken_jupyter() -> Iterator[str]:
    with serving(BrokenServer(("127.0.0.1", 0), Jupyter)) as url:
        yield f"{url}/"


def mail(address: str, arrived_after: float = 0) -> dict[str, Any]:
    clock = LocalClock()
    token = PresignedTokens(b"key", clock).mint("research", timedelta(hours=8))
    text = f'<p><a href="{address}?view=lab&amp;authToken={token}">Open JupyterLab</a></p>'
    return {"kind": "mail", "text": "Hello", "html": text, "arrived_at": clock.now().timestamp() + arrived_after}


def test_a_link_that_opens_jupyterlab_has_its_validity_on_arrival(jupyter: str) -> None:
    arrival = check_newest([mail(jupyter, arrived_after=4)], "mail")

    assert arrival.validity_left == pytest.approx(296, abs=0.5)
    assert str(arrival).endswith(" of 300 s")


def test_a_link_that_arrived_late_is_not_good(jupyter: str) -> None:
    with pytest.raises(LinkCheckError, match=r"239.* left on arrival; it must be 240"):
        check_newest([mail(jupyter, arrived_after=60.5)], "mail")


def test_a_jupyterlab_that_denies_access_is_reported_without_the_link(broken_jupyter: str) -> None:
    message = mail(broken_jupyter)

    with pytest.raises(LinkCheckError, match="returned 403") as refused:
        check_newest([message], "mail")

    assert "authToken" not in str(refused.value)


def test_a_broken_link_is_reported_without_the_url() -> None:
    with pytest.raises(LinkCheckError, match="does not open: ConnectError") as refused:
        check_newest([mail("http://127.0.0.1:9/")], "mail")

    assert refused.value.__cause__ is None
    assert "authToken" not in str(refused.value)


def test_no_message_and_a_message_without_a_link_are_different_errors() -> None:
    with pytest.raises(LinkCheckError, match="No slack message"):
        check_newest([], "slack")
    with pytest.raises(LinkCheckError, match="no presigned URL in the newest slack message"):
        check_newest([{"kind": "slack", "text": "Hello", "arrived_at": 0}], "slack")


def test_a_link_is_found_in_slacks_button() -> None:
    link = "https://research.notebook.eu-central-1.sagemaker.aws?authToken=abc.def"
    blocks = [{"type": "actions", "elements": [{"type": "button", "url": link}]}]

    assert link_in({"kind": "slack", "text": "Press the button", "blocks": blocks}) == link
