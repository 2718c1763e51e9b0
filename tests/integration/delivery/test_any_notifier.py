"""The delivery works with every notifier, not only the ready-made ones, and keeps the link out of their logs too."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer
from importlib import import_module
from typing import Any

import boto3
import pytest
import requests

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, BaseNotifier
from airflow_sagemaker_presign.delivery.attempts import DeliveryPolicy
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.http_server import QuietHandler, serving
from tests.helpers.minted_urls import minted_url

DO_NOT_IMPORT = ((3, 0, 0), (3, 1, 0))
"""Versions of Airflow whose providers, on their day of release, had notifiers that cannot be imported."""

URL = "https://research.notebook.us-east-1.sagemaker.aws?authToken=eyJ0b2tlbk9m.QWRh-3b_c&view=lab"
TOKEN = "eyJ0b2tlbk9m.QWRh-3b_c"
LINK = "{{ presigned_url.url }}"
BLOCK = {"type": "section", "text": {"type": "mrkdwn", "text": f"<{LINK}|Open {{{{ notebook_instance.Name }}}}>"}}


def notifier(path: str) -> Any:
    """Import a notifier of a provider."""
    module, _, name = f"airflow.providers.{path}".rpartition(".")
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        is_not_there = getattr(error, "name", None) == module and AIRFLOW_VERSION < (3, 1)
        if AIRFLOW_VERSION not in DO_NOT_IMPORT and not is_not_there:
            raise
        pytest.skip(f"{name} of this day cannot be imported: {error}")


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that takes any POST: its address, and the bodies that it received."""
    bodies: list[str] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url.removeprefix("http://"), bodies


@pytest.fixture
def send(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[BaseNotifier], None]:
    """Deliver a link at DEBUG, and check that no log and no console shows it."""

    def send(notifier: BaseNotifier) -> None:
        url = minted_url(URL, datetime.now(UTC))
        context = {"dag": None, "recipient": "ada@example.com", "notebook_instance": {"Name": "research"}}
        policy = DeliveryPolicy(timedelta(minutes=4), attempts=1, require="all")
        with caplog.at_level(logging.DEBUG):
            (delivery,) = deliver([notifier], context, lambda: url, policy, workspace=NotebookInstance("research"))
        assert not delivery.failure
        captured = capsys.readouterr()
        assert TOKEN not in caplog.text + captured.out + captured.err

    return send


@pytest.fixture
def aws() -> boto3.Session:
    return boto3.Session("local", "local", region_name="us-east-1")


def test_slacks_web_api(send: Callable[[BaseNotifier], None], local: LocalServices) -> None:
    send(
        notifier("slack.notifications.slack.SlackNotifier")(
            channel="#research", text="Ready", blocks=[BLOCK], unfurl_links=False
        )
    )
    (message,) = local.inbox.slack_messages
    assert message.blocks[0]["text"]["text"] == f"<{URL}|Open research>"


def test_slacks_webhook(
    send: Callable[[BaseNotifier], None], local: LocalServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "slackwebhook", "host": local.slack_webhook_host, "password": "T0/B0/local"}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps(connection))
    send(notifier("slack.notifications.slack_webhook.SlackWebhookNotifier")(text=f"Ready: {LINK}", unfurl_links=False))
    (message,) = local.inbox.slack_messages
    assert message.text == f"Ready: {URL}"


def test_smtp(send: Callable[[BaseNotifier], None], local: LocalServices) -> None:
    send(
        notifier("smtp.notifications.smtp.SmtpNotifier")(
            from_email="airflow@example.com",  # The provider of Airflow 2.11.0 needs it here, too.
            to="{{ recipient }}",
            subject="Ready",
            html_content=f'<a href="{LINK}">Open</a>',
        )
    )
    (mail,) = local.inbox.mails
    assert mail.recipients == ("ada@example.com",)
    assert URL in mail.html.replace("&amp;", "&")


def test_ses(send: Callable[[BaseNotifier], None], local: LocalServices, aws: boto3.Session) -> None:
    from moto.ses.models import ses_backends

    ses = aws.client("ses", endpoint_url=local.endpoint_url)
    ses.verify_email_identity(EmailAddress="airflow@example.com")
    send(
        notifier("amazon.aws.notifications.ses.SesNotifier")(
            mail_from="airflow@example.com", to="{{ recipient }}", subject="Ready", html_content=LINK
        )
    )
    (sent,) = ses_backends["123456789012"]["us-east-1"].sent_messages
    assert "ada@example.com" in str(vars(sent))


