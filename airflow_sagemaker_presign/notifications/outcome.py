"""What can become of a send, as errors. None of them holds a presigned URL, in its text or anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from airflow_sagemaker_presign.compat import AirflowException


class ServerAnswer(NamedTuple):
    """
    What the service answered, without the body, which may quote the message back.

    :param status_code: the HTTP status.
    :param headers: the answer's headers; ``Retry-After`` among them says when to try again.
    """

    status_code: int
    headers: Mapping[str, str]


class SendFailed(AirflowException):
    """
    The message certainly reached nobody: it may be sent again.

    :param problem: what happened, and what to do about it.
    :param response: the service's answer, where there was one.
    """

    may_have_arrived = False

    def __init__(self, problem: str, response: ServerAnswer | None = None) -> None:
        self.response = response
        super().__init__(problem)


class SendOutcomeUnknown(AirflowException):
    """
    The message went out, and no answer came back or one that leaves open what became of it: it may have arrived, so it
    must not be sent again.
    """

    may_have_arrived = True


class SentToSomeOnly(AirflowException):
    """
    Some of the recipients got the message and some did not: sending again would give those a second one.

    :param delivered: who got it.
    :param refused: who did not, each with the reason.
    """

    may_have_arrived = True

    def __init__(self, delivered: tuple[str, ...], refused: Mapping[str, str]) -> None:
        self.delivered = delivered
        self.refused = dict(refused)
        reasons = "; ".join(f"{address}: {reason}" for address, reason in refused.items())
        super().__init__(
            f"The mail server took the message for {', '.join(delivered)} and refused it for {reasons}. "
            "Check the refused addresses; clearing the task sends to everybody again."
        )
