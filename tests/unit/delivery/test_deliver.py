from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.delivery.attempts import Delivery, DeliveryPolicy
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.exceptions import (
    LinkDeliveryError,
    NotebookInstanceNotFound,
    SageMakerAccessDenied,
    SageMakerUnavailable,
    WorkspaceError,
)
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from tests.helpers.notifiers import POLICY, Asynchronous, Ended, OnlyAwaitable, Other, Recorder, SlackSaysNo, fail
from tests.helpers.odd_errors import CannotSay
from tests.helpers.scripted_sagemaker import RESEARCH, URL, Clock

Send = Callable[..., list[Delivery]]


def test_each_notifier_gets_its_own_url_and_the_receipt_has_none(send: Send) -> None:
    mail, slack = Recorder(), Other()
    first, second = send(mail, slack)
    assert len({*mail.sent, *slack.sent}) == 2
    assert first.receipt() == {
        "notifier": "Recorder to ada@example.com",
        "attempts": 1,
        "minted_at": "2026-03-02T08:00:00+00:00",
        "delivered_at": "2026-03-02T08:00:00+00:00",
        "validity_left": 300.0,
        "session_ends_by": "2026-03-02T09:05:00+00:00",
    }
    assert "authToken" not in repr((first, second, first.receipt()))


def test_a_notifier_is_copied_so_that_a_second_delivery_sends_a_second_url(send: Send) -> None:
    mail = Recorder()
    send(mail)
    send(mail)
    assert len(set(mail.sent)) == 2
    assert mail.text == "{{ presigned_url.url }}"


def test_a_notifier_whose_send_is_a_coroutine_is_waited_for(send: Send) -> None:
    mail = Asynchronous(fail(ValueError("once")))
    (delivery,) = send(mail)
    assert (delivery.attempts, delivery.failure, len(mail.sent)) == (2, "", 1)


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 1), reason="this Airflow has no async_notify")
def test_a_notifier_with_only_the_asynchronous_method_is_called_with_it(send: Send) -> None:
    mail = OnlyAwaitable()
    (delivery,) = send(mail)
    assert (delivery.attempts, mail.sent) == (1, [f"{URL}1"])


@pytest.mark.parametrize(
    ("to", "named"), [(-100123, "-100123"), (["a", 2], "a, 2"), (("a",), "a"), (CannotSay(), "")], ids=repr
)
def test_a_recipient_of_any_type_is_named_or_left_out(send: Send, to: Any, named: str) -> None:
    (delivery,) = send(Recorder(to=to))
    assert delivery.notifier == ("Recorder" + (named and f" to {named}"))


@pytest.mark.parametrize("error", [CannotSay(), Ended("no more")], ids=["cannot say", "ended"])
def test_an_exception_of_a_send_or_a_mint_is_reported_with_its_type(send: Send, error: BaseException) -> None:
    with pytest.raises(LinkDeliveryError) as sending:
        send(Recorder(fail(error), fail(error), fail(error)))
    with pytest.raises(LinkDeliveryError) as minting:
        send(Recorder(), mint=fail(error))
    name = type(error).__name__
    assert sending.value.failures["Recorder to ada@example.com"].startswith(name)
    assert minting.value.failures["Recorder to ada@example.com"].startswith(f"no URL could be minted: {name}")


def test_a_send_that_failed_is_retried_with_a_fresh_url(send: Send, clock: Clock) -> None:
    mail = Recorder(fail(OSError("refused")), fail(OSError("refused")))
    began = clock()
    (delivery,) = send(mail)
    assert delivery.attempts == 3
    assert mail.sent == [f"{URL}3"]
    assert clock() - began == timedelta(seconds=1 + 2)


@pytest.mark.parametrize(("asked", "waited"), [("0", 1), ("30", 30), ("nonsense", 1)])
def test_a_429_is_waited_out_as_long_as_slack_asks(send: Send, clock: Clock, asked: str, waited: int) -> None:
    slack = Recorder(fail(SlackSaysNo(429, **{"Retry-After": asked})))
    began = clock()
    (delivery,) = send(slack)
    assert delivery.attempts == 2
    assert clock() - began == timedelta(seconds=waited)
    assert delivery.receipt()["validity_left"] == 300.0


def test_a_429_that_asks_for_an_hour_is_not_waited_for(send: Send) -> None:
    with pytest.raises(LinkDeliveryError, match="requires a 3600 s wait"):
        send(Recorder(fail(SlackSaysNo(429, **{"Retry-After": "3600"}))))