def test_sns(send: Callable[[BaseNotifier], None], local: LocalServices, aws: boto3.Session) -> None:
    from moto.sns.models import sns_backends

    client = aws.client("sns", endpoint_url=local.endpoint_url)
    topic = client.create_topic(Name="links")["TopicArn"]
    send(
        notifier("amazon.aws.notifications.sns.SnsNotifier")(
            target_arn=topic, message=f"Ready: {LINK}", region_name="us-east-1"
        )
    )
    sent = sns_backends["123456789012"]["us-east-1"].topics[topic].sent_notifications
    assert [json.loads(message)["default"] for _, message, *_ in sent] == [f"Ready: {URL}"]


def test_chime(
    send: Callable[[BaseNotifier], None], webhook: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, bodies = webhook
    connection = {"conn_type": "chime", "schema": "http", "host": f"{address}/", "password": "abc?token=def"}
    monkeypatch.setenv("AIRFLOW_CONN_CHIME_DEFAULT", json.dumps(connection))
    # The provider's hook asks for this one too, and puts its address before the webhook's.
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": f"http://{address}"}))
    send(
        notifier("amazon.aws.notifications.chime.ChimeNotifier")(
            chime_conn_id="chime_default", message=f"Ready: {LINK}"
        )
    )
    assert [json.loads(body)["Content"] for body in bodies] == [f"Ready: {URL}"]


def test_apprise(
    send: Callable[[BaseNotifier], None], webhook: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, bodies = webhook
    connection = {"conn_type": "apprise", "extra": {"config": {"path": f"json://{address}/"}}}
    monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", json.dumps(connection))
    send(notifier("apprise.notifications.apprise.AppriseNotifier")(body=f"Ready: {LINK}"))
    assert [json.loads(body)["message"] for body in bodies] == [f"Ready: {URL}"]


@pytest.fixture
def chat(
    webhook: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[list[str], list[str]]]:
    """Connect Apprise to a chat service on loopback; returns the bodies that it received, and the requested URLs."""
    address, bodies = webhook
    requested: list[str] = []
    session = requests.Session.request

    def to_loopback(self: Any, method: str, url: str, **arguments: Any) -> Any:
        query = "&".join(f"{name}={value}" for name, value in (arguments.pop("params", None) or {}).items())
        requested.append(f"{url}?{query}" if query else url)
        return session(self, method, f"http://{address}/", **arguments)

    monkeypatch.setattr(requests.Session, "request", to_loopback)

    def chat(path: str) -> tuple[list[str], list[str]]:
        connection = {"conn_type": "apprise", "extra": {"config": {"path": path}}}
        monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", json.dumps(connection))
        return bodies, requested

    return chat


POWER_PLATFORM = "https://default1234.56.environment.api.powerplatform.com:443"
WORKFLOW = f"{'a' * 32}/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0"
CHATS = {
    "Google Chat": "gchat://workspace/key/token",
    "Webex": f"wxteams://{'a' * 80}/",
    "Teams": f"{POWER_PLATFORM}/powerautomate/automations/direct/workflows/{WORKFLOW}&sig={'b' * 43}",
    "Teams, older workflows": f"https://prod-00.westeurope.logic.azure.com:443/workflows/{WORKFLOW}&sig={'b' * 43}",
}


@pytest.mark.parametrize("service", CHATS)
def test_apprise_as_documented_keeps_the_link_whole(
    send: Callable[[BaseNotifier], None], chat: Callable[[str], tuple[list[str], list[str]]], service: str
) -> None:
    bodies, requested = chat(CHATS[service])
    # A text, as people write it.
    send(notifier("apprise.notifications.apprise.AppriseNotifier")(body=f"[Open]({LINK})", body_format="markdown"))
    (body,) = bodies
    unescaped = body.replace("&amp;", "&")  # as Google Chat's own markup has it
    assert f"[Open]({URL})" in unescaped or f"<{URL}|Open>" in unescaped
    if service.startswith("Teams"):
        (url,) = requested
        assert url.startswith(CHATS[service].partition("?")[0]), "the address that Teams shows"
        assert f"sig={'b' * 43}" in url


@pytest.mark.parametrize("service", CHATS)
def test_apprise_by_default_escapes_the_link_which_is_why_the_documentation_has_a_parameter(
    send: Callable[[BaseNotifier], None], chat: Callable[[str], tuple[list[str], list[str]]], service: str
) -> None:
    bodies, _ = chat(CHATS[service])
    send(notifier("apprise.notifications.apprise.AppriseNotifier")(body=LINK))
    assert f"authToken={TOKEN}" not in bodies[0]


class OwnNotifier(BaseNotifier):
    """The smallest possible notifier."""

    template_fields = ("text",)
    sent: list[str] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.sent.append(f"{self.text} {context['presigned_url'].session_expiration_duration}")


def test_anybodys_own(send: Callable[[BaseNotifier], None]) -> None:
    send(OwnNotifier(LINK))
    assert OwnNotifier.sent == [f"{URL} 1:00:00"]
