"""The watch of a workspace that is to be stopped once it is idle: decisions without side effects."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self

from airflow_sagemaker_presign.exceptions import NotebookInstanceUsageUnknown, SageMakerUnavailable
from airflow_sagemaker_presign.usage.activity import Usage
from airflow_sagemaker_presign.usage.stop_warning import StopWarning
from airflow_sagemaker_presign.workspaces.base import Workspace

LOOK_INTERVAL_SECONDS = 1800.0
"""The maximum number of seconds between two looks; each needs a session of its own, which AWS logs."""

RETRY_SECONDS = 600.0
"""Seconds until the next look after one that failed."""

MIN_LOOK_SECONDS = 1.0
"""The minimum number of seconds between two looks: the time in a response has whole seconds."""

UNKNOWN_SECONDS = 3600.0
"""Seconds after which looks that all failed end the watch."""

MAX_FAILED_STEPS = 6
"""The number of failed steps that end a watch: looks from a worker before a warning or a stop, or stops."""

SAME_SECONDS = 60.0
"""The maximum number of seconds by which two looks date the same activity differently: clocks, slow responses."""

VERSION = 1
"""The format of :meth:`IdleWatch.as_dict`. A triggerer must be at least as new as the workers that defer to it."""


class Verdict(StrEnum):
    """What follows from a look."""

    WAIT = "wait"
    WARN = "warn"
    STOP = "stop"


@dataclass(frozen=True)
class IdleWatch:
    """
    The state of a watch. It fits into a trigger's arguments; times and durations are in seconds (since the epoch).

    :param workspace: the workspace.
    :param idle_for: how long it must be idle.
    :param warn_before: how long before a stop people are warned.
    :param stop_at: when it is stopped whatever runs in it; ``None``: never.
    :param count_connections: whether a kernel with a connection is in use.
    :param status: AWS's status of the workspace when the watch began.
    :param active_at: when something last happened in it; 0: unknown.
    :param running: what was in use at the last look, in words.
    :param looked_at: the last look; 0: none yet.
    :param unknown_since: when the first of the failed looks in a row failed; ``None``: the last one succeeded.
    :param unknown: why the last look failed, as a sentence.
    :param advice: what the reader can do about it.
    :param warned_of_idle_at: when people were warned, since it was idle; ``None``: not since something last happened.
    :param warned_of_latest_at: when people were warned of ``stop_at``.
    :param failed_steps: how many steps have failed since something last happened: a worker's look, or the stop.
    :param open: names of the kernels and terminals at the last look.
    :param kept_at: the last request to keep it running, on the clock of the machine of the launch page; 0: none.
    :param kept_read_at: when a worker last read it.
    """

    workspace: Workspace
    idle_for: float
    warn_before: float
    stop_at: float | None = None
    count_connections: bool = False
    status: str = ""
    active_at: float = 0.0
    running: str = ""
    looked_at: float = 0.0
    unknown_since: float | None = None
    unknown: str = ""
    advice: str = ""
    warned_of_idle_at: float | None = None
    warned_of_latest_at: float | None = None
    failed_steps: int = 0
    open: Sequence[str] = ()
    kept_at: float = 0.0
    kept_read_at: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the watch as plain JSON values."""
        return {**asdict(self), "version": VERSION, "workspace": self.workspace.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], kind: type[Workspace]) -> Self:
        """
        Return the watch that :meth:`as_dict` wrote.

        :raises ValueError: when a newer version wrote it.
        """
        values = dict(values)
        if (version := values.pop("version")) != VERSION:
            raise ValueError(
                f"A watch of version {version} was stored by a newer airflow-sagemaker-presign: restart this process "
                "with the version that the workers have."
            )
        read = {"workspace": kind.from_fields(values["workspace"]), "open": tuple(values.get("open", ()))}
        return cls(**{**values, **read})

    def resumed(self, now: float) -> Self:
        """
        Return the watch with which a trigger begins. What another triggerer has seen before is lost with it.

        So if that one may have looked, the restart counts as use.
        """
        may_have_looked = bool(self.looked_at) and now - self.next_look_at() > SAME_SECONDS
        return self._active_at(now) if may_have_looked else self

    def observed(self, usage: Usage) -> Self:
        """Return the watch after a look. What has ended since the last one may have been used until its end."""
        has_ended = bool(set(self.open) - set(usage.open))
        active_at = usage.observed_at if has_ended else usage.last_active_at
        seen = replace(
            self,
            looked_at=usage.observed_at.timestamp(),
            running=usage.running,
            open=usage.open,
            unknown_since=None,
            unknown="",
            advice="",
        )
        return seen._active_at(active_at.timestamp())

    def unobserved(self, problem: str, advice: str, now: float) -> Self:
        """Return the watch after a look that failed: what nobody can see counts as in use."""
        since = now if self.unknown_since is None else self.unknown_since
        return replace(self, looked_at=now, unknown_since=since, unknown=problem, advice=advice, running="")

    def changing(self, now: float) -> Self:
        """Return the watch while the workspace starts, or is being updated."""
        return self.observed(Usage(_moment(now), "", _moment(now)))

    def kept(self, pressed_at: float | None, now: float) -> Self:
        """
        Return the watch after a worker has read when somebody last asked to keep the workspace running.

        :param pressed_at: when, on the clock of another machine; ``None``: nobody did.
        :param now: the time. It counts for a new request that seems older than the last reading, or in the future.
        """
        read = replace(self, kept_read_at=now)
        if pressed_at is None or pressed_at == self.kept_at:
            return read
        at = pressed_at if self.kept_read_at <= pressed_at <= now else now
        return replace(read, kept_at=pressed_at)._active_at(at, same=0.0)

    def looked_in_worker(self) -> Self:
        """
        Return the watch after a look before a warning or a stop, in a worker, which may see less than the triggerer.

        :raises NotebookInstanceUsageUnknown: when too many of these looks failed.
        """
        # A stop at the latest needs no look.
        if self.unknown_since is None or self.stop_at is not None:
            return self
        watch = replace(self, failed_steps=self.failed_steps + 1)
        if watch.failed_steps >= MAX_FAILED_STEPS:
            raise watch.given_up(f"in {watch.failed_steps} looks from a worker")
        return watch

    def not_stopped(self, error: SageMakerUnavailable, now: float) -> Self:
        """
        Return the watch after a Stop that AWS did not take: what was seen before it is no longer known.

        :raises SageMakerUnavailable: the same error, when it was one too many.
        """
        if self.failed_steps + 1 >= MAX_FAILED_STEPS:
            raise error
        failed = self.unobserved(f"It could not be stopped: {error.problem}", error.advice.rstrip("."), now)
        return replace(failed, failed_steps=self.failed_steps + 1)

    def is_stale(self, now: float) -> bool:
        """Return whether the last look is too old for what is to be said about it."""
        return now - self.looked_at > SAME_SECONDS

    def warned(self, now: float) -> Self:
        """Return the watch after the warning of the first stop."""
        if self._first_stop().is_latest:
            return replace(self, warned_of_latest_at=now)
        return replace(self, warned_of_idle_at=now)

    def warning(self, now: float) -> StopWarning:
        """Return what to say about the first stop."""
        stop = self._first_stop()
        is_idle = not self.running and self.unknown_since is None
        return StopWarning(
            stops_at=_moment(max(stop.due, now + self.warn_before)),
            idle_for=timedelta(seconds=self.idle_for),
            idle_since=_moment(self.active_at) if is_idle else None,
            at_latest=stop.is_latest,
            latest_at=None if self.stop_at is None else _moment(self.stop_at),
            running=self.running,
            unknown=self.unknown,
        )

    def verdict(self, now: float) -> Verdict:
        """
        Return what to do after a look.

        :param now: the time; not before the look, also on another machine's clock.
        :raises NotebookInstanceUsageUnknown: when nobody has known for too long whether the workspace is in use.
        """
        if self.stop_at is None and self.unknown_since is not None and now - self.unknown_since >= UNKNOWN_SECONDS:
            raise self.given_up(f"for {(now - self.unknown_since) / 60:.0f} min")
        now, stop = max(now, self.looked_at), self._first_stop()
        if stop.warned_at is not None:
            return Verdict.STOP if now >= stop.at(self.warn_before) else Verdict.WAIT
        return Verdict.WARN if now >= stop.due - self.warn_before else Verdict.WAIT

    def seconds_to_stop(self, now: float) -> float:
        """Return how long to wait for a stop that is due on another machine's clock; at most what clocks differ by."""
        return min(max(0.0, self._first_stop().at(self.warn_before) - now), SAME_SECONDS)

    def words(self) -> str:
        """Return the workspace's use at the last look, as a line for the task's log."""
        if self.unknown_since is not None:
            return f"The {self.workspace} counts as in use, since nobody knows: {self.unknown} {self.advice}."
        if self.running:
            return f"The {self.workspace} is in use: {self.running}."
        return f"Nothing has happened in the {self.workspace} since {_moment(self.active_at):%Y-%m-%d %H:%M} UTC."

    def log_use(self, log: Any) -> None:
        """Write the use to a task's log; what nobody knows is a warning."""
        log.log(logging.INFO if self.unknown_since is None else logging.WARNING, "%s", self.words())

    def next_look_at(self) -> float:
        """Return when to look next: before a stop is due, nothing can follow from a look."""
        if not self.looked_at:
            return 0.0
        stop = self._first_stop()
        next_step = stop.due - self.warn_before if stop.warned_at is None else stop.at(self.warn_before)
        # A step that was due at the last look could not be made.
        again = self.unknown_since is not None or next_step <= self.looked_at
        in_time = next_step if next_step > self.looked_at else float("inf")
        pause = RETRY_SECONDS if again else LOOK_INTERVAL_SECONDS
        return max(self.looked_at + MIN_LOOK_SECONDS, min(in_time, self.looked_at + pause))

    def given_up(self, how_long: str) -> NotebookInstanceUsageUnknown:
        """Return the error of a watch that learns nothing."""
        return NotebookInstanceUsageUnknown(
            self.workspace.name,
            f"Nobody has known {how_long} whether it is in use. {self.unknown}",
            f"{self.advice}; then clear the task. It was not stopped.",
            noun=self.workspace.noun,
        )

    def _first_stop(self) -> _Stop:
        """Return the stop that comes first; an unknown use is no idle one."""
        idle_due = float("inf") if self.unknown_since is not None else self.active_at + self.idle_for
        idle = _Stop(idle_due, self.warned_of_idle_at, is_latest=False)
        latest = _Stop(float("inf") if self.stop_at is None else self.stop_at, self.warned_of_latest_at, is_latest=True)
        if latest.warned_at is not None and idle.warned_at is None:
            # After a warning of its own, an idle one would come later than what was announced.
            return latest
        return min(latest, idle, key=lambda stop: stop.at(self.warn_before))

    def _active_at(self, at: float, same: float | None = None) -> Self:
        """
        Return the watch after an activity; a new one needs another warning.

        :param same: up to how many seconds later it is the one that is known; default: what two looks may differ by.
        """
        if same is None:
            same = min(SAME_SECONDS, (self.idle_for - self.warn_before) / 2)
        watch = replace(self, active_at=max(self.active_at, at))
        if at <= self.active_at + same:
            return watch
        # Once the latest time has come, use does not mean that the stop is not due any more.
        is_over = self.stop_at is not None and at >= self.stop_at
        return replace(watch, warned_of_idle_at=None, failed_steps=self.failed_steps if is_over else 0)


class _Stop(NamedTuple):
    """
    A stop that is to come.

    :param due: when it is due, without regard to warnings.
    :param warned_at: when people were warned of it; ``None``: not yet.
    :param is_latest: whether it is the one whatever runs.
    """

    due: float
    warned_at: float | None
    is_latest: bool

    def at(self, warn_before: float) -> float:
        """Return when it is made: never sooner than the whole warning."""
        return self.due if self.warned_at is None else max(self.due, self.warned_at + warn_before)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
