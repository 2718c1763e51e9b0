"""An empty secrets backend that records each connection that a process looks up."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.secrets import BaseSecretsBackend

NOTES = "COUNTED_LOOKUPS"


class CountedLookups(BaseSecretsBackend):
    """Asked before all others."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        with Path(os.environ[NOTES]).open("a") as notes:
            notes.write(f"{conn_id} {os.getpid()}\n")
        return None

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return None

    def get_config(self, key: str) -> str | None:
        return None
