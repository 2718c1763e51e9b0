"""The operator against real servers that fail: who gets a link, who gets none, and what the task's error says."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, AirflowException, BaseNotifier
from airflow_sagemaker_presign.exceptions import LinkDeliveryError
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator
from airflow_sagemaker_presign.runtime import Runtime
from tests.helpers.scripted_sagemaker import TaskInstance

MAIL = "NotebookUrlSmtpNotifier to ada@example.com"
SLACK = "NotebookUrlSlackNotifier to ada@example.com"
Run = Callable[..., dict[str, Any]]


class QuickRuntime(Runtime):
    """Make backoff instantaneous."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def run(local: LocalServices, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the operator's task on a notebook that is InService, with instantaneous backoff."""
    runtime = QuickRuntime()
    monkeypatch.setattr(SageMakerPresignedNotebookUrlOperator, "_runtime", runtime)
    local.sagemaker.set_status("research", "InService")
    # In one process all masks of all tests pile up, and each new one costs more than the one before.
    monkeypatch.setattr("airflow_sagemaker_presign.compat.mask_secret", lambda _: None, raising=False)

    def run(*notifiers: BaseNotifier, **kwargs: Any) -> dict[str, Any]:
        operator = SageMakerPresignedNotebookUrlOperator(
            task_id="link",
            notebook_instance_name="research",
            recipient="ada@example.com",
            deferrable=False,
            notifiers=notifiers or (NotebookUrlSmtpNotifier(), NotebookUrlSlackNotifier(user="{{ recipient }}")),
            **kwargs,
        )
        receipt = operator.execute({"ti": TaskInstance(), "dag": None, "params": {}})  # type: ignore[typeddict-item]
        return {**receipt, "pauses": runtime.pauses}

    return run


def attempts(receipt: dict[str, Any]) -> dict[str, int]:
    return {delivery["notifier"]: delivery["attempts"] for delivery in receipt["deliveries"]}


def links(local: LocalServices) -> list[str]:
    """All links that anybody got, by mail or by Slack."""
    texts = [mail.text for mail in local.inbox.mails]
    texts += [f"{message.text} {message.blocks}" for message in local.inbox.slack_messages]
    return [found[1] for text in texts if (found := re.search(r"authToken=([\w-]+)", text))]


def test_without_faults_each_gets_one_link_of_their_own(run: Run, local: LocalServices) -> None:
    receipt = run()
    assert attempts(receipt) == {MAIL: 1, SLACK: 1}
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 1)
    assert len(set(links(local))) == 2
    assert all(240 <= delivery["validity_left"] <= 300 for delivery in receipt["deliveries"])
    assert "authToken" not in repr(receipt)


def test_slacks_429_is_waited_out_and_the_mail_does_not_come_twice(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("429", times=1, retry_after=7, method="chat.postMessage")
    receipt = run()
    assert attempts(receipt) == {MAIL: 1, SLACK: 2}
    assert receipt["pauses"] == [7.0]
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "settings"),
    [("500", {}), ("not-ok", {"error": "internal_error"}), ("not-ok", {"error": "fatal_error"})],
    ids=str,
)
def test_a_slack_message_that_may_have_arrived_is_named_and_not_repeated(
    run: Run, local: LocalServices, fault: str, settings: dict[str, Any]
) -> None:
    local.inbox.slack.fail(fault, times=1, method="chat.postMessage", **settings)
    with pytest.raises(LinkDeliveryError, match="may have arrived, so it was not sent again") as raised:
        run()
    assert list(raised.value.failures) == [SLACK]
    assert raised.value.delivered == (MAIL,)
    assert "Ask the recipient whether the message came" in raised.value.advice
    # A second one would have been taken, and shown.
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 0)


def test_a_lookup_during_which_slack_failed_is_retried(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("500", times=3, method="users.lookupByEmail")  # once before the start
    assert attempts(run()) == {MAIL: 1, SLACK: 3}
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 1)


