"""A Slack and a mail server on loopback, reached through real Airflow connections."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from airflow_sagemaker_presign.notifications.email import fewest_retries
from airflow_sagemaker_presign.usage.stop_warning import StopWarning
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.http_server import QuietHandler, serving
from tests.helpers.minted_urls import minted_url

# As long as a real one, with all that HTML, quoted-printable and URL quoting like to change.
URL = (
    "https://research.notebook.eu-central-1.sagemaker.aws?authToken="
    + "eyJhbGciOiJIUzI1NiJ9.A=3D+/" * 50
    + "&view=lab&x=%3D%26&copy=1"
)


@pytest.fixture
def link_context() -> dict[str, Any]:
    """The context that the operator passes to a notifier; a new one each, since a notifier adds its fields to it."""
    presigned_url = minted_url(URL, datetime(2026, 6, 15, 9, 30, tzinfo=UTC), session=timedelta(hours=8))
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/research"
    return {
        "presigned_url": presigned_url,
        "notebook_instance": {"NotebookInstanceName": "research", "NotebookInstanceArn": arn},
        "recipient": "ada@example.com",
        "dag": None,
        "ti": SimpleNamespace(
            dag_id="mornings", task_id="notebook_link", log_url="https://airflow.example.com/dags/mornings?a=1&b=2"
        ),
    }


@pytest.fixture
def failure_context(link_context: dict[str, Any]) -> dict[str, Any]:
    """The context that Airflow passes to an ``on_failure_callback``."""
    task = SimpleNamespace(
        task_id="notebook_link",
        notebook_instance_name="research",
        recipient="ada@example.com",
        session_expiration_duration=28800,
    )
    return {
        "ti": link_context["ti"],
        "task": task,
        "dag": None,
        "run_id": "manual__1",
        "exception": RuntimeError("no way"),
    }


@pytest.fixture
def stop_context(failure_context: dict[str, Any]) -> dict[str, Any]:
    """The context that the stop operator passes to a notifier: idle since 18:45, to be stopped at 20:00 on some day."""
    stops_at = datetime(2026, 6, 15, 20, tzinfo=UTC)
    described = {
        "NotebookInstanceName": "research",
        "NotebookInstanceArn": "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/research",
        "InstanceType": "ml.t3.medium",
    }
    return {
        **{key: value for key, value in failure_context.items() if key not in ("exception", "task")},
        "stop_warning": StopWarning(stops_at, timedelta(hours=1), stops_at - timedelta(hours=1, minutes=15)),
        "workspace": NotebookInstance("research"),
        "workspace_description": described,
        "notebook_instance": described,
        "recipient": "ada@example.com",
        "launch_url": "https://airflow.example.com/sagemaker-notebooks/mornings/manual__1/stop?a=1&b=%3D",
    }


class SlackStandIn:
    """A server like Slack's Web API; ``answers`` maps a method to its response, or to a way to fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "chat.postMessage": {"ok": True, "ts": "1"},
            "users.lookupByEmail": {"ok": True, "user": {"id": "U012AB3CD"}},
            "auth.test": {"ok": True},
        }
        self.release = threading.Event()

    def posted(self) -> list[dict[str, Any]]:
        """The messages that were posted."""
        return [body for method, body in self.calls if method == "chat.postMessage"]

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        method = handler.path.rpartition("/")[2]
        is_json = handler.headers["Content-Type"].startswith("application/json")
        self.calls.append(
            (method, json.loads(body or "{}") if is_json else {k: v[0] for k, v in parse_qs(body).items()})
        )
        answer = self.answers[method]
        if callable(answer):
            answer = answer(self.calls[-1][1])
        if answer == "hang":
            self.release.wait(10)
        if answer in ("hang", "drop"):
            handler.close_connection = True
            return
        status, headers, content = answer if isinstance(answer, tuple) else (200, {}, answer)
        payload = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    stand_in = SlackStandIn()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            stand_in.handle(self)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        connection = {"conn_type": "slack", "password": "xoxb-test", "extra": {"base_url": f"{url}/api/"}}
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))
        yield stand_in
        stand_in.release.set()


class MailStandIn:
    """A mail server; ``on`` maps a command to its reply, or to a way to fail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.options: list[list[str]] = []
        self.refused: dict[str, str] = {}
        self.on: dict[str, str] = {}
        self.bodies = 0
        self.authenticates = False
        self.port = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if (answer := self.on.get("MAIL")) == "drop":
            server.transport.close()
        elif answer:
            return answer
        envelope.mail_from = address
        self.options.append(options)
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.bodies += 1
        answer = self.on.get("DATA", "250 OK")
        if answer == "hang":
            await asyncio.sleep(3)
        elif answer == "drop":
            server.transport.abort()
        elif answer.startswith("250"):
            self.raw.append(envelope.content)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return answer


@pytest.fixture
def mail_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Point Airflow's connection ``smtp_default`` at a port."""

    def connect(port: int, **fields: Any) -> None:
        extra = {
            "disable_tls": True,
            "disable_ssl": True,
            "timeout": 1,
            "retry_limit": fewest_retries(),
            "from_email": "Notebooks <nb@example.com>",
            **fields.pop("extra", {}),
        }
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def mail(mail_connection: Callable[..., None]) -> Iterator[MailStandIn]:
    stand_in = MailStandIn()
    with socket.create_server(("127.0.0.1", 0)) as free:
        stand_in.port = free.getsockname()[1]
    controller = Controller(
        stand_in,
        hostname="127.0.0.1",
        port=stand_in.port,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=stand_in.authenticates, handled=False),
    )
    controller.start()
    mail_connection(stand_in.port)
    yield stand_in
    controller.stop()
