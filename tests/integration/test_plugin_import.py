"""What every process of Airflow pays for the launch page's plugin."""

from __future__ import annotations

import pytest

from tests.benchmarks.parsing import costs
from tests.benchmarks.plugin import AMAZON, GROUPS, LAUNCH_PAGE, PROCESSES

FORKS = 9


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_never_opens_the_launch_page_pays_next_to_nothing_for_its_plugin(process: str) -> None:
    found = costs({name: GROUPS[name] for name in (LAUNCH_PAGE, AMAZON)}, FORKS, PROCESSES[process])
    (our_cost, heavy_modules), (their_cost, _) = found[LAUNCH_PAGE], found[AMAZON]
    print(f"{process}: {our_cost:.1f} ms of CPU; {AMAZON}: {their_cost:.1f} ms")
    assert heavy_modules == []
    assert our_cost <= their_cost / 15
