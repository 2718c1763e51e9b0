"""What DAG files with this package load where they are parsed, and that each parse gives the same DAG."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from tests.helpers.parse_costs import OURS, THEIRS, costs

DAGS = Path(__file__).parents[2] / "dags"
DAG_IDS = {
    "notebook_after_training",
    "notebook_every_evening",
    "notebook_on_demand",
    "notebook_weekday_morning",
    "notebooks_for_a_team",
    *(["notebook_with_approval"] if HAS_LAUNCH_PAGE else []),
    "notebook_hours",
    "notebooks_idle_evening",
    "notebooks_weekly_report",
}
SERIALIZE = """
import json, sys
from pathlib import Path
try:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Before Airflow 3.2.
    from airflow.models.dagbag import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization
bag = DagBag(Path(sys.argv[1]))
assert not bag.import_errors, bag.import_errors
for dag_id in sorted(bag.dags):
    # With sorted keys, as Airflow writes it to its database.
    print("serialized", dag_id, json.dumps(DagSerialization.to_dict(bag.dags[dag_id]), sort_keys=True))
"""


def test_a_parse_loads_nothing_heavy_for_this_package() -> None:
    found = costs(OURS | THEIRS, forks=1)
    # What it costs is measured by the benchmarks.
    assert {name: found[name][1] for name in OURS} == {name: [] for name in OURS}
    assert all(found[name][1] for name in THEIRS), "the check finds the imports that it searches for"


def serialized(hash_seed: str, home: Path) -> dict[str, str]:
    """Serialize all example DAGs in a separate process."""
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    }
    command = [sys.executable, "-W", "ignore", "-c", SERIALIZE, str(DAGS)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split(" ", 2) for line in answer.stdout.splitlines() if line.startswith("serialized ")]
    return {dag_id: data for _, dag_id, data in lines}


def test_each_process_serializes_the_example_dags_to_the_same_bytes(tmp_path: Path) -> None:
    first, second = serialized("1", tmp_path), serialized("2", tmp_path)
    assert set(first) == DAG_IDS
    assert first == second
    assert not [dag_id for dag_id, data in first.items() if "0x7f" in data or " at 0x" in data]


def test_no_notifier_reaches_the_serialized_dag(tmp_path: Path) -> None:
    tasks = json.loads(serialized("1", tmp_path)["notebook_on_demand"])["dag"]["tasks"]
    (link,) = (task["__var"] for task in tasks if task["__var"]["task_id"] == "notebook_link")
    assert link["recipient"] == "{{ params.recipient }}"
    assert "notifiers" not in link