def test_a_link_that_arrived_late_is_reported_and_not_sent_again(send: Send, clock: Clock) -> None:
    mail, slack = Recorder(lambda: clock.advance(61)), Other(to="grace@example.com")
    with pytest.raises(LinkDeliveryError, match=r"it arrived late, with 239 s .* not sent again") as raised:
        send(mail)
    assert mail.sent == [f"{URL}1"]
    assert "whether they opened the link in time" in raised.value.advice
    send(slack)
    assert len(slack.sent) == 1


def test_a_link_that_was_dead_when_it_arrived_is_not_sent_again_either(send: Send, clock: Clock) -> None:
    mail = Recorder(lambda: clock.advance(1_000))
    with pytest.raises(LinkDeliveryError, match="it arrived late, with 0 s of the URL's validity left"):
        send(mail)
    assert len(mail.sent) == 1


def test_a_link_that_arrives_late_at_the_second_attempt_ends_the_attempts(send: Send, clock: Clock) -> None:
    mail = Recorder(fail(OSError("refused")), lambda: clock.advance(61))
    with pytest.raises(LinkDeliveryError, match="arrived late"):
        send(mail)
    assert mail.sent == [f"{URL}2"]


def test_a_mint_that_takes_too_long_sends_nothing_dead(
    send: Send, mints: Callable[[], PresignedUrl], clock: Clock
) -> None:
    def slow() -> PresignedUrl:
        presigned_url = mints()
        clock.advance(61)
        return presigned_url

    mail = Recorder()
    with pytest.raises(LinkDeliveryError, match="too old before it could be sent"):
        send(mail, mint=slow)
    assert mail.sent == []


def test_a_send_that_hangs_is_given_up_in_time_and_not_repeated(send: Send) -> None:
    over = threading.Event()
    mail = Recorder(over.wait)
    policy = DeliveryPolicy(timedelta(seconds=299.8), attempts=3, require="all")
    try:
        with pytest.raises(LinkDeliveryError, match=r"hung and was abandoned .* may still arrive"):
            send(mail, policy=policy)
        assert mail.plan == []
    finally:
        over.set()


@pytest.mark.parametrize("error", [TimeoutError("timed out"), ConnectionResetError(), requests.ReadTimeout()])
def test_a_send_that_may_have_arrived_is_not_repeated(send: Send, error: Exception) -> None:
    mail = Recorder(fail(error))
    with pytest.raises(LinkDeliveryError, match="may have arrived, so it was not sent again"):
        send(mail)
    assert mail.sent == []


def test_a_failed_notifier_does_not_stop_the_others_and_is_named_with_its_recipient(send: Send) -> None:
    mail = Recorder(*[fail(OSError("no route to host"))] * 3, to="grace@example.com")
    slack, chime = Other(), Recorder()
    with pytest.raises(LinkDeliveryError) as raised:
        send(slack, mail, chime)
    assert raised.value.failures == {"Recorder #1 to grace@example.com": "OSError: no route to host"}
    assert raised.value.delivered == ("Other to ada@example.com", "Recorder #2 to ada@example.com")
    assert len(slack.sent) == len(chime.sent) == 1
    assert "'research'" in str(raised.value)


def test_with_any_one_delivery_is_enough(send: Send) -> None:
    failing = Recorder(*[fail(OSError("down"))] * 3)
    policy = DeliveryPolicy(timedelta(minutes=4), attempts=3, require="any")
    failed, delivered = send(failing, Other(), policy=policy)
    assert failed.receipt()["failure"] == "OSError: down"
    assert not delivered.failure


@pytest.mark.parametrize("require", ["all", "any"])
def test_when_all_fail_all_are_named(send: Send, require: str) -> None:
    with pytest.raises(LinkDeliveryError) as raised:
        send(
            Recorder(*[fail(OSError("down"))] * 3),
            Other(*[fail(OSError("down too"))] * 3),
            policy=DeliveryPolicy(timedelta(minutes=4), 3, require),
        )
    assert len(raised.value.failures) == 2


class Mint:
    """A mint that raises the planned errors, and then mints."""

    def __init__(self, make: Callable[[], PresignedUrl], *errors: Exception) -> None:
        self.make = make
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> PresignedUrl:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.make()


