"""What the launch page's plugin loads in every process of Airflow; what that costs is measured by the benchmarks."""

from __future__ import annotations

import pytest

from tests.helpers.parse_costs import AMAZON, LAUNCH_PAGE, PLUGIN, PROCESSES, THEIRS, costs


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_never_opens_the_launch_page_loads_nothing_heavy_for_its_plugin(process: str) -> None:
    found = costs(PLUGIN | {AMAZON: THEIRS[AMAZON]}, forks=1, parent=PROCESSES[process])
    assert found[LAUNCH_PAGE][1] == []
    assert found[AMAZON][1], "the check finds the imports that it searches for"
