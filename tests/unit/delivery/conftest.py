"""Deliveries with a mint that counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_sagemaker_presign.delivery.attempts import Delivery, DeliveryPolicy
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from tests.helpers.minted_urls import minted_url
from tests.helpers.notifiers import POLICY
from tests.helpers.scripted_sagemaker import RESEARCH, URL, Clock


@pytest.fixture
def mints(clock: Clock) -> Callable[[], PresignedUrl]:
    count = 0
    lock = threading.Lock()

    def mint() -> PresignedUrl:
        nonlocal count
        with lock:
            count += 1
            number = count
        return minted_url(f"{URL}{number}", clock())

    return mint


@pytest.fixture
def send(mints: Callable[[], PresignedUrl], clock: Clock) -> Callable[..., list[Delivery]]:
    def send(*notifiers: Any, policy: DeliveryPolicy = POLICY, mint: Any = mints) -> list[Delivery]:
        return deliver(notifiers, {"dag": None}, mint, policy, workspace=RESEARCH, runtime=clock)

    return send
