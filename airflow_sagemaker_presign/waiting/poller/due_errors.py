"""Which pending waits end with an error although AWS reported nothing new: decisions without side effects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.waiting.poller.pending_waits import PendingWait, PendingWaits
from airflow_sagemaker_presign.waiting.request_history import RequestHistory


def due_errors(
    pending_waits: PendingWaits, overdue: Iterable[PendingWait], history: RequestHistory, now: float, wall: float
) -> Mapping[PendingWait, WorkspaceError]:
    """
    Return the error of each wait whose deadline has passed, or whose time for a first response is over.

    :param pending_waits: the waits of the poller.
    :param overdue: those whose deadline has passed.
    :param history: the outcome of the poller's requests so far.
    :param now: the time on the poller's monotonic clock, in seconds.
    :param wall: the same moment in seconds since the epoch.
    """
    errors: dict[PendingWait, WorkspaceError] = {}
    if history.first_response.problem is not None:
        for pending_wait in pending_waits:
            error = history.first_response.given_up(now, pending_wait.joined)
            if error is not None and not pending_wait.wait.status:
                errors[pending_wait] = error
    for pending_wait in overdue:
        try:
            pending_wait.wait.check_deadline(wall, history.outage_log.problem, history.outage_log.advice)
        except WorkspaceError as error:
            errors[pending_wait] = error
    return errors
