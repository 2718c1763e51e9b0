"""What the launch page's plugin costs a process that does not use it: each loads the plugins of all packages."""

from __future__ import annotations

from tests.helpers.parse_costs import AMAZON, PLUGIN, PROCESSES, THEIRS, costs

LOAD_ALL = "all plugins"
LOAD_OTHERS = "all plugins but the launch page's"
LIMIT = 10.0
"""Milliseconds of CPU."""

# Airflow passes over an entry point that leads to no plugin.
_WITHOUT = """
import sys, types
sys.modules["airflow_sagemaker_presign.launch_page.plugin"] =
types.SimpleNamespace(SageMakerNotebookLaunchPagePlugin=None)
"""
# The second is Airflow 3.1's and older ones'.
_LOAD = "(getattr(plugins_manager, '_get_plugins', None) or plugins_manager.ensure_plugins_loaded)()"
GROUPS = {
    **PLUGIN,
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
