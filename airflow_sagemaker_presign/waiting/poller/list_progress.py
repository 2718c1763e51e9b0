"""The progress of a list, page by page, and the moment from which an incremental list requests changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, PendingWait, PendingWaits, expected_status
from airflow_sagemaker_presign.workspaces.base import Page, Workspace

OVERLAP_SECONDS = 5.0
"""Seconds by which incremental lists overlap: lists lag, and a response's ``Date`` has whole seconds."""

UNKNOWN_SKEW_SECONDS = 300.0
"""The assumed skew of AWS's clock before the first response, in seconds: AWS refuses requests with a larger one."""

DESCRIBE_INSTEAD_LIMIT = 3
"""Up to this many waits without a recent observation are described instead of listed."""

MAX_PAGES = 1000
"""Pages after which a list is cut off, in case it never ends."""


@dataclass
class ListProgress:
    """
    The progress of one list. All times but ``changed_after`` are seconds on the poller's monotonic clock.

    :param began: when its first page was requested.
    :param since: for an incremental list, the moment from which it requests changes: it covers every wait that knows
        all changes up to then.
    :param changed_after: the same moment on AWS's clock; ``None``: this is a resync.
    :param status: for a resync, the status that it lists.
    :param next_token: the token of the next page.
    :param stale_waits: the waits for which an incremental list reaches back this far: it may take one page each, since
        describing them takes as many requests.
    :param pages: the number of pages so far.
    :param names: for a resync, the names in it.
    :param ended: when its last page arrived.
    """

    began: float
    since: float = NEVER
    changed_after: datetime | None = None
    status: str | None = None
    next_token: str | None = None
    stale_waits: Sequence[PendingWait] = ()
    pages: int = 0
    names: set[str] = field(default_factory=set)
    ended: float = 0.0

    def add_page(self, page: Page) -> bool:
        """Record a page; return whether it was the last one."""
        self.pages += 1
        if self.status is not None:
            self.names.update(page.observations)
        if page.next_token == self.next_token or self.pages >= MAX_PAGES:
            return True
        self.next_token = page.next_token
        return self.next_token is None

    @property
    def too_long(self) -> bool:
        """Whether describing the stale waits would have taken fewer requests than this list."""
        return bool(self.stale_waits) and self.next_token is not None and self.pages >= len(self.stale_waits)


class AwsClock:
    """Converts the poller's monotonic time to AWS's time, as taken from the ``Date`` of responses."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def record_response(self, responded_at: float | None, now: float) -> None:
        """Record the ``Date`` of a response that has just arrived."""
        if responded_at is not None:
            self._ahead = responded_at - now

    def changed_after(self, since: float, now: float, wall: float) -> datetime:
        """Return the ``LastModifiedTimeAfter`` for all changes since ``since``; ``now`` is ``wall`` on our clocks."""
        ahead = wall - now - UNKNOWN_SKEW_SECONDS if self._ahead is None else self._ahead
        return datetime.fromtimestamp(max(0.0, since + ahead - OVERLAP_SECONDS), UTC)


def begin_incremental_list(
    pending_waits: PendingWaits, stale_waits: Sequence[PendingWait], aws: AwsClock, now: float, wall: float
) -> ListProgress:
    """Begin an incremental list; of the waits without a recent observation it covers those that are ``stale_waits``."""
    known = [
        pending_wait.known_until
        for pending_wait in pending_waits
        if not (pending_wait.describe_only or pending_wait.is_stale(now))
    ]
    known += [pending_wait.known_until for pending_wait in stale_waits]
    since = min(known, default=now)
    return ListProgress(now, since=since, changed_after=aws.changed_after(since, now, wall), stale_waits=stale_waits)


def covered_by(incremental_list: ListProgress, pending_waits: PendingWaits) -> list[PendingWait]:
    """Return the waits that a complete incremental list covers; one that joined after its first page is not covered."""
    return [
        pending_wait
        for pending_wait in pending_waits
        if pending_wait.known_until >= incremental_list.since and pending_wait.joined <= incremental_list.began
    ]


def had_resync(pending_wait: PendingWait, began: float) -> bool:
    """Return whether a complete resync that began then has already covered a wait without a recent observation."""
    return pending_wait.joined <= began and pending_wait.is_stale(began)


def resync(kind: type[Workspace], pending_waits: PendingWaits, few: int, lately: float) -> tuple[list[str], list[str]]:
    """
    Return the statuses to list in a resync, and the names to describe.

    :param few: up to this many workspaces in one status are described instead of listed.
    :param lately: a workspace that was observed since then needs no description.
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
    """Return the names that a complete resync should have contained and did not: their change was missed."""
    return [
        name
        for pending_wait in pending_waits
        if pending_wait.wait.status == progress.status
        and max(pending_wait.joined, pending_wait.last_seen) < progress.began
        and (name := pending_wait.name) not in progress.names
    ]
