"""The list sweep: incremental lists of what changed, and resyncs that find what they missed."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.poller.list_progress import (
    DESCRIBE_INSTEAD_LIMIT,
    AwsClock,
    ListProgress,
    begin_incremental_list,
    covered_by,
    had_resync,
    missing,
    resync,
)
from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, PendingWait, PendingWaits
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import RateLimitedClient
from airflow_sagemaker_presign.workspaces.base import Observation, Workspace

RESYNC_INTERVAL_SECONDS = 60.0
"""Seconds from one resync to the next, if it takes no more pages than ``RESYNC_PAGES_PER_MINUTE``."""

RESYNC_PAGES_PER_MINUTE = 10
"""The maximum number of pages of resyncs per minute; a longer resync continues in the next minute."""

RESYNC_PAGE_GAP_SECONDS = 1.0
"""Seconds between two pages of a resync: an incremental list that becomes due is requested in between."""

TRIGGER_BATCH_SECONDS = 1.25
"""
Seconds after which a batch of new triggers is complete. A triggerer loads triggers in batches, at most one a second.
"""

CATCH_UP_GAP_SECONDS = 15.0
"""Seconds between two resyncs for waits that join late: they may join one after another."""

ROWS_PER_PAGE = 100
"""Rows of a full page."""

LIST_DENIED_SECONDS, LIST_FAILED_SECONDS = 600.0, 60.0
"""Seconds until a list is tried again after it was denied, or after it failed for another reason."""

MAX_LIST_FAILURES = 5
"""After this many failures in a row, other than throttling, lists are suspended."""

log = logging.getLogger(__name__)


class ListSweep:
    """
    Lists the workspaces of one kind for one client key. Lists stay suspended for a kind that AWS does not list.

    :param kind: the kind of workspace.
    :param pending_waits: the waits of the poller.
    :param client: sends the requests.
    :param runtime: the clock.
    :param on_page: called with the observations of a page, and the time at which it was requested.
    :param describe: called with names of workspaces to describe soon.
    :param jitter: random numbers for delays.
    """

    def __init__(
        self,
        kind: type[Workspace],
        pending_waits: PendingWaits,
        client: RateLimitedClient,
        runtime: Runtime,
        on_page: Callable[[Mapping[str, Observation], float], Awaitable[None]],
        describe: Callable[[Iterable[str]], None],
        jitter: random.Random,
    ) -> None:
        self.last_incremental_list = NEVER
        """When the last complete incremental list began, on the poller's monotonic clock."""
        self.pages = 1
        """How many pages it had; a list that reached further back, for late waits, does not count."""
        self._kind = kind
        self._pending_waits = pending_waits
        self._client = client
        self._runtime = runtime
        self._on_page = on_page
        self._describe = describe
        self._jitter = jitter
        self._aws = AwsClock()
        self._suspended_until = NEVER if kind.has_list() else math.inf
        self._failures = 0
        self._incremental_list: ListProgress | None = None
        self._incremental_list_began = NEVER
        self._stretch = 1.0
        self._resync: ListProgress | None = None
        self._complete_resyncs: list[ListProgress] = []
        self._resync_statuses: list[str] = []
        self._resync_began = NEVER
        self._resync_pages = 0
        self.resync_at = runtime.monotonic() + RESYNC_INTERVAL_SECONDS
        """When the next request of a resync is due."""
        self._last_resync = NEVER
        self._catch_up_pages = 0
        self._catch_up_at = NEVER

    @property
    def is_catching_up(self) -> bool:
        """Whether a resync for many late waits is under way, page after page."""
        return self._catch_up_pages > 0

    def is_suspended(self, now: float) -> bool:
        """Return whether lists do not work at present, so that workspaces must be described one by one."""
        return now < self._suspended_until

    def incremental_list_at(self, now: float, poll_delay: float) -> float:
        """Return when the next request of an incremental list is due."""
        return now if self._incremental_list is not None else self._incremental_list_began + poll_delay * self._stretch

    def abandon(self) -> None:
        """Stop the lists that are under way: there are too few waits for them, or lists do not work."""
        self._incremental_list = None
        self._complete_resyncs = []
        self._abandon_resync()

    def catch_up(self, stale_waits: Sequence[PendingWait], now: float) -> None:
        """
        Begin a resync for waits without a recent observation: it returns the current status, however old the wait is.

        An incremental list reaches further back only for waits that the resync does not cover.

        :param stale_waits: all waits without a recent observation.
        :param now: the time on the poller's monotonic clock, in seconds.
        """
        late = [pending_wait for pending_wait in stale_waits if not had_resync(pending_wait, self._last_resync)]
        if self.is_catching_up and not late:
            # The resync that is under way has already reached all of them.
            self._abandon_resync()
            self.resync_at = now + RESYNC_INTERVAL_SECONDS
        if self.is_catching_up or not late or now < self._catch_up_at or self._more_may_join(late, now):
            return
        self._catch_up_at = now + CATCH_UP_GAP_SECONDS
        if len(late) <= self._describe_limit:
            self._describe_instead(late)
            return
        self._abandon_resync()
        self._catch_up_pages, self.resync_at = len(late), now

    async def incremental_list(self) -> None:
        """Request the next page of what changed since the last incremental list."""
        incremental_list = self._incremental_list
        if incremental_list is None:
            now = self._runtime.monotonic()
            incremental_list = self._incremental_list = begin_incremental_list(
                self._pending_waits, self._not_covered(now), self._aws, now, self._runtime.time()
            )
            self._incremental_list_began, self._stretch = now, self._jitter.uniform(0.9, 1.0)
        if await self._request_page(incremental_list):
            self._complete_incremental_list(incremental_list)
        elif incremental_list.too_long and self._incremental_list is incremental_list:
            self._describe_instead(
                [
                    pending_wait
                    for pending_wait in incremental_list.stale_waits
                    if pending_wait.is_stale(incremental_list.began)
                ]
            )
            self._incremental_list, self._incremental_list_began = None, NEVER

    async def resync(self) -> None:
        """Request the next page of a resync, and queue the workspaces that it does not list for a description."""
        now = self._runtime.monotonic()
        if self._resync is None and not self._resync_statuses:
            self._resync_began, self._resync_pages = now, 0
            self._resync_statuses, named = resync(
                self._kind, self._pending_waits, self.pages + 1, now - RESYNC_INTERVAL_SECONDS / 2
            )
            self._describe(named)
        if self._resync is None and self._resync_statuses:
            self._resync = ListProgress(now, status=self._resync_statuses.pop())
        if self._resync is not None and await self._request_page(self._resync):
            # A workspace that is missing may have changed a moment ago, which the next incremental list will show.
            # A workspace that is missing there, too, is described.
            self._resync.ended = self._runtime.monotonic()
            self._complete_resyncs.append(self._resync)
            self._resync = None
        self._resync_pages += 1
        if self.is_catching_up and self._resync_pages >= self._catch_up_pages:
            # Describing the late waits takes no more requests than that.
            self._resync, self._resync_statuses = None, []
        self.resync_at = self._next_resync(now)

    def _more_may_join(self, late: Sequence[PendingWait], now: float) -> bool:
        if self.last_incremental_list == NEVER:
            # The poller collected the first batch before its first request.
            return False
        joined = [pending_wait.joined for pending_wait in late]
        return now < min(max(joined) + TRIGGER_BATCH_SECONDS, min(joined) + 2 * TRIGGER_BATCH_SECONDS)

    def _next_resync(self, now: float) -> float:
        minutes, pages = divmod(self._resync_pages, RESYNC_PAGES_PER_MINUTE)
        if self._resync is None and not self._resync_statuses:
            minutes, pages = math.ceil(self._resync_pages / RESYNC_PAGES_PER_MINUTE), 0
            if not self.is_suspended(now):
                self._last_resync = self._resync_began
            self._catch_up_pages = 0
        elif self.is_catching_up:
            return now
        return max(
            now + RESYNC_PAGE_GAP_SECONDS,
            self._resync_began + RESYNC_INTERVAL_SECONDS * minutes + RESYNC_PAGE_GAP_SECONDS * pages,
        )

    def _complete_incremental_list(self, incremental_list: ListProgress) -> None:
        self._incremental_list = None
        self.last_incremental_list = incremental_list.began
        if not incremental_list.stale_waits:
            self.pages = incremental_list.pages
        metrics.incr("incremental_lists")
        for pending_wait in covered_by(incremental_list, self._pending_waits):
            pending_wait.mark_known_until(incremental_list.began)
        for complete in [each for each in self._complete_resyncs if each.ended <= incremental_list.began]:
            self._describe(missing(self._pending_waits, complete))
            self._complete_resyncs.remove(complete)

    def _not_covered(self, now: float) -> list[PendingWait]:
        """Return the waits for which the next incremental list reaches back; describe them instead if they are few."""
        stale_waits = [
            pending_wait
            for pending_wait in self._pending_waits
            if not pending_wait.describe_only
            and pending_wait.is_stale(now)
            and had_resync(pending_wait, self._last_resync)
        ]
        if len(stale_waits) > self._describe_limit:
            return stale_waits
        self._describe_instead(stale_waits)
        return []

    def _describe_instead(self, pending_waits: Iterable[PendingWait]) -> None:
        for pending_wait in pending_waits:
            pending_wait.describe_only = True
            self._describe([pending_wait.name])

    @property
    def _describe_limit(self) -> int:
        """The number of waits up to which describing takes fewer requests than a list that reaches back to them."""
        return DESCRIBE_INSTEAD_LIMIT + self._pending_waits.count // ROWS_PER_PAGE

    def _abandon_resync(self) -> None:
        self._resync, self._resync_statuses, self._catch_up_pages = None, [], 0

    async def _request_page(self, progress: ListProgress) -> bool:
        """Request a page; return whether it was the last one."""
        requested_at = self._runtime.monotonic()
        try:
            page = await self._client.request(
                lambda hook: hook.list_page(
                    self._kind,
                    changed_after=progress.changed_after,
                    status=progress.status,
                    next_token=progress.next_token,
                )
            )
        except exceptions.SageMakerUnavailable as error:
            self._failures += 1
            if self._failures >= MAX_LIST_FAILURES and not self._client.throttled:
                self._suspend(LIST_FAILED_SECONDS, error)
            return False
        except exceptions.WorkspaceError as error:
            self._suspend(
                LIST_DENIED_SECONDS if isinstance(error, exceptions.SageMakerAccessDenied) else LIST_FAILED_SECONDS,
                error,
            )
            return False
        self._failures = 0
        self._aws.record_response(page.responded_at, self._runtime.monotonic())
        await self._on_page(page.observations, requested_at)
        return progress.add_page(page)

    def _suspend(self, seconds: float, error: exceptions.WorkspaceError) -> None:
        self._suspended_until = self._runtime.monotonic() + seconds
        self._failures = 0
        self.abandon()
        log.warning("%s Until lists work again, workspaces are described one by one.", error.problem)
