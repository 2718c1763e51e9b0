"""The launch page as a person, a script or an attacker meets it: over HTTP, in front of a real Airflow."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run

OURS = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a form on the launch page."""
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
MINT, START = "CreatePresignedNotebookInstanceUrl", "StartNotebookInstance"


@dataclass(frozen=True)
class LaunchPageClient:
    """
    Requests to the launch page; none follows a redirect.

    :param tokens: each user's token of Airflow's API.
    :param url: where people find Airflow; default: where its own api-server is.
    """

    airflow: AirflowStandalone
    local: LocalServices
    tokens: Mapping[str, str]
    url: str = ""

    def path(self, run: Run, task_id: str, map_index: int | None = None) -> str:
        ids = "/".join(quote(part, safe="") for part in (run.dag_id, run.run_id, task_id))
        return f"/sagemaker-notebooks/{ids}" + ("" if map_index is None else f"/{map_index}")

    def ask(
        self,
        method: str,
        path: str,
        user: str | None = None,
        *,
        by: str = "cookie",
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        timeout: float = 30,
    ) -> httpx.Response:
        """
        Send a request.

        :param user: whose token goes with it: a user's name, or a token.
        :param by: how it goes: as a ``cookie`` or ``bearer``.
        :param data: a form.
        :param content: another body; in pieces it goes without its length.
        """
        token = self.tokens.get(user or "", user)
        signed_in = {} if token is None else {"cookie": {"Cookie": f"_token={token}"}, "bearer": _bearer(token)}[by]
        all_headers = {**BROWSER, **signed_in, **(headers or {})}
        # Passed apart from the URL, whose path httpx would normalize.
        target = {"target": path.encode()}
        with httpx.Client(trust_env=False, timeout=timeout) as client:
            return client.request(
                method, self.url or self.airflow.url, headers=all_headers, data=data, content=content, extensions=target
            )

    def form_token(self, path: str, user: str, by: str = "cookie") -> str:
        """The token of the page's form; empty when there is no page for this user."""
        found = re.search(r'name="token" value="([^"]+)"', self.ask("GET", path, user, by=by).text)
        return found[1] if found else ""

    def press(
        self,
        action: str,
        path: str,
        user: str,
        *,
        by: str = "cookie",
        headers: Mapping[str, str] = OURS,
        token: str = "",
    ) -> httpx.Response:
        """Press the page's button."""
        token = token or self.form_token(path, user, by)
        return self.ask("POST", path, user, by=by, headers=headers, data={"action": action, "token": token})

    def sent(self) -> Counter[tuple[str, str | None]]:
        """How many mints and starts the local SageMaker was asked for, by notebook instance."""
        asked = self.local.sagemaker.requests_of(MINT) + self.local.sagemaker.requests_of(START)
        return Counter((request.operation, request.notebook) for request in asked)

    @contextmanager
    def expecting(self) -> Iterator[Counter[Any]]:
        """What is sent meanwhile must be what was put into the counter."""
        expected: Counter[Any] = Counter()
        before = self.sent()
        yield expected
        assert self.sent() - before == expected

    def database(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Change or read Airflow's database."""
        with sqlite3.connect(self.airflow.home / "airflow.db", timeout=30) as connection:
            return connection.execute(statement, values).fetchall()

    def rendered(self, run: Run, task_id: str) -> dict[str, Any]:
        """What Airflow keeps of what a task rendered."""
        here = "dag_id = ? AND run_id = ? AND task_id = ?"
        statement = f"SELECT rendered_fields FROM rendered_task_instance_fields WHERE {here}"
        ((fields,),) = self.database(statement, run.dag_id, run.run_id, task_id)
        return dict(json.loads(fields))

    def render(self, run: Run, task_id: str, **fields: Any) -> None:
        """Have a task have rendered something else."""
        here = "dag_id = ? AND run_id = ? AND task_id = ?"
        statement = f"UPDATE rendered_task_instance_fields SET rendered_fields = ? WHERE {here}"
        self.database(statement, json.dumps(fields), run.dag_id, run.run_id, task_id)

    def audit(self, task_id: str) -> list[tuple[str, str, dict[str, Any]]]:
        """The launch page's rows of the audit log: event, who, and what more they say."""
        rows = self.database(
            "SELECT event, owner, extra FROM log WHERE task_id = ? AND event LIKE '%sagemaker%' ORDER BY id", task_id
        )
        return [(event, owner, json.loads(extra)) for event, owner, extra in rows]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def leads_to_notebook(answer: httpx.Response) -> bool:
    """Whether an answer opens a notebook."""
    return answer.status_code == 303 and "authToken=" in answer.headers.get("location", "")
