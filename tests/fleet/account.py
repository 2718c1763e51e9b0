"""
The AWS account and all mailboxes, in a separate process: ``python -m tests.fleet.account``.

It says where it is in one line of JSON, then answers each line of JSON that it is given, until its input ends. Of a
link it says for which notebook it is and when it was minted; the link itself never leaves this process.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from typing import Any

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.inbox.mailbox import Mail
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import LinkRefused
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import GONE
from tests.fleet.plan import SESSION

NOTE = re.compile(r"run=(?P<run_id>\S+) try=(?P<try_number>\d+)")
TOKEN = re.compile(r"authToken=([\w.-]+)")


class Mailboxes:
    """Opens every link in the moment of its arrival, as its recipient would, and writes down what it was."""

    def __init__(self, services: LocalServices) -> None:
        self._services = services
        self._links: list[dict[str, Any]] = []
        threading.Thread(target=self._read, name="mailboxes", daemon=True).start()

    def links(self) -> list[dict[str, Any]]:
        return list(self._links)

    def _read(self) -> None:
        seen = 0
        while True:
            try:
                messages = self._services.inbox.wait_for(seen + 1, timeout=60)
            except TimeoutError:
                continue
            for message in messages[seen:]:
                if isinstance(message, Mail):
                    self._links.append(self._link(message))
            seen = len(messages)

    def _link(self, mail: Mail) -> dict[str, Any]:
        note, token = NOTE.search(mail.text), TOKEN.search(mail.text)
        state: dict[str, Any] = {
            "recipient": mail.recipients[0],
            "run_id": note["run_id"] if note else None,
            "try_number": int(note["try_number"]) if note else None,
            "arrived_at": mail.arrived_at,
            "notebook": None,
            "minted_at": None,
        }
        try:
            session = self._services.sagemaker.tokens.open_link(token[1] if token else "")
        except LinkRefused:
            return state
        return {
            **state,
            "notebook": session.notebook_instance_name,
            "minted_at": (session.ends_at - SESSION).timestamp(),
        }


class Account:
    """Answers the fleet."""

    def __init__(self, services: LocalServices) -> None:
        self._sagemaker = services.sagemaker
        self._mailboxes = Mailboxes(services)

    def prepare(self, notebooks: dict[str, float]) -> None:
        """Have just these notebooks, Stopped, each with the seconds that its start takes; and forget all requests."""
        for old in self._sagemaker.notebooks():
            self._sagemaker.set_status(old["NotebookInstanceName"], GONE)
        self._sagemaker.notebooks()
        for name, seconds in notebooks.items():
            self._sagemaker.create_notebook(name, start_seconds=seconds)
        self._sagemaker.requests.clear()

    def progress(self, run_id: str) -> dict[str, int]:
        """Count the notebooks of a run that were started, and the recipients that have a link."""
        starts = {request.notebook for request in self._sagemaker.requests_of("StartNotebookInstance")}
        links = {link["recipient"] for link in self._mailboxes.links() if link["run_id"] == run_id}
        return {"started": len(starts), "arrived": len(links)}

    def record(self, run_id: str) -> dict[str, Any]:
        """Tell of every request since ``prepare``, and of every link of a run."""
        links = [link for link in self._mailboxes.links() if link["run_id"] in (run_id, None)]
        return {"requests": self._sagemaker.requests_as_json(), "links": links}


def main() -> None:
    with LocalServices(jupyter=False, notebooks=()) as services:
        account = Account(services)
        print(json.dumps(services.addresses()), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            answer = getattr(account, asked["what"])(*asked["with"])
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
