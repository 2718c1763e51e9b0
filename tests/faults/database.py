"""Airflow's database, as a task and a trigger see it: connections, and XComs; it can be away for a while."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, Connection
from tests.faults.virtual_time import VirtualTime
from tests.helpers.simulated_account import Account


class Database:
    """
    What Airflow asks for connections, in the place of its secrets backends.

    :param time: the time.
    :param account: whose access keys the connection holds.
    """

    def __init__(self, time: VirtualTime, account: Account) -> None:
        self.time = time
        self.account = account
        self.away: list[tuple[float, float]] = []
        """From when until when."""
        self.looked_up = 0
        self.extra: dict[str, Any] = {}
        """What the connection's extra has in it besides the region."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have Airflow ask here."""
        # The first is where Airflow 3.0's hooks ask if there is no supervisor, as here.
        places = ["airflow.models.connection.ensure_secrets_loaded"]
        if AIRFLOW_VERSION >= (3, 0):
            places.append("airflow.sdk.execution_time.supervisor.ensure_secrets_backend_loaded")
        for place in places:
            monkeypatch.setattr(place, lambda: [self], raising=False)

    @property
    def is_away(self) -> bool:
        """Return whether the database is currently unavailable."""
        return any(since <= self.time.seconds < until for since, until in self.away)

    def get_connection(self, conn_id: str, **_: Any) -> Any:
        """Return a connection. If there is none, Airflow 3 does not give a task the reason, and Airflow 2 drops it."""
        self.looked_up += 1
        if self.is_away:
            if AIRFLOW_VERSION >= (3, 0):
                return None
            raise _away()
        now = self.time.seconds
        key = next(key for since, until, key in reversed(self.account.keys) if since <= now)
        extra = json.dumps({"region_name": "eu-central-1", **self.extra})
        return Connection(conn_id=conn_id, conn_type="aws", login=key, password="testing", extra=extra)


@dataclass
class TaskInstance:
    """As much of a task instance as the operators touch."""

    database: Database
    xcoms: dict[str, Any] = field(default_factory=dict)
    dag_id: str = "mornings"
    run_id: str = "manual__1"
    task_id: str = "notebook"
    map_index: int = -1

    def xcom_push(self, key: str, value: Any) -> None:
        if self.database.is_away:
            raise _away()
        self.xcoms[key] = value


def _away() -> Exception:
    if AIRFLOW_VERSION < (3, 0):
        from sqlalchemy.exc import OperationalError

        return OperationalError("SELECT 1", {}, Exception("could not connect to server: Connection refused"))
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    detail = {"status_code": 500, "message": "Internal server error"}
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))