THROTTLED = SageMakerUnavailable("research", "AWS could not presign a URL for it just now: Rate exceeded.")
DENIED = SageMakerAccessDenied("research", "AWS refused to presign a URL for it: AccessDeniedException: no.")
NOT_IN_SERVICE = WorkspaceError("research", "AWS refused: Status (Stopped) not in ([InService]).")
NOT_KNOWN_YET = SageMakerAccessDenied("research", "The security token included in the request is invalid.")
NOT_KNOWN_YET.code = "UnrecognizedClientException"


@pytest.mark.parametrize("error", [THROTTLED, NOT_KNOWN_YET, RuntimeError("Rate exceeded")])
def test_a_mint_that_may_work_a_little_later_is_retried(
    send: Send, mints: Callable[[], PresignedUrl], error: Exception
) -> None:
    mail, mint = Recorder(), Mint(mints, error, error)
    (delivery,) = send(mail, mint=mint)
    assert (delivery.attempts, mint.calls, len(mail.sent)) == (3, 3, 1)


@pytest.mark.parametrize("error", [DENIED, NOT_IN_SERVICE, NotebookInstanceNotFound("research", "None of this name.")])
def test_a_mint_that_no_retry_can_fix_is_attempted_once(
    send: Send, mints: Callable[[], PresignedUrl], error: WorkspaceError
) -> None:
    mail, mint = Recorder(), Mint(mints, error, error, error)
    with pytest.raises(LinkDeliveryError, match="no URL could be minted") as raised:
        send(mail, mint=mint)
    assert (mint.calls, mail.sent) == (1, [])
    assert error.problem.rstrip(".") in raised.value.failures["Recorder to ada@example.com"]


@pytest.mark.parametrize("error", [THROTTLED, DENIED, NOT_IN_SERVICE])
def test_the_advice_for_a_mint_is_the_mints_and_not_about_a_notifier(
    send: Send, mints: Callable[[], PresignedUrl], error: WorkspaceError
) -> None:
    with pytest.raises(LinkDeliveryError) as raised:
        send(Recorder(), Other(), mint=Mint(mints, *[error] * 6))
    assert raised.value.advice.startswith(error.advice)
    assert str(raised.value).count(error.advice) == 1
    assert "notifier's" not in str(raised.value)


def test_failures_with_several_causes_each_have_their_advice(send: Send) -> None:
    with pytest.raises(LinkDeliveryError) as raised:
        send(
            Recorder(*[fail(OSError("no route to host"))] * 3, to="grace@example.com"),
            Other(fail(TimeoutError())),
            Recorder(fail(SlackSaysNo(429, **{"Retry-After": "3600"})), to="ada@example.com"),
        )
    advice = raised.value.advice
    assert "Recorder #1 to grace@example.com: Fix the notifier's recipient or connection" in advice
    assert "Other to ada@example.com: Ask the recipient whether the message came" in advice
    assert "Recorder #2 to ada@example.com: Clear the task after that time." in advice
    assert advice.endswith("Clearing the task sends a link to everybody, also to those who have one.")
    assert pickle.loads(pickle.dumps(raised.value)).advice == advice


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_send_during_which_the_service_failed_is_not_repeated(send: Send, status: int) -> None:
    webhook = Recorder(fail(SlackSaysNo(status)))
    with pytest.raises(LinkDeliveryError, match="may have arrived, so it was not sent again"):
        send(webhook)
    assert webhook.sent == []


def test_a_send_that_the_service_refused_is_repeated(send: Send) -> None:
    (delivery,) = send(Recorder(fail(SlackSaysNo(503)), fail(SlackSaysNo(400))))
    assert delivery.attempts == 3


def test_a_task_that_is_killed_sends_nothing_more(
    mints: Callable[[], PresignedUrl], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = threading.Event()
    killed = threading.Event()
    mail = Recorder(fail(OSError("refused")))

    class Sleepless(Clock):
        def sleep(self, seconds: float) -> None:
            slept.set()
            killed.wait(10)

    real_join = threading.Thread.join

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        if timeout is not None:
            return real_join(thread, timeout)
        slept.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        deliver([mail], {"dag": None}, mints, POLICY, workspace=RESEARCH, runtime=Sleepless())
    monkeypatch.undo()
    killed.set()
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread() and "Thread-" in thread.name:
            thread.join(5)
    assert mail.sent == []
