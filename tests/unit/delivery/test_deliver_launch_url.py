"""The delivery without a mint: the same attempts, pauses and uncertain outcomes, and no validity to check."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.delivery.attempts import Delivery, DeliveryPolicy
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.exceptions import LinkDeliveryError
from tests.helpers.notifiers import POLICY, Recorder, SlackSaysNo, fail
from tests.helpers.scripted_sagemaker import RESEARCH, Clock

Send = Callable[..., list[Delivery]]


@pytest.fixture
def send(clock: Clock) -> Send:
    def send(*notifiers: Recorder, policy: DeliveryPolicy = POLICY) -> list[Delivery]:
        for notifier in notifiers:
            notifier.text = "{{ launch_url }}"
        context: dict[str, Any] = {"dag": None, "launch_url": "https://airflow.example.com/launch"}
        return deliver(notifiers, context, None, policy, workspace=RESEARCH, runtime=clock)

    return send


def test_the_receipt_has_the_time_of_delivery_and_nothing_about_a_url(send: Send) -> None:
    mail = Recorder()
    (delivery,) = send(mail)
    assert mail.sent == ["https://airflow.example.com/launch"]
    assert delivery.receipt() == {
        "notifier": "Recorder to ada@example.com",
        "attempts": 1,
        "delivered_at": "2026-03-02T08:00:00+00:00",
    }


def test_a_send_that_failed_is_retried_with_backoff(send: Send, clock: Clock) -> None:
    began = clock()
    (delivery,) = send(Recorder(fail(OSError("refused")), fail(SlackSaysNo(429, **{"Retry-After": "30"}))))
    assert delivery.attempts == 3
    assert clock() - began == timedelta(seconds=1 + 30)


def test_a_slow_send_is_not_too_late(send: Send, clock: Clock) -> None:
    (delivery,) = send(Recorder(lambda: clock.advance(3600)))
    assert delivery.attempts == 1


def test_a_send_that_may_have_arrived_is_not_repeated(send: Send) -> None:
    mail = Recorder(fail(TimeoutError("timed out")))
    with pytest.raises(LinkDeliveryError, match="may have arrived, so it was not sent again"):
        send(mail)
    assert mail.sent == []


def test_a_send_that_hangs_is_given_up_and_not_repeated(send: Send) -> None:
    over = threading.Event()
    policy = DeliveryPolicy(timedelta(seconds=299.8), attempts=3, require="all")
    try:
        with pytest.raises(LinkDeliveryError, match="hung and was abandoned; it may still arrive, so"):
            send(Recorder(over.wait), policy=policy)
    finally:
        over.set()
