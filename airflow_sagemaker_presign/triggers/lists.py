"""The two lists that serve many waits at once: the sweep for what changed, and the full look that misses nothing."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.lifecycle import Look
from airflow_sagemaker_presign.triggers.listing import (
    AwsClock,
    Listing,
    far_behind,
    full_look,
    missing,
    start_of_sweep,
)
from airflow_sagemaker_presign.triggers.patient_client import Clock, PatientClient
from airflow_sagemaker_presign.triggers.waiters import NEVER, Waiters, known_since

FULL_LOOK = 60.0
"""Seconds from one full look to the next, ..."""

PAGES = 10
"""... if it takes no more pages than this; a look at thousands goes on after so many pages in the next minute."""

PAGE_GAP = 1.0
"""Seconds between two pages of a full look: a sweep that is due meanwhile comes in between."""

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
        """When the last complete sweep began: of all changes before that, everybody knows."""
        self.pages = 1
        """How many requests it took."""
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
        self._sweep = self._full = None
        self._looked, self._full_statuses = [], []

    async def sweep(self) -> None:
        """Ask for the next page of what changed since the last sweep."""
        sweep = self._sweep
        if sweep is None:
            now = self._clock.now()
            sweep = self._sweep = Listing(now, last_modified_after=self._start(now))
            self._sweep_began, self._stretch = now, self._jitter.uniform(0.9, 1.0)
        if await self._turn(sweep):
            self.swept, self.pages, self._sweep = sweep.began, sweep.pages, None
            metrics.count("sweeps")
            for looked in [each for each in self._looked if each.ended <= sweep.began]:
                self._describe(missing(self._waiters, looked))
                self._looked.remove(looked)

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
        minutes, pages = divmod(self._full_pages, PAGES)
        if self._full is None and not self._full_statuses:
            minutes, pages = math.ceil(self._full_pages / PAGES), 0
        self._full_at = max(now + PAGE_GAP, self._full_began + FULL_LOOK * minutes + PAGE_GAP * pages)

    def _start(self, now: float) -> datetime:
        behind = far_behind(self._waiters, now, self.swept)
        self._describe(waiter.wait.notebook_instance_name for waiter in behind)
        known = (known_since(waiter, self.swept) for waiter in self._waiters if waiter not in behind)
        return start_of_sweep(min(known, default=now), self._aws, now, self._clock.wall())

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
