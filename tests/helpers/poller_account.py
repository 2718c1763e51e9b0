"""An AWS account on a clock that tests turn, as the poller sees it: through a hook that answers at once."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.poller.poller import StatusPoller
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.workspaces.base import Observation, Page, Workspace
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers import simulated_account
from tests.helpers.simulated_account import BEGINNING, Change, ErrorResponse, Notebook


class TurnedClock(Runtime):
    """Time that passes when the poller has nothing to do; others wait for their hour with :meth:`until`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses = 0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return BEGINNING + self.seconds

    async def until(self, moment: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((moment, sleeper))
        await sleeper

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        self.pauses += 1
        end = self.seconds + seconds
        await _others()
        while not (wake and wake.is_set()):
            due = [sleeper for sleeper in self._sleepers if sleeper[0] <= end]
            if not due:
                self.seconds = end
                return
            first = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self.seconds = max(self.seconds, first[0])
            first[1].set_result(None)
            await _others()


async def _others() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@dataclass
class Account:
    """
    Notebook instances with a past and a future; and a record of what was asked.

    :param ahead: how many seconds AWS's clock is ahead of ours.
    :param lag: seconds after which a list knows of a change.
    :param tells_time: whether its answers say when they were given.
    :param deaf: names of notebook instances that ignore a Start.
    """

    clock: TurnedClock = field(default_factory=TurnedClock)
    ahead: float = 0.0
    lag: float = 0.0
    tells_time: bool = True
    deaf: set[str] = field(default_factory=set)
    requests: list[tuple[float, str, str]] = field(default_factory=list)
    refuse: Callable[[str, str], Exception | None] = lambda operation, name: None
    connections: int = 0
    closed: int = 0

    def __post_init__(self) -> None:
        self._simulated = simulated_account.Account()

    def plan(self, name: str, *statuses: tuple[float, str], reason: str = "") -> None:
        """Schedule the statuses of a notebook instance by second; earlier scheduled changes are dropped."""
        now = self.clock.monotonic()
        notebook = self._simulated.notebooks.setdefault(name, Notebook([(-math.inf, [])]))
        past = [change for change in notebook.courses[0][1] if change.at <= now]
        new = [Change(at, status, reason if status == "Failed" else "") for at, status in statuses]
        notebook.courses[0] = (-math.inf, [*past, *new])

    def connect(self) -> Any:
        self._ask("connect", "")
        self.connections += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def observe(self, workspace: Workspace) -> Observation:
        self._ask("describe", workspace.name)
        asked = {"NotebookInstanceName": workspace.name}
        try:
            answer = self._answer("DescribeNotebookInstance", asked, self.clock.monotonic())
        except ErrorResponse:
            problem = "No notebook instance has this name (RecordNotFound)."
            raise exceptions.NotebookInstanceNotFound(workspace.name, problem) from None
        return _observation(answer)

    def list_page(
        self,
        kind: type[Workspace],
        *,
        changed_after: datetime | None = None,
        status: str | None = None,
        next_token: str | None = None,
    ) -> Page:
        self._ask("list" if status is None else "resync", status or "")
        asked = {
            "LastModifiedTimeAfter": changed_after and changed_after.timestamp(),
            "StatusEquals": status,
            "NextToken": next_token,
        }
        asked = {"MaxResults": 100, **{key: value for key, value in asked.items() if value is not None}}
        answer = self._answer("ListNotebookInstances", asked, self.clock.monotonic() - self.lag)
        rows = {row["NotebookInstanceName"]: _observation(row) for row in answer["NotebookInstances"]}
        responded_at = float(int(self.clock.time() + self.ahead)) if self.tells_time else None
        return Page(rows, answer.get("NextToken"), responded_at)

    def start(self, workspace: Workspace) -> bool:
        return self._send("start", workspace.name, "Pending", "InService")

    def stop(self, workspace: Workspace) -> bool:
        return self._send("stop", workspace.name, "Stopping", "Stopped")

    def _send(self, action: str, name: str, now_in: str, ends_in: str) -> bool:
        self._ask(action, name)
        if name not in self.deaf:
            now = self.clock.monotonic()
            self.plan(name, (now, now_in), (now + 120, ends_in))
        return True

    def _answer(self, operation: str, asked: Mapping[str, Any], moment: float) -> dict[str, Any]:
        self._simulated.ahead = self.ahead
        return self._simulated.answer(operation, asked, "KEY1", moment)

    def asked(self, operation: str, since: float = 0.0, until: float = 1e12) -> int:
        """Count the requests of a kind."""
        return sum(at >= since and at < until and what == operation for at, what, _ in self.requests)

    def per_minute(self, since: float, until: float) -> float:
        """Count all requests, a minute."""
        return 60 * sum(since <= at < until for at, _, _ in self.requests) / (until - since)

    def busiest_second(self) -> int:
        """Count the requests of the second that had most of them."""
        ats = [at for at, _, _ in self.requests]
        return max(sum(at <= other < at + 1 for other in ats) for at in ats)

    def described(self) -> Counter[str]:
        """Count how often each was described."""
        return Counter(name for _, what, name in self.requests if what == "describe")

    def _ask(self, operation: str, name: str) -> None:
        self.requests.append((self.clock.monotonic(), operation, name))
        if error := self.refuse(operation, name):
            raise error


class Waits:
    """A poller of an account, the waits that it serves, and how each of them ended."""

    def __init__(self, account: Account, per_second: float = 5.0) -> None:
        self.account = account
        self.ended: list[str] = []
        self.poller = StatusPoller(
            NotebookInstance,
            account.connect,
            per_second,
            on_end=lambda: self.ended.append("poller"),
            runtime=account.clock,
            call=_at_once,
            jitter=random.Random(7),
        )
        self.outcomes: dict[str, WaitState | Exception] = {}
        self.ended_at: dict[str, float] = {}

    async def wait(self, name: str, *, poll_interval: float = 5.0, at: float = 0.0, **values: Any) -> None:
        """Wait for one, and write down how it ended and when."""
        if at:
            await self.account.clock.until(at)
        now = self.account.clock.time()
        known = {"began_at": now, "deadline": now + 3600, "status": "Pending", "moved": True, **values}
        try:
            self.outcomes[name] = await self.poller.wait_for(
                WaitState(NotebookInstance(name), **{"goal": Goal.READY, **known}), poll_interval
            )
        except Exception as error:
            self.outcomes[name] = error
        self.ended_at[name] = self.account.clock.monotonic()

    def run(self, *waits: Coroutine[Any, Any, None]) -> None:
        """Run until all have ended, and the poller, too."""

        async def main() -> None:
            await asyncio.gather(*waits)
            while "poller" not in self.ended:
                await asyncio.sleep(0)

        asyncio.run(main())


def _observation(row: Mapping[str, Any]) -> Observation:
    changed_at = datetime.fromtimestamp(row["LastModifiedTime"], UTC)
    return NotebookInstance.observation_of({**row, "LastModifiedTime": changed_at})


async def _at_once(call: Callable[..., Any], *values: Any, **named: Any) -> Any:
    await asyncio.sleep(0)
    return call(*values, **named)
