"""A notebook instance whose Jupyter server answers from a script, for tests of what follows from its use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Self

import pytest

from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.usage.activity import Usage
from airflow_sagemaker_presign.usage.jupyter_session import JupyterSession
from airflow_sagemaker_presign.usage.unavailable import JupyterUnavailable
from tests.helpers.scripted_sagemaker import ARN, URL, Clock

BUSY = "a busy kernel (python3)"
OUT_OF_REACH = JupyterUnavailable("research.example could not be reached: No route to host.", "Check the network")


class ScriptedUsage:
    """
    What the looks are to see, in order; the last one is seen for ever.

    :param clock: the clock that tests turn.
    """

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        """How many there were."""
        self._clock = clock
        self._script: list[Callable[[], Usage]] = []
        monkeypatch.setattr(JupyterSession, "open", self._open)

    def busy(self, times: int = 1) -> Self:
        """A kernel is busy."""
        return self._add(lambda: Usage(self._clock.now, BUSY, self._clock.now), times)

    def idle(self, *, minutes: float, times: int = 1) -> Self:
        """Nothing has happened for some minutes before the first of these looks, or since."""
        since: list[datetime] = []

        def answer() -> Usage:
            since.append(self._clock.now - timedelta(minutes=minutes))
            return self._idle_since(since[0])

        return self._add(answer, times)

    def idle_since(self, moment: datetime, times: int = 1) -> Self:
        """Nothing has happened since a moment."""
        return self._add(lambda: self._idle_since(moment), times)

    def unknown(
        self, error: Exception = OUT_OF_REACH, times: int = 1, after: Callable[[], None] = lambda: None
    ) -> Self:
        """The server cannot be asked, after something has happened."""

        def fail() -> Usage:
            after()
            raise error

        return self._add(fail, times)

    def _idle_since(self, moment: datetime) -> Usage:
        return Usage(moment, "", self._clock.now)

    def _add(self, answer: Callable[[], Usage], times: int) -> Self:
        self._script += [answer] * times
        return self

    async def _open(self, presigned_url: PresignedUrl, _: Any) -> Any:
        return _Session(self, presigned_url.minted_at + timedelta(minutes=29))

    def answer(self) -> Usage:
        """Answer the next look."""
        self.looks += 1
        return (self._script.pop(0) if len(self._script) > 1 else self._script[0])()


class _Session:
    def __init__(self, script: ScriptedUsage, ends_at: datetime) -> None:
        self._script = script
        self.ends_at = ends_at

    async def usage(self, _clock: Any, **_: Any) -> Usage:
        return self._script.answer()


class OneNotebook:
    """
    An AWS account with one notebook instance, for any number of requests.

    :param client: the boto3 client that gets the answers.
    """

    def __init__(self, client: Any, clock: Clock) -> None:
        self.status = "InService"
        self.url = URL
        self.requests: Counter[str] = Counter()
        self.refused: dict[str, Exception] = {}
        """The errors of operations, by name."""
        self.changed_at = clock.now - timedelta(days=1)
        self.before: dict[str, Callable[[], None]] = {}
        """What happens before an operation is answered, by name."""
        self.after_stop: list[str] = []
        """The statuses that the Describes after a Stop find, one after another; default: Stopped."""
        self._clock = clock
        client.meta.events.register("before-call.sagemaker", self._answer)

    def _answer(self, model: Any, **_: Any) -> Any:
        self.requests[model.name] += 1
        self.before.get(model.name, lambda: None)()
        if model.name in self.refused:
            raise self.refused[model.name]
        answer: dict[str, Any] = {"ResponseMetadata": {"HTTPHeaders": {}}}
        if model.name == "DescribeNotebookInstance":
            if self.after_stop and self.status != "InService":
                self.become(self.after_stop.pop(0))
            answer |= {
                "NotebookInstanceName": "research",
                "NotebookInstanceArn": ARN,
                "NotebookInstanceStatus": self.status,
                "InstanceType": "ml.t3.medium",
                "LastModifiedTime": self.changed_at,
            }
        elif model.name == "CreatePresignedNotebookInstanceUrl":
            answer |= {"AuthorizedUrl": self.url}
        elif model.name == "StopNotebookInstance":
            self.become("Stopping" if self.after_stop else "Stopped")
        return SimpleNamespace(status_code=200), answer

    def become(self, status: str) -> None:
        """Have another status from now on."""
        self.status, self.changed_at = status, self._clock.now
