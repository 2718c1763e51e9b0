"""Notifiers that record what they would have sent, and fail as planned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow_sagemaker_presign.compat import BaseNotifier
from airflow_sagemaker_presign.delivery.attempts import DeliveryPolicy

POLICY = DeliveryPolicy(min_validity=timedelta(minutes=4), attempts=3, require="all")


class Silent(BaseNotifier):
    """A notifier that sends nothing."""

    def notify(self, context: Any) -> None:
        pass


class Recorder(BaseNotifier):
    """A notifier that does to each message what its plan says, and remembers what it would have sent."""

    template_fields = ("to", "text")

    def __init__(self, *plan: Callable[[], object], to: str = "ada@example.com") -> None:
        super().__init__()
        self.to = to
        self.text = "{{ presigned_url.url }}"
        self.plan = list(plan)
        self.sent: list[str] = []

    def notify(self, context: Any) -> None:
        step = self.plan.pop(0) if self.plan else None
        if step is not None:
            step()
        self.sent.append(self.text)


class Other(Recorder):
    """Another class of notifiers."""


class Asynchronous(Recorder):
    """One whose ``notify`` is a coroutine."""

    async def notify(self, context: Any) -> None:  # type: ignore[override]
        super().notify(context)


class OnlyAwaitable(BaseNotifier):
    """One that has but the asynchronous way of Airflow 3.1 and newer."""

    template_fields = ("text",)

    def __init__(self, *sent: str) -> None:
        super().__init__()
        self.text = "{{ presigned_url.url }}"
        self.sent = list(sent)

    async def async_notify(self, context: Any) -> None:
        self.sent.append(self.text)


def fail(error: BaseException) -> Callable[[], object]:
    """Return a step that raises an error."""

    def step() -> None:
        raise error

    return step


class Ended(BaseException):
    """What ends a thread without being an ``Exception``, as Airflow's ``DeadlockImminentError`` does."""


class SlackSaysNo(Exception):
    """An error with a response, as the Slack SDK raises it."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"The request to the Slack API failed. status: {status}")
        self.response = type("Response", (), {"status_code": status, "headers": headers})()