def test_a_slack_that_hangs_is_named_and_the_send_is_not_repeated(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("hang-after-receipt", times=1, method="chat.postMessage")
    slack = NotebookUrlSlackNotifier(user="U012AB3CD")
    with pytest.raises(LinkDeliveryError, match="may have arrived, so it was not sent again") as raised:
        run(NotebookUrlSmtpNotifier(), slack)
    assert list(raised.value.failures) == ["NotebookUrlSlackNotifier to U012AB3CD"]
    assert [message.acknowledged for message in local.inbox.slack_messages] == [False]
    assert len(local.inbox.mails) == 1


def test_a_slack_that_hangs_before_anything_was_posted_is_retried(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("hang", times=2, method="users.lookupByEmail")  # before the start, and then to send
    assert attempts(run()) == {MAIL: 1, SLACK: 2}
    assert len(local.inbox.slack_messages) == 1


def test_a_channel_that_slack_does_not_know_is_an_error_in_plain_words(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("not-ok", error="channel_not_found", times=None)
    with pytest.raises(LinkDeliveryError, match="channel_not_found"):
        run(NotebookUrlSlackNotifier(channel="#nowhere"))


def test_a_mail_server_that_is_down_is_named_and_slack_arrived(run: Run, local: LocalServices) -> None:
    with local.smtp_down(), pytest.raises(LinkDeliveryError) as raised:
        run()
    assert list(raised.value.failures) == [MAIL]
    assert raised.value.delivered == (SLACK,)
    assert len(local.inbox.slack_messages) == 1


@pytest.mark.parametrize("fault", ["554-at-connect", "550-at-rcpt", "451-at-rcpt", "drop-before-data"])
def test_a_mail_that_is_refused_once_is_sent_again(run: Run, local: LocalServices, fault: str) -> None:
    # Before the start the notifier logs in without a mail.
    local.inbox.smtp.fail(fault, times=2 if fault == "554-at-connect" else 1)
    assert attempts(run()) == {MAIL: 2, SLACK: 1}
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 1)


def test_a_mail_server_that_drops_the_connection_at_once_gets_one_mail_in_the_end(
    run: Run, local: LocalServices
) -> None:
    local.inbox.smtp.fail("reset-at-connect", times=1)
    run()
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 1)


@pytest.mark.parametrize("fault", ["554-at-connect", "550-at-rcpt"])
def test_a_mail_server_that_always_refuses_is_named(run: Run, local: LocalServices, fault: str) -> None:
    local.inbox.smtp.fail(fault, times=None)
    with pytest.raises(LinkDeliveryError, match=fault[:3]) as raised:
        run()
    assert list(raised.value.failures) == [MAIL]
    assert local.inbox.mails == []


@pytest.mark.parametrize("fault", ["hang-after-data", "drop-after-data"])
def test_a_mail_that_may_have_arrived_is_not_sent_again(run: Run, local: LocalServices, fault: str) -> None:
    local.inbox.smtp.fail(fault, times=1)
    with pytest.raises(LinkDeliveryError, match="may have arrived, so it was not sent again") as raised:
        run()
    assert list(raised.value.failures) == [MAIL]
    assert [mail.acknowledged for mail in local.inbox.mails] == [False]
    assert len(local.inbox.slack_messages) == 1


def test_one_of_three_fails_and_the_others_are_not_sent_to_twice(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("500", times=None)
    with pytest.raises(LinkDeliveryError) as raised:
        run(
            NotebookUrlSmtpNotifier(),
            NotebookUrlSlackNotifier(user="{{ recipient }}"),
            NotebookUrlSmtpNotifier(to="grace@example.com"),
        )
    assert list(raised.value.failures) == [SLACK]
    assert sorted(mail.recipients[0] for mail in local.inbox.mails) == ["ada@example.com", "grace@example.com"]


def test_one_of_three_fails_and_any_is_enough(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("500", times=None)
    receipt = run(
        NotebookUrlSmtpNotifier(),
        NotebookUrlSlackNotifier(user="{{ recipient }}"),
        NotebookUrlSmtpNotifier(to="grace@example.com"),
        require="any",
    )
    assert ["failure" in delivery for delivery in receipt["deliveries"]] == [False, True, False]


def test_all_fail_and_all_are_named(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("500", times=None)
    local.inbox.smtp.fail("554-at-connect", times=None)
    with pytest.raises(LinkDeliveryError) as raised:
        run()
    assert list(raised.value.failures) == [MAIL, SLACK]
    assert links(local) == []


def test_a_link_that_is_too_old_when_the_send_ends_is_reported_and_not_sent_again(
    run: Run, local: LocalServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(QuickRuntime):
        """Reads the clock before and after the send."""

        late = iter([timedelta(seconds=0), timedelta(seconds=70)])

        def utc_now(self) -> datetime:
            return super().utc_now() + next(self.late, timedelta(0))

        def time(self) -> float:
            return time.time()

    monkeypatch.setattr(SageMakerPresignedNotebookUrlOperator, "_runtime", Late())
    with pytest.raises(LinkDeliveryError, match=r"it arrived late, with 2\d\d s .* so it was not sent again"):
        run(NotebookUrlSmtpNotifier())
    assert len(links(local)) == 1


def test_minting_over_http_leaves_nothing_in_the_log_at_debug(
    run: Run, local: LocalServices, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        run()
        logging.getLogger("botocore").debug("debugging goes on afterwards")
    captured = capsys.readouterr()
    written = caplog.text + captured.out + captured.err
    assert "goes on afterwards" in written
    assert "DescribeNotebookInstance" in written
    tokens = links(local)
    assert len(tokens) == 2
    assert not [token for token in tokens if token in written]
    assert "authToken" not in written


@pytest.mark.skipif(
    AIRFLOW_VERSION == (3, 1, 0), reason="outside a task, Airflow 3.1.0 breaks on a connection that is not there"
)
def test_a_message_without_recipients_is_an_error_before_the_first_aws_call(run: Run, local: LocalServices) -> None:
    asked = len(local.sagemaker.requests)
    with pytest.raises(ValueError, match=r"to=.*: must be"):
        run(NotebookUrlSmtpNotifier(to="{{ params.nobody }}"), NotebookUrlSlackNotifier(channel="#research"))
    with pytest.raises(AirflowException, match="slack_elsewhere"):
        run(NotebookUrlSmtpNotifier(), NotebookUrlSlackNotifier(channel="#research", slack_conn_id="slack_elsewhere"))
    assert len(local.sagemaker.requests) == asked
    receipt = run(
        NotebookUrlSmtpNotifier(),
        NotebookUrlSlackNotifier(channel="#research", slack_conn_id="slack_elsewhere"),
        require="any",
    )
    assert ["failure" in delivery for delivery in receipt["deliveries"]] == [False, True]


def test_a_template_that_uses_the_notebooks_description_is_checked_later(run: Run, local: LocalServices) -> None:
    run(NotebookUrlSmtpNotifier(cc="{{ notebook_instance.NotebookInstanceName }}@example.com"))
    assert local.inbox.mails[0].recipients == ("ada@example.com", "research@example.com")
