"""An AWS account on a clock that tests turn, as the poller sees it: through a hook that answers at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.poller.poller import StatusPoller
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.workspaces.base import Observation, Page, Workspace
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

EPOCH = datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()


class TurnedClock(Runtime):
    """Time that passes when the poller has nothing to do; others wait for their hour with :meth:`until`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses = 0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return EPOCH + self.seconds

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
    :param deaf: names that do nothing when they are told to start.
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
    _plans: dict[str, list[tuple[float, str, str]]] = field(default_factory=dict)

    def plan(self, name: str, *statuses: tuple[float, str], reason: str = "") -> None:
        """Say from which second on a notebook instance has which status; what is to come is forgotten."""
        now = self.clock.monotonic()
        past = [change for change in self._plans.get(name, []) if change[0] <= now]
        self._plans[name] = [*past, *((at, status, reason if status == "Failed" else "") for at, status in statuses)]

    def connect(self) -> Any:
        self._ask("connect", "")
        self.connections += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def observe(self, workspace: Workspace) -> Observation:
        name = workspace.name
        self._ask("describe", name)
        at, status, reason = self._current(name, self.clock.monotonic())
        if status == "gone":
            raise exceptions.NotebookInstanceNotFound(name, "No notebook instance has this name (RecordNotFound).")
        return _observation(status, reason, self._modified(at))

    def list_page(
        self,
        kind: type[Workspace],
        *,
        changed_after: datetime | None = None,
        status: str | None = None,
        next_token: str | None = None,
    ) -> Page:
        self._ask("list" if status is None else "resync", status or "")
        after = -1e12 if changed_after is None else changed_after.timestamp() - EPOCH - self.ahead
        seen = self.clock.monotonic() - self.lag
        rows = []
        for name in sorted(self._plans):
            at, current, _ = self._current(name, seen)
            if at > after and status in (None, current) and current != "gone":
                rows.append((name, _observation(current, "", self._modified(at))))
        start = int(next_token or 0)
        more = str(start + 100) if len(rows) > start + 100 else None
        answered_at = float(int(self.clock.time() + self.ahead)) if self.tells_time else None
        return Page(dict(rows[start : start + 100]), more, answered_at)

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

    def _current(self, name: str, now: float) -> tuple[float, str, str]:
        changes = self._plans[name]
        return next((change for change in reversed(changes) if change[0] <= now), changes[0])

    def _modified(self, at: float) -> str:
        return str(datetime.fromtimestamp(EPOCH + self.ahead + at, UTC))


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


def _observation(status: str, reason: str, changed_at: str) -> Observation:
    return Observation(status, NotebookInstance.phase_of(status), reason, changed_at)


async def _at_once(call: Callable[..., Any], *values: Any, **named: Any) -> Any:
    await asyncio.sleep(0)
    return call(*values, **named)
