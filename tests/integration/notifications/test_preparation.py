"""What the services reveal before a message is sent."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from airflow_sagemaker_presign.delivery.deliver import prepare
from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator
from tests.helpers.scripted_sagemaker import TaskInstance


@pytest.fixture
def context() -> dict[str, Any]:
    return {"dag": None, "recipient": "ada@example.com"}


def test_a_person_whom_slack_does_not_know_is_detected_without_a_message(slack: Any, context: dict[str, Any]) -> None:
    slack.answers["users.lookupByEmail"] = {"ok": False, "error": "users_not_found"}
    with pytest.raises(SendFailed, match=r"no person 'ada@example\.com' in the Slack workspace"):
        NotebookUrlSlackNotifier(user="mailto:{{ recipient }}").prepare(context)
    assert [method for method, _ in slack.calls] == ["users.lookupByEmail"]


@pytest.mark.parametrize("to", [{"channel": "#research"}, {"user": "<@U012AB3CD>"}, {"user": "ada@example.com"}])
@pytest.mark.parametrize("error", ["invalid_auth", "token_revoked", "missing_scope"])
def test_a_token_that_slack_does_not_accept_is_detected_without_a_message(
    slack: Any, context: dict[str, Any], to: dict[str, Any], error: str
) -> None:
    slack.answers["auth.test"] = slack.answers["users.lookupByEmail"] = {"ok": False, "error": error}
    with pytest.raises(SendFailed, match=f"Slack \\({error}\\)"):
        NotebookUrlSlackNotifier(**to).prepare(context)
    assert slack.posted() == []


@pytest.mark.parametrize(
    "answer",
    [
        (429, {"Retry-After": "7"}, {"ok": False, "error": "ratelimited"}),
        (500, {}, "oops"),
        {"ok": False, "error": "internal_error"},
        (200, {"Content-Type": "text/html"}, "<html>Sign in to the network</html>"),
        (502, {"Content-Type": "text/html; charset=ascii"}, "<html>Störung"),
        "drop",
    ],
)
def test_a_transient_error_of_slacks_is_logged_and_no_error_yet(
    slack: Any, context: dict[str, Any], answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    slack.answers["auth.test"] = slack.answers["users.lookupByEmail"] = answer
    NotebookUrlSlackNotifier(user="{{ recipient }}").prepare(context)
    NotebookUrlSlackNotifier(channel="#research").prepare(context)
    assert caplog.text.count("Slack could not be checked before the notebook starts; this may be transient") == 2


def test_a_login_that_the_mail_server_refuses_is_detected_without_a_mail(
    mail: Any, context: dict[str, Any], mail_connection: Any
) -> None:
    mail_connection(mail.port, login="nb", password="wrong")
    with pytest.raises(SendFailed, match="does not accept the login of the Airflow connection 'smtp_default'"):
        NotebookUrlSmtpNotifier().prepare(context)
    assert mail.bodies == 0


def test_a_mail_server_that_is_down_is_no_error_before_the_notebook_starts(
    context: dict[str, Any], mail_connection: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        mail_connection(closed.getsockname()[1])
        NotebookUrlSmtpNotifier().prepare(context)
    assert "The mail server could not be checked before the notebook starts; this may be transient" in caplog.text


def test_a_password_that_smtplib_cannot_send_is_an_error_without_the_password(
    mail: Any, link_context: dict[str, Any], mail_connection: Any
) -> None:
    mail_connection(mail.port, login="nb", password="sécret")
    with pytest.raises(SendFailed, match="has non-ASCII letters") as raised:
        NotebookUrlSmtpNotifier()(link_context)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "connection", "notifier", "text"),
    [
        ("SMTP_DEFAULT", '{"conn_type": "smtp"}', lambda: NotebookUrlSmtpNotifier(), "has no host"),
        ("SMTP_DEFAULT", '{"conn_type": "smtp", "host": "localhost"}', lambda: NotebookUrlSmtpNotifier(), "from_email"),
        ("SLACK_API_DEFAULT", '{"conn_type": "slack"}', lambda: NotebookUrlSlackNotifier(channel="#a"), "has no token"),
        ("UNUSED", "x://", lambda: NotebookUrlSlackNotifier(user="{{ recipient }}@b"), "user="),
    ],
)
def test_a_stopped_notebook_stays_stopped_when_its_link_could_not_be_sent(
    local: LocalServices, monkeypatch: pytest.MonkeyPatch, name: str, connection: str, notifier: Any, text: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name}", connection)
    local.sagemaker.set_status("research", "Stopped")
    operator = SageMakerPresignedNotebookUrlOperator(
        task_id="link",
        notebook_instance_name="research",
        recipient="ada@example.com",
        notifiers=[notifier()],
        deferrable=False,
    )
    with pytest.raises(Exception, match=text):
        operator.execute({"ti": TaskInstance(), "dag": None, "params": {}})  # type: ignore[typeddict-item]
    assert local.sagemaker.status("research") == "Stopped"


def test_a_failed_notifier_is_no_error_if_any_one_is_enough(slack: Any, context: dict[str, Any]) -> None:
    slack.answers["auth.test"] = {"ok": False, "error": "invalid_auth"}
    notifiers = [NotebookUrlSlackNotifier(channel="#a"), NotebookUrlSlackNotifier(user="{{ recipient }}")]
    prepare(notifiers, context, "any")
    with pytest.raises(SendFailed, match="invalid_auth"):
        prepare(notifiers, context, "all")


def test_a_login_that_is_accepted_is_fine(mail: Any, context: dict[str, Any], mail_connection: Any) -> None:
    mail.authenticates = True
    mail_connection(mail.port, login="nb", password="right")
    NotebookUrlSmtpNotifier().prepare(context)
    assert mail.bodies == 0
