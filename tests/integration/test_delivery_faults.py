"""The operator against real servers that fail: who gets a link, who gets none, and what the task's error says."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, AirflowException, BaseNotifier
from airflow_sagemaker_presign.exceptions import NotebookUrlDeliveryError
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator

MAIL = "NotebookUrlSmtpNotifier to ada@example.com"
SLACK = "NotebookUrlSlackNotifier to ada@example.com"
Run = Callable[..., dict[str, Any]]


class TaskInstance:
    dag_id, run_id, task_id, map_index = "mornings", "manual__1", "link", -1

    def xcom_push(self, key: str, value: Any) -> None:
        pass


class SlowThenSent(NotebookUrlSmtpNotifier):
    """Sends by mail, with something slow before the end of the first sends."""

    def __init__(self, *pauses: Callable[[], object]) -> None:
        super().__init__()
        self.pauses = list(pauses)

    def send_link(self, message: Any) -> None:
        super().send_link(message)
        if self.pauses:
            self.pauses.pop(0)()


@pytest.fixture
def run(local: LocalServices, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the operator's task on a notebook that is InService, with backoff that takes no time."""
    pauses: list[float] = []
    monkeypatch.setattr("airflow_sagemaker_presign.delivery.deliver.__kwdefaults__", _kwdefaults(pauses))
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
        return {**receipt, "pauses": pauses}

    return run


def _kwdefaults(pauses: list[float]) -> dict[str, Any]:
    from airflow_sagemaker_presign.delivery import deliver

    return {**(deliver.__kwdefaults__ or {}), "sleep": pauses.append}


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
def test_a_slack_that_may_have_posted_is_named_and_not_sent_to_again(
    run: Run, local: LocalServices, fault: str, settings: dict[str, Any]
) -> None:
    local.inbox.slack.fail(fault, times=1, method="chat.postMessage", **settings)
    with pytest.raises(NotebookUrlDeliveryError, match="may have arrived, so it was not sent again") as raised:
        run()
    assert list(raised.value.failures) == [SLACK]
    assert raised.value.delivered == (MAIL,)
    assert "Ask the recipient whether the message came" in raised.value.advice
    # A second one would have been taken, and shown.
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 0)


def test_a_look_up_that_slack_failed_at_is_tried_again(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("500", times=3, method="users.lookupByEmail")  # once before the start
    assert attempts(run()) == {MAIL: 1, SLACK: 3}
    assert (len(local.inbox.mails), len(local.inbox.slack_messages)) == (1, 1)


def test_a_slack_that_hangs_is_named_and_not_sent_to_again(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("hang-after-receipt", times=1, method="chat.postMessage")
    slack = NotebookUrlSlackNotifier(user="U012AB3CD")
    with pytest.raises(NotebookUrlDeliveryError, match="may have arrived, so it was not sent again") as raised:
        run(NotebookUrlSmtpNotifier(), slack)
    assert list(raised.value.failures) == ["NotebookUrlSlackNotifier to U012AB3CD"]
    assert [message.acknowledged for message in local.inbox.slack_messages] == [False]
    assert len(local.inbox.mails) == 1


def test_a_slack_that_hangs_before_anything_was_posted_is_tried_again(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("hang", times=2, method="users.lookupByEmail")  # before the start, and then to send
    assert attempts(run()) == {MAIL: 1, SLACK: 2}
    assert len(local.inbox.slack_messages) == 1


def test_a_channel_that_slack_does_not_know_is_said_in_words(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("not-ok", error="channel_not_found", times=None)
    with pytest.raises(NotebookUrlDeliveryError, match="channel_not_found"):
        run(NotebookUrlSlackNotifier(channel="#nowhere"))


def test_a_mail_server_that_is_down_is_named_and_slack_arrived(run: Run, local: LocalServices) -> None:
    with local.smtp_down(), pytest.raises(NotebookUrlDeliveryError) as raised:
        run()
    assert list(raised.value.failures) == [MAIL]
    assert raised.value.delivered == (SLACK,)
    assert len(local.inbox.slack_messages) == 1


@pytest.mark.parametrize("fault", ["554-at-connect", "550-at-rcpt", "451-at-rcpt", "drop-before-data"])
def test_a_mail_server_that_refuses_once_is_tried_again(run: Run, local: LocalServices, fault: str) -> None:
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
    with pytest.raises(NotebookUrlDeliveryError, match=fault[:3]) as raised:
        run()
    assert list(raised.value.failures) == [MAIL]
    assert local.inbox.mails == []


@pytest.mark.parametrize("fault", ["hang-after-data", "drop-after-data"])
def test_a_mail_that_may_have_arrived_is_not_sent_again(run: Run, local: LocalServices, fault: str) -> None:
    local.inbox.smtp.fail(fault, times=1)
    with pytest.raises(NotebookUrlDeliveryError, match="may have arrived, so it was not sent again") as raised:
        run()
    assert list(raised.value.failures) == [MAIL]
    assert [mail.acknowledged for mail in local.inbox.mails] == [False]
    assert len(local.inbox.slack_messages) == 1


def test_one_of_three_fails_and_the_others_are_not_sent_to_twice(run: Run, local: LocalServices) -> None:
    local.inbox.slack.fail("500", times=None)
    with pytest.raises(NotebookUrlDeliveryError) as raised:
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
    with pytest.raises(NotebookUrlDeliveryError) as raised:
        run()
    assert list(raised.value.failures) == [MAIL, SLACK]
    assert links(local) == []


def test_a_link_that_is_too_old_when_the_send_ends_is_reported_and_not_sent_again(
    run: Run, local: LocalServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_sagemaker_presign import delivery

    late = iter([timedelta(seconds=0), timedelta(seconds=70)])
    now = delivery.utc_now
    monkeypatch.setitem(
        delivery.deliver.__kwdefaults__,  # type: ignore[arg-type]
        "clock",
        lambda: now() + next(late, timedelta(0)),
    )
    with pytest.raises(NotebookUrlDeliveryError, match=r"it arrived late, with 2\d\d s .* so it was not sent again"):
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
def test_a_message_that_would_reach_nobody_is_refused_before_the_first_aws_call(
    run: Run, local: LocalServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = len(local.sagemaker.requests)
    with pytest.raises(ValueError, match=r"to=.* is not allowed"):
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


def test_a_notifier_whose_text_speaks_of_the_notebook_is_left_for_the_delivery(run: Run, local: LocalServices) -> None:
    run(NotebookUrlSmtpNotifier(cc="{{ notebook_instance.NotebookInstanceName }}@example.com"))
    assert local.inbox.mails[0].recipients == ("ada@example.com", "research@example.com")
