"""What the launch page's plugin costs a process that does not use it: each loads the plugins of all packages."""

from __future__ import annotations

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from tests.benchmarks.parsing import THEIRS, costs

LAUNCH_PAGE = "the launch page's plugin"
LOAD_ALL = "all plugins"
LOAD_OTHERS = "all plugins but the launch page's"
AMAZON = "the amazon provider's SageMaker operators"
LIMIT = 10.0
"""Milliseconds of CPU."""

PROCESSES = {
    "a process of Airflow's": "import airflow; from airflow import plugins_manager",
}
if AIRFLOW_VERSION >= (3, 0):  # Before, a task ran in a process of Airflow's.
    _MANAGER = "airflow.sdk" if AIRFLOW_VERSION >= (3, 2) else "airflow"
    PROCESSES["a task's process"] = (
        f"import airflow.sdk.execution_time.task_runner; from {_MANAGER} import plugins_manager"
    )
# Airflow passes over an entry point that leads to no plugin.
_WITHOUT = """
import sys, types
sys.modules["airflow_sagemaker_presign.launch_page.plugin"] =
types.SimpleNamespace(SageMakerNotebookLaunchPagePlugin=None)
"""
# The second is Airflow 3.1's and older ones'.
_LOAD = "(getattr(plugins_manager, '_get_plugins', None) or plugins_manager.ensure_plugins_loaded)()"
GROUPS = {
    LAUNCH_PAGE: "import airflow_sagemaker_presign.launch_page.plugin",
    LOAD_ALL: _LOAD,
    LOAD_OTHERS: f"{_WITHOUT}{_LOAD}",
    AMAZON: THEIRS[AMAZON],
}


def measure() -> dict[str, dict[str, float]]:
    """Measure in forks of the processes that load plugins."""
    return {
        process: {name: spent for name, (spent, _) in costs(GROUPS, parent=loaded).items()}
        for process, loaded in PROCESSES.items()
    }
