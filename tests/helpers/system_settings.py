"""What the real Airflow of the system tests is set up with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.helpers.airflow_api import Run

Start = Callable[..., Run]
"""Starts a run of a DAG, with its params."""

DAGS = Path(__file__).parents[2] / "dags"
REGION = "us-east-1"
MARKER = "planted-marker-4f1c9a7e"
"""The name of a notebook instance that nothing else is named after: what leaks of a name would leak of a token."""
DAG_MARKER = "planted-marker-in-a-dag-file-8d02e6b5"
USERS = {"vera": "viewer", "zoe@example.com": "viewer", "ed": "user", "ellen": "user", "grace@example.org": "user"}
JWT_SECRET = "of-these-tests-only-and-long-enough-for-the-algorithm-that-airflow-signs-its-tokens-with"
EVENING_IDLE_SECONDS, EVENING_WARNING_SECONDS = 12, 8
"""What the example DAG of the evening waits for here, instead of an hour and a quarter of one."""
