"""
The simulated SageMaker: an account with notebook instances whose past and future are known, at any moment.

Three adapters ask it: the poller's hook (``poller_account.py``), botocore's connections in the fault tests
(``tests/faults/transport.py``), and a server for the benchmarks (``tests/benchmarks/polling_server.py``).
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY

BEGINNING = datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()
"""The moment 0 of an account, in seconds since the epoch."""

ARN = "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/"
SECRET = "Qm9va3NXaXRoV2luZ3M.J9+aB6eRt1yUi/pKx7vTg2Zr4Wb9YnLd0Hs5Fc8Ju3E.x-Y_z"
"""
What all tokens of the account begin with; letters that every kind of quoting changes are among them. It does not look
like a JWT, which Airflow would know for one.
"""

PENDING, IN_SERVICE, STOPPING, STOPPED = "Pending", "InService", "Stopping", "Stopped"
Steps = Sequence[tuple[float, str]]

TYPICAL_START_SECONDS: Steps = ((0.0, PENDING), (140.0, IN_SERVICE))
NOT_TAKEN: Steps = ()
REASON = "Insufficient notebook instance capacity. Retry later or with a different instance type."


class ErrorResponse(Exception):
    """AWS says no."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.body, self.status = {"__type": code, "message": message}, status


@dataclass(frozen=True)
class Change:
    """From when on a notebook instance has which status; ``"gone"``: there is none."""

    at: float
    status: str
    reason: str = ""


@dataclass
class Notebook:
    """
    A notebook instance.

    :param courses: what becomes of it, each course from a moment on and until the next one begins.
    :param starts: what each Start leads to, in seconds after it; then, as usual.
    """

    courses: list[tuple[float, Sequence[Change]]]
    starts: list[Steps] = field(default_factory=list)

    def at(self, moment: float) -> Change:
        """Return what it is at a moment: what the last course has come to, or the one before that, until it begins."""
        begun = sorted((course for course in self.courses if course[0] <= moment), key=lambda course: course[0])
        reached = [change for _, course in begun for change in course if change.at <= moment]
        return reached[-1] if reached else begun[0][1][0]


@dataclass(frozen=True)
class Mint:
    """A URL that was made."""

    at: float
    name: str
    url: str

    @property
    def expires(self) -> float:
        return self.at + URL_VALIDITY.total_seconds()


class Account:
    """
    SageMaker, as far as this package asks it.

    :param ahead: how many seconds AWS's clock is ahead of ours.
    """

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.strangers = 0
        """How many other notebook instances a list has in it."""
        self.keys: list[tuple[float, float, str]] = [(-math.inf, math.inf, "KEY1")]
        """From when, until when which access key is good."""
        self.notebooks: dict[str, Notebook] = {}
        self.started: list[tuple[float, str]] = []
        """The Starts that were taken."""
        self.mints: list[Mint] = []
        self._lock = threading.Lock()

    def plan(self, name: str, status: str, *changes: tuple[float, str], starts: Sequence[Steps] = ()) -> None:
        """
        Have a notebook instance.

        :param name: its name.
        :param status: what it is since an hour ago, ...
        :param changes: ... and from which second on it is what else.
        :param starts: what each Start leads to, in seconds after it; those that follow: to what is usual.
        """
        self.notebooks[name] = Notebook([(-math.inf, _course(0.0, (-3600.0, status), *changes))], [*starts])

    def happens(self, name: str, *changes: tuple[float, str]) -> None:
        """Say from which second on a notebook instance has which status, whatever was to become of it otherwise."""
        self.notebooks[name].courses.append((changes[0][0], _course(0.0, *changes)))

    def answer(self, operation: str, asked: Mapping[str, Any], key: str, now: float) -> dict[str, Any]:
        """
        Respond to a request.

        :param operation: such as ``DescribeNotebookInstance``.
        :param asked: its parameters.
        :param key: the access key that it was signed with.
        :param now: the moment, by our clock.
        :raises ErrorResponse: when AWS would.
        """
        if not any(since <= now < until and key == good for since, until, good in self.keys):
            raise ErrorResponse("ExpiredTokenException", "The security token included in the request is expired")
        operations: dict[str, Callable[[Any, float], dict[str, Any]]] = {
            "DescribeNotebookInstance": self._describe,
            "ListNotebookInstances": self._list,
            "StartNotebookInstance": self._start,
            "CreatePresignedNotebookInstanceUrl": self._mint,
        }
        with self._lock:
            return operations[operation](asked, now)

    def _describe(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        change = self._change(asked, now)
        return self._row(asked["NotebookInstanceName"], change) | (
            {"FailureReason": change.reason} if change.reason else {}
        )

    def _list(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        after = asked.get("LastModifiedTimeAfter", -math.inf)
        rows = [
            self._row(name, change)
            for name, notebook in self.notebooks.items()
            if (change := notebook.at(now)).status != "gone"
            and asked.get("StatusEquals", change.status) == change.status
            and self._aws(change.at) > after
        ]
        stranger = Change(now, asked.get("StatusEquals", PENDING))
        rows += [self._row(f"stranger-{number:05}", stranger) for number in range(self.strangers)]
        start = int(asked.get("NextToken", 0))
        end = start + asked.get("MaxResults", 10)
        return {"NotebookInstances": rows[start:end]} | ({"NextToken": str(end)} if len(rows) > end else {})

    def _start(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        name, status = asked["NotebookInstanceName"], self._change(asked, now).status
        if status not in (STOPPED, "Failed"):
            raise ErrorResponse(
                "ValidationException",
                f"Status ({status}) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook "
                f"Instance ({ARN}{name})",
            )
        self.started.append((now, name))
        notebook = self.notebooks[name]
        steps = notebook.starts.pop(0) if notebook.starts else TYPICAL_START_SECONDS
        if steps:
            notebook.courses.append((now, _course(now, *steps)))
        return {}

    def _mint(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        name, status = asked["NotebookInstanceName"], self._change(asked, now).status
        if status != IN_SERVICE:
            raise ErrorResponse("ValidationException", f"Status ({status}) not in ([InService]).")
        token = f"{SECRET}{len(self.mints):04}".replace("+", "%2B").replace("/", "%2F")
        url = f"https://{name}.notebook.eu-central-1.sagemaker.aws?authToken={token}"
        self.mints.append(Mint(now, name, url))
        return {"AuthorizedUrl": url}

    def _change(self, asked: Mapping[str, Any], now: float) -> Change:
        notebook = self.notebooks.get(asked["NotebookInstanceName"])
        change = notebook.at(now) if notebook else None
        if change is None or change.status == "gone":
            raise ErrorResponse("ValidationException", "RecordNotFound")
        return change

    def _row(self, name: str, change: Change) -> dict[str, Any]:
        return {
            "NotebookInstanceName": name,
            "NotebookInstanceArn": ARN + name,
            "NotebookInstanceStatus": change.status,
            "Url": f"{name}.notebook.eu-central-1.sagemaker.aws",
            "InstanceType": "ml.t3.medium",
            "CreationTime": self._aws(-86400),
            "LastModifiedTime": self._aws(change.at),
        }

    def _aws(self, moment: float) -> float:
        return BEGINNING + moment + self.ahead


def as_json(answer: Mapping[str, Any]) -> bytes:
    """Write an answer."""
    return json.dumps(answer).encode()


def _course(since: float, *changes: tuple[float, str]) -> list[Change]:
    return [Change(since + at, status, REASON if status == "Failed" else "") for at, status in changes]
