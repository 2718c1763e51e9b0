from __future__ import annotations

import copy
import re
import sys
from typing import Any

import pytest

from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.failure_message import FailureMessage
from airflow_sagemaker_presign.notifications.link_message import LinkMessage
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.notifications.stop_warning_message import StopWarningMessage


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, r"channel, user=\(None, None\): must be exactly one of channel"),
        ({"channel": "#a", "user": "U012AB3CD"}, r"channel, user=\('#a', 'U012AB3CD'\): must be exactly one of"),
        ({"channel": ""}, "channel='': must be a channel's name such as"),
        ({"channel": 7}, "channel=7: must be"),
        ({"user": "@ada"}, "user='@ada': must be an e-mail address, or a Slack user id"),
        ({"user": "ada"}, "user='ada': must be"),
        ({"user": "u012ab3cd"}, "user='u012ab3cd': must be"),
        ({"channel": "#a", "timezone": "Mars/Base"}, "timezone='Mars/Base': must be an IANA time zone"),
        ({"channel": "#a", "timeout": 0}, "timeout=0: must be"),
        ({"channel": "#a", "timeout": -1}, "timeout=-1: must be"),
        ({"channel": "#a", "note": 7}, "note=7: must be"),
    ],
)
def test_a_slack_notifier_rejects_invalid_parameters_when_it_is_created(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        NotebookUrlSlackNotifier(**arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"to": ""}, "to='': must be an e-mail address"),
        ({"to": []}, r"to=\[\]: must be"),
        ({"to": "ada"}, "to='ada': must be"),
        ({"to": ["ada@example.com", "bob"]}, "to='bob': must be"),
        ({"cc": "bob"}, "cc='bob': must be"),
        ({"from_email": "me"}, "from_email='me': must be"),
        ({"timezone": "Mars/Base"}, "timezone='Mars/Base': must be"),
        ({"subject": 7}, "subject=7: must be"),
    ],
)
def test_a_mail_notifier_rejects_invalid_parameters_when_it_is_created(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        NotebookUrlSmtpNotifier(**arguments)


def test_templates_are_not_checked_before_they_are_rendered() -> None:
    slack = NotebookUrlSlackNotifier(user="{{ recipient }}", timezone="{{ params.zone }}")
    mail = NotebookUrlSmtpNotifier(to=["{{ recipient }}", "bob@example.com"], from_email="{{ params.sender }}")
    assert (slack.timezone, mail.from_email) == ("{{ params.zone }}", "{{ params.sender }}")


@pytest.mark.parametrize("recipient", [None, "", "ada"])
def test_a_recipient_that_renders_to_nothing_raises_an_error_that_names_the_parameter(
    link_context: dict[str, Any], recipient: str | None
) -> None:
    context = {**link_context, "recipient": recipient}
    with pytest.raises(ValueError, match=r"^user=.*: must be an e-mail address, or a Slack user id"):
        copy.copy(NotebookUrlSlackNotifier(user="{{ recipient }}"))(context)
    with pytest.raises(ValueError, match=r"^to=.*: must be an e-mail address"):
        copy.copy(NotebookUrlSmtpNotifier())(context)


def test_a_time_zone_that_renders_to_one_that_does_not_exist_is_an_error(link_context: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="timezone='Mars/Base': must be"):
        NotebookUrlSmtpNotifier(timezone="{{ zone }}")({**link_context, "zone": "Mars/Base"})


class Recorder(NotebookUrlNotifier):
    """Records what it would have sent."""

    template_fields = (*NotebookUrlNotifier.template_fields, "to")

    def __init__(self, sent: list[tuple[Any, Any]], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.to = "{{ recipient }}"
        self.sent = sent

    def send_link(self, message: LinkMessage) -> None:
        self.sent.append((self.to, message))

    def send_warning(self, message: StopWarningMessage) -> None:
        self.sent.append((self.to, message))

    def send_failure(self, message: FailureMessage) -> None:
        self.sent.append((self.to, message))

    def check_recipient(self) -> None:
        pass

    def load_provider(self) -> None:
        pass


def test_one_object_serves_link_failure_and_link_again(
    link_context: dict[str, Any], airflow_context: dict[str, Any]
) -> None:
    sent: list[tuple[Any, Any]] = []
    notifier = Recorder(sent, note="for {{ recipient }} until {{ presigned_url.expires_at.minute }}")
    failed = {**airflow_context, "exception": RuntimeError("no")}

    copy.copy(notifier)({**link_context})
    notifier(failed)
    copy.copy(notifier)({**link_context, "recipient": "bob@example.com"})
    airflow_context["task"].recipient = "eve@example.com"
    notifier(failed)

    assert [to for to, _ in sent] == ["ada@example.com", "ada@example.com", "bob@example.com", "eve@example.com"]
    assert [type(message) for _, message in sent] == [LinkMessage, FailureMessage, LinkMessage, FailureMessage]
    assert sent[0][1].note == "for ada@example.com until 35"
    assert sent[2][1].note == "for bob@example.com until 35"
    assert notifier.to == "{{ recipient }}"


def test_a_stop_warning_is_no_link_although_its_context_has_a_launch_page(stop_context: dict[str, Any]) -> None:
    sent: list[tuple[Any, Any]] = []
    notifier = Recorder(sent, note="{{ stop_warning.stops_at.minute }} {{ notebook_instance.InstanceType }}")
    for context in (stop_context, {**stop_context, "launch_url": ""}):
        copy.copy(notifier)({**context})
    assert [(to, type(message)) for to, message in sent] == [("ada@example.com", StopWarningMessage)] * 2
    assert [message.note for _, message in sent] == ["0 ml.t3.medium"] * 2


def test_the_notifier_of_a_stop_warning_reports_the_failure_of_its_task_too(stop_context: dict[str, Any]) -> None:
    sent: list[tuple[Any, Any]] = []
    notifier = Recorder(sent, note="until {{ stop_warning.stops_at.minute }}")
    later = ("stop_warning", "launch_url", "workspace", "workspace_description", "notebook_instance", "recipient")
    failed = {name: value for name, value in stop_context.items() if name not in later}
    notifier({**failed, "exception": RuntimeError("no")})
    ((to, message),) = sent
    assert (to, message.title) == ("ada@example.com", "Notebook research: task stop failed")


def test_a_notifier_that_only_knows_links_fails_to_warn_with_its_name(stop_context: dict[str, Any]) -> None:
    class LinksOnly(Recorder):
        send_warning = NotebookUrlNotifier.send_warning

    with pytest.raises(NotImplementedError, match="LinksOnly sends no stop warnings"):
        LinksOnly([])(stop_context)


def test_a_callback_leaves_airflows_context_as_it_was(airflow_context: dict[str, Any]) -> None:
    before = dict(airflow_context)
    Recorder([], note="x")(airflow_context)
    assert airflow_context == before


def test_an_unrendered_recipient_counts_as_none(airflow_context: dict[str, Any]) -> None:
    """The callback of a task that was killed from outside runs from the DAG file, where nothing is rendered."""
    sent: list[tuple[Any, Any]] = []
    airflow_context["task"].recipient = "{{ params.recipient }}"
    Recorder(sent)(airflow_context)
    assert sent[0][0] == "None"


def test_user_input_is_not_rendered_again(airflow_context: dict[str, Any]) -> None:
    sent: list[tuple[Any, Any]] = []
    airflow_context["task"].recipient = "{{ 7 * 7 }}"
    Recorder(sent)(airflow_context)
    assert "49" not in repr(sent)


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (lambda: NotebookUrlSlackNotifier(channel="#a"), "airflow.providers.slack.hooks.slack", "slack"),
        (lambda: NotebookUrlSmtpNotifier(to="ada@example.com"), "airflow.providers.smtp.hooks.smtp", "smtp"),
    ],
)
def test_a_missing_provider_is_an_error_that_names_the_extra(
    link_context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, make: Any, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Exception, match=re.escape(f"airflow-sagemaker-presign[{extra}]")):
        make()(link_context)


def test_no_memory_address_is_among_what_a_notifier_holds() -> None:
    for notifier in (
        NotebookUrlSlackNotifier(channel="#a", note="n"),
        NotebookUrlSmtpNotifier(to=iter(["ada@example.com"])),
    ):
        held = [getattr(notifier, name) for name in notifier.template_fields]
        assert " at 0x" not in repr(held)
