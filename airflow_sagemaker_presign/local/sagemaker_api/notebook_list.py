"""One page of ListNotebookInstances: filters, order, NextToken."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_sagemaker_presign.local.sagemaker_api.input_constraints import validation_error

Summary = dict[str, Any]

DEFAULT_PAGE = 10
"""AWS documents no default for this operation. Ten is the default of similar operations, and the stricter
one for a client that does not request the next page."""

_SORT_KEYS = {
    "Name": "NotebookInstanceName",
    "CreationTime": "CreationTime",
    "Status": "NotebookInstanceStatus",
}
_PART_FILTERS = (
    ("NameContains", "NotebookInstanceName"),
    ("NotebookInstanceLifecycleConfigNameContains", "NotebookInstanceLifecycleConfigName"),
    ("DefaultCodeRepositoryContains", "DefaultCodeRepository"),
)
_TIME_FILTERS = (
    ("LastModifiedTimeAfter", "LastModifiedTime", 1),
    ("LastModifiedTimeBefore", "LastModifiedTime", -1),
    ("CreationTimeAfter", "CreationTime", 1),
    ("CreationTimeBefore", "CreationTime", -1),
)


def list_page(summaries: list[Summary], param: Callable[[str], Any]) -> dict[str, Any]:
    """
    Filter and sort the notebook instances, and return one page.

    :param summaries: all notebook instances of the account and region.
    :param param: reads a parameter of the request.
    :raises SagemakerClientError: for a NextToken that was not issued here.
    """
    sort_key = _SORT_KEYS[param("SortBy") or "Name"]
    rows = sorted(
        (row for row in summaries if _wanted(row, param)),
        key=lambda row: _position(row, sort_key),
        reverse=param("SortOrder") == "Descending",
    )
    if token := param("NextToken"):
        # A place in the order, not a count: rows that appear or vanish between two pages shift nothing.
        last = _read_token(token)
        rows = [row for row in rows if not _reached(_position(row, sort_key), last, param)]
    size = param("MaxResults") or DEFAULT_PAGE
    page: dict[str, Any] = {"NotebookInstances": rows[:size]}
    if len(rows) > size:
        page["NextToken"] = _write_token(_position(rows[size - 1], sort_key))
    return page


def _wanted(row: Summary, param: Callable[[str], Any]) -> bool:
    status, repository = param("StatusEquals"), param("AdditionalCodeRepositoryEquals")
    if status and row["NotebookInstanceStatus"] != status:
        return False
    if repository and repository not in row.get("AdditionalCodeRepositories", ()):
        return False
    if any(param(name) and param(name) not in row.get(key, "") for name, key in _PART_FILTERS):
        return False
    for name, key, sign in _TIME_FILTERS:
        limit = param(name)
        if limit is not None and (row[key] - _aware(limit)).total_seconds() * sign <= 0:
            return False
    return True


def _aware(moment: Any) -> datetime:
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(moment), UTC)


def _position(row: Summary, sort_key: str) -> tuple[str, str]:
    value = row[sort_key]
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text, row["NotebookInstanceName"]


def _reached(position: tuple[str, str], last: tuple[str, str], param: Callable[[str], Any]) -> bool:
    return position >= last if param("SortOrder") == "Descending" else position <= last


def _write_token(position: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _read_token(token: str) -> tuple[str, str]:
    try:
        value, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        value = name = None
    if not isinstance(value, str) or not isinstance(name, str):
        raise validation_error("Invalid NextToken.")
    return value, name
