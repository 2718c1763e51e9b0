"""A list of the account under way, page by page; when it is due, and from when on it asks for changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, PendingWait, PendingWaits, expected_status
from airflow_sagemaker_presign.workspaces.base import Page, Workspace

OVERLAP_SECONDS = 5.0
"""Seconds by which incremental lists overlap: a list lags, and a response's ``Date`` counts whole seconds."""

UNKNOWN_SKEW_SECONDS = 300.0
"""Seconds that AWS's clock may be away while no answer has told the time: with more, AWS refuses every request."""

DESCRIBE_INSTEAD_LIMIT = 3
"""So few waits that are behind are described, instead of a list for them."""

MAX_PAGES = 1000
"""Where a list ends that does not end."""


@dataclass
class ListProgress:
    """
    One list, under way.

    :param began: when, by the poller's clock.
    :param since: for an incremental list, from when on, by the poller's clock: whoever knows all before then knows all
        by it.
    :param changed_after: the same moment by AWS's clock; ``None``: this is a resync.
    :param status: for a resync, at which status.
    :param next_token: where it goes on.
    :param behind: for whom an incremental list goes back so far: it may take a page for each, since to describe them
        takes no more.
    :param pages: how many it took so far.
    :param names: for a resync, who was in it.
    :param ended: when its last page came.
    """

    began: float
    since: float = NEVER
    changed_after: datetime | None = None
    status: str | None = None
    next_token: str | None = None
    behind: Sequence[PendingWait] = ()
    pages: int = 0
    names: set[str] = field(default_factory=set)
    ended: float = 0.0

    def add_page(self, page: Page) -> bool:
        """Note a page; whether it was the last."""
        self.pages += 1
        if self.status is not None:
            self.names.update(page.observations)
        if page.next_token == self.next_token or self.pages >= MAX_PAGES:
            return True
        self.next_token = page.next_token
        return self.next_token is None

    @property
    def too_long(self) -> bool:
        """Whether it took as many pages as it was worth, and has not ended."""
        return bool(self.behind) and self.next_token is not None and self.pages >= len(self.behind)


class AwsClock:
    """AWS's clock, as the ``Date`` of its answers has it, told by a clock that never goes back."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def answered(self, answered_at: float | None, now: float) -> None:
        """Note what an answer said that came just now; it was never later than that."""
        if answered_at is not None:
            self._ahead = answered_at - now

    def at(self, moment: float, now: float, wall: float) -> float:
        """Return AWS's time at ``moment``, at the latest; ``now`` and ``wall`` are one moment on our two clocks."""
        return moment + (wall - now - UNKNOWN_SKEW_SECONDS if self._ahead is None else self._ahead)


def begin_incremental_list(pending_waits: PendingWaits, behind: Sequence[PendingWait], now: float) -> ListProgress:
    """
    Begin an incremental list.

    :param pending_waits: the waits.
    :param behind: those of them who are behind and have to be told by it; it does not go back for any other such.
    :param now: the time.
    """
    known = [
        pending_wait.known_until
        for pending_wait in pending_waits
        if not (pending_wait.describe_only or pending_wait.is_behind(now))
    ]
    known += [pending_wait.known_until for pending_wait in behind]
    return ListProgress(now, since=min(known, default=now), behind=behind)


def list_changes_since(since: float, aws: AwsClock, now: float, wall: float) -> datetime:
    """Return from when on to ask for changes, if some were not told yet from ``since`` on."""
    return datetime.fromtimestamp(max(0.0, aws.at(since, now, wall) - OVERLAP_SECONDS), UTC)


def explained_by(incremental_list: ListProgress, pending_waits: PendingWaits) -> list[PendingWait]:
    """Return the waits that a complete incremental list covers; a wait added after its first page may be missing."""
    return [
        pending_wait
        for pending_wait in pending_waits
        if pending_wait.known_until >= incremental_list.since and pending_wait.joined <= incremental_list.began
    ]


def had_resync(pending_wait: PendingWait, began: float) -> bool:
    """Return whether a complete resync that began then was already one for a wait that is behind."""
    return pending_wait.joined <= began and pending_wait.is_behind(began)


def resync(kind: type[Workspace], pending_waits: PendingWaits, few: int, lately: float) -> tuple[list[str], list[str]]:
    """
    Choose how to resync.

    :param kind: the kind of all waits' workspaces.
    :param pending_waits: the waits.
    :param few: so many in one status are described rather than listed.
    :param lately: who was heard of since then needs no describing.
    :return: the statuses to list, and the names to describe.
    """
    counts = Counter(expected_status(pending_wait.wait) for pending_wait in pending_waits)
    listed = [status for status in kind.transient_statuses if counts[status] > few]
    named = [
        pending_wait.name
        for pending_wait in pending_waits
        if expected_status(pending_wait.wait) not in listed
        and max(pending_wait.joined, pending_wait.last_seen, pending_wait.described_at) < lately
    ]
    return [str(status) for status in listed], named


def missing(pending_waits: PendingWaits, progress: ListProgress) -> Sequence[str]:
    """Name those who should have been in a resync that is complete, and were not: something was missed."""
    return [
        name
        for pending_wait in pending_waits
        if pending_wait.wait.status == progress.status
        and max(pending_wait.joined, pending_wait.last_seen) < progress.began
        and (name := pending_wait.name) not in progress.names
    ]
