"""One page of ListNotebookInstances, as far as a wait needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self

from airflow_sagemaker_presign.waiting.state_machine import Observation


@dataclass(frozen=True)
class NotebookInstancePage:
    """
    One page.

    :param observations: what it says of each notebook instance, by name; without a ``FailureReason``.
    :param next_token: where to go on; ``None``: it was the last page.
    :param answered_at: when AWS answered by its own clock, in whole seconds since the epoch; ``None``: it did not say.
    """

    observations: Mapping[str, Observation]
    next_token: str | None = None
    answered_at: float | None = None

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """
        Take it from botocore's answer.

        :raises KeyError: when a name or status is missing.
        """
        rows = answer["NotebookInstances"]
        return cls(
            observations={row["NotebookInstanceName"]: Observation.from_description(row) for row in rows},
            next_token=answer.get("NextToken") or None,
            answered_at=_date_of(answer),
        )


def _date_of(answer: Mapping[str, Any]) -> float | None:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
