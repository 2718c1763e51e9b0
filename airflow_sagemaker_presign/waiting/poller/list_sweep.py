"""The two lists that serve many waits at once: the sweep for what changed, and the full look that misses nothing."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.waiting.state_machine import Look
from airflow_sagemaker_presign.waiting.poller.list_progress import (
    FEW,
    AwsClock,
    Listing,
    full_look,
    had_full_look,
    missing,
    start_of_sweep,
    sweep_from,
    told_by,
)
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import Clock, PatientClient
from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, Waiter, Waiters

FULL_LOOK = 60.0
"""Seconds from one full look to the next, ..."""

PAGES = 10
"""... if it takes no more pages than this; a look at thousands goes on after so many pages in the next minute."""

PAGE_GAP = 1.0
"""Seconds between two pages of a full look: a sweep that is due meanwhile comes in between."""

ROUND = 1.25
"""A triggerer takes new triggers in rounds, one a second at the most; so long after one nobody comes of the same."""

CATCH_UP_GAP = 15.0
"""Seconds from one full look for those who come and are behind to the next: they may come one after another."""

ROWS = 100
"""Rows of a page."""

DENIED, FAILED = 600.0, 60.0
"""Seconds after which a list that was denied, or failed for no reason that passes, is tried again."""

MOST_FAILURES = 5
"""So many failures of a list in a row that are no throttling, and it is left alone for a while."""

log = logging.getLogger(__name__)


class Lists:
    """
    Lists of one account view.

    :param waiters: the waits.
    :param client: sends the requests.
    :param clock: the time.
    :param hear: takes what a page says, and when it was asked for.
    :param describe: takes names that have to be described soon.
    :param jitter: random numbers.
    """

    def __init__(
        self,
        waiters: Waiters,
        client: PatientClient,
        clock: Clock,
        hear: Callable[[Mapping[str, Look], float], Awaitable[None]],
        describe: Callable[[Iterable[str]], None],
        jitter: random.Random,
    ) -> None:
        self.swept = NEVER
        """When the last complete sweep began."""
        self.pages = 1
        """How many requests it took, or the one before, if it went back for those who were behind."""
        self._waiters = waiters
        self._client = client
        self._clock = clock
        self._hear = hear
        self._describe = describe
        self._jitter = jitter
        self._aws = AwsClock()
        self._refused_until = NEVER
        self._failures = 0
        self._sweep: Listing | None = None
        self._sweep_began = NEVER
        self._stretch = 1.0
        self._full: Listing | None = None
        self._looked: list[Listing] = []
        self._full_statuses: list[str] = []
        self._full_began = NEVER
        self._full_pages = 0
        self._full_at = clock.now() + FULL_LOOK
        self._full_looked = NEVER
        self._hurry = 0
        self._catch_up_at = NEVER

    @property
    def hurried(self) -> bool:
        """Whether many are behind, so that a full look is due at once, page after page."""
        return self._hurry > 0

    def refused(self, now: float) -> bool:
        """Tell whether AWS refuses to list, so that waits have to be looked at one by one."""
        return now < self._refused_until

    def sweep_at(self, now: float, pace: float) -> float:
        """Say when the next request of a sweep is due."""
        return now if self._sweep is not None else self._sweep_began + pace * self._stretch

    def full_look_at(self) -> float:
        """Say when the next request of a full look is due."""
        return self._full_at

    def abandon(self) -> None:
        """Forget what is under way: there are too few waits for a list now, or none works."""
        self._sweep = None
        self._looked = []
        self._abandon_full_look()

    def catch_up(self, behind: Sequence[Waiter], now: float) -> None:
        """
        Begin a full look for those who are behind: it tells where they are now, however long ago they set out.

        A sweep goes back only for those whom it does not explain.

        :param behind: all who are.
        :param now: the time.
        """
        come = [waiter for waiter in behind if not had_full_look(waiter, self._full_looked)]
        if self.hurried and not come:
            # What is under way has told them all by now.
            self._abandon_full_look()
            self._full_at = now + FULL_LOOK
        if self.hurried or not come or now < self._catch_up_at or self._more_may_come(come, now):
            return
        self._catch_up_at = now + CATCH_UP_GAP
        if len(come) <= self._few:
            self._set_apart(come)
            return
        self._abandon_full_look()
        self._hurry, self._full_at = len(come), now

    async def sweep(self) -> None:
        """Ask for the next page of what changed since the last sweep."""
        sweep = self._sweep
        if sweep is None:
            now = self._clock.now()
            sweep = self._sweep = sweep_from(self._waiters, self._unexplained(now), now)
            sweep.last_modified_after = start_of_sweep(sweep.since, self._aws, now, self._clock.wall())
            self._sweep_began, self._stretch = now, self._jitter.uniform(0.9, 1.0)
        if await self._turn(sweep):
            self._swept(sweep)
        elif sweep.too_long and self._sweep is sweep:
            self._set_apart([waiter for waiter in sweep.behind if waiter.is_behind(sweep.began)])
            self._sweep, self._sweep_began = None, NEVER

    async def full_look(self) -> None:
        """Ask for the next page of a look at everybody; describe who has to be described for it."""
        now = self._clock.now()
        if self._full is None and not self._full_statuses:
            self._full_began, self._full_pages = now, 0
            self._full_statuses, named = full_look(self._waiters, self.pages + 1, now - FULL_LOOK / 2)
            self._describe(named)
        if self._full is None and self._full_statuses:
            self._full = Listing(now, status=self._full_statuses.pop())
        if self._full is not None and await self._turn(self._full):
            # Who is missing may have changed a moment ago: the next sweep says so. Who is not in that one is described.
            self._full.ended = self._clock.now()
            self._looked.append(self._full)
            self._full = None
        self._full_pages += 1
        if self.hurried and self._full_pages >= self._hurry:
            # To describe them takes no more than that.
            self._full, self._full_statuses = None, []
        self._full_at = self._next_full_look(now)

    def _more_may_come(self, come: Sequence[Waiter], now: float) -> bool:
        if self.swept == NEVER:
            # The poller let them all in before it looked up.
            return False
        joined = [waiter.joined for waiter in come]
        return now < min(max(joined) + ROUND, min(joined) + 2 * ROUND)

    def _next_full_look(self, now: float) -> float:
        minutes, pages = divmod(self._full_pages, PAGES)
        if self._full is None and not self._full_statuses:
            minutes, pages = math.ceil(self._full_pages / PAGES), 0
            if not self.refused(now):
                self._full_looked = self._full_began
            self._hurry = 0
        elif self.hurried:
            return now
        return max(now + PAGE_GAP, self._full_began + FULL_LOOK * minutes + PAGE_GAP * pages)

    def _swept(self, sweep: Listing) -> None:
        self._sweep = None
        self.swept = sweep.began
        if not sweep.behind:
            self.pages = sweep.pages
        metrics.count("sweeps")
        for waiter in told_by(sweep, self._waiters):
            waiter.told(sweep.began)
        for looked in [each for each in self._looked if each.ended <= sweep.began]:
            self._describe(missing(self._waiters, looked))
            self._looked.remove(looked)

    def _unexplained(self, now: float) -> list[Waiter]:
        """Choose for whom the next sweep goes back; if they are few, they are described instead."""
        behind = [
            waiter
            for waiter in self._waiters
            if not waiter.apart and waiter.is_behind(now) and had_full_look(waiter, self._full_looked)
        ]
        if len(behind) > self._few:
            return behind
        self._set_apart(behind)
        return []

    def _set_apart(self, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            waiter.apart = True
            self._describe([waiter.wait.notebook_instance_name])

    @property
    def _few(self) -> int:
        """So many are described sooner than listed: a sweep that goes back for them has all others in it, too."""
        return FEW + self._waiters.count // ROWS

    def _abandon_full_look(self) -> None:
        self._full, self._full_statuses, self._hurry = None, [], 0

    async def _turn(self, listing: Listing) -> bool:
        """Ask for a page; whether it was the last one."""
        asked_at = self._clock.now()
        try:
            page = await self._client.ask(
                "list_notebook_instances",
                last_modified_after=listing.last_modified_after,
                status_equals=listing.status,
                next_token=listing.next_token,
            )
        except exceptions.SageMakerUnavailable as error:
            self._failures += 1
            if self._failures >= MOST_FAILURES and not self._client.throttled:
                self._refuse(FAILED, error)
            return False
        except exceptions.NotebookInstanceError as error:
            self._refuse(DENIED if isinstance(error, exceptions.NotebookInstanceAccessDenied) else FAILED, error)
            return False
        self._failures = 0
        self._aws.answered(page.answered_at, self._clock.now())
        await self._hear(page.looks, asked_at)
        return listing.turn(page)

    def _refuse(self, seconds: float, error: exceptions.NotebookInstanceError) -> None:
        self._refused_until = self._clock.now() + seconds
        self._failures = 0
        self.abandon()
        log.warning("%s Until a list works, notebook instances are described one by one.", error.problem)
