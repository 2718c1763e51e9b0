"""What the example DAGs decide themselves: who is told what, and what a table counts."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"
MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)


def module_of(name: str) -> ModuleType:
    pytest.importorskip("airflow.providers.smtp")
    specification = importlib.util.spec_from_file_location(name, DAGS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def notebook(name: str, owner: str, in_use: str = "") -> dict[str, str]:
    return {"name": name, "owner": owner, "in_use": in_use}


class TestIdleEvening:
    def test_idle_notebooks_are_stopped_and_their_owners_warned(self) -> None:
        found = [notebook("a", "ada@example.com"), notebook("b", "ada@example.com", "a busy kernel (python3)")]
        stops = module_of("notebooks_idle_evening").stops(found)
        ada = "ada@example.com"
        assert stops == [{"notebook_instance_name": "a", "recipient": ada, "allowed_users": [ada]}]

    def test_what_has_no_owner_is_kept_by_editors(self) -> None:
        module = module_of("notebooks_idle_evening")
        (row,) = module.stops([notebook("a", module.WITHOUT_OWNER)])
        assert row["allowed_users"] == "editors"

    def test_each_owner_gets_one_mail_about_all_notebooks_in_use(self) -> None:
        found = [
            notebook("a", "ada@example.com", "a busy kernel (python3)"),
            notebook("b", "grace@example.com", "nobody knows: <timeout> & more"),
            notebook("c", "ada@example.com", "used at 19:50 UTC"),
            notebook("d", "idle@example.com"),
        ]
        ada, grace = module_of("notebooks_idle_evening").mails(found)
        assert (ada["to"], grace["to"]) == ("ada@example.com", "grace@example.com")
        assert "<li><b>a</b>: a busy kernel (python3)</li><li><b>c</b>: used at 19:50 UTC</li>" in ada["html_content"]
        assert "&lt;timeout&gt; &amp; more" in grace["html_content"]

    def test_an_evening_without_notebooks_has_nothing_to_do(self) -> None:
        module = module_of("notebooks_idle_evening")
        assert (module.stops([]), module.mails([])) == ([], [])


class TestWeeklyReport:
    def test_samples_add_up_within_their_week(self) -> None:
        with_sample = module_of("notebooks_weekly_report").with_sample
        weeks: dict[str, Any] = {}
        for hour, use in enumerate(("in use", "idle", "unknown", "in use")):
            sample = [{"name": "a", "type": "ml.t3.medium", "use": use}]
            weeks = with_sample(weeks, sample, MONDAY + timedelta(hours=hour))
        counted = {"name": "a", "type": "ml.t3.medium", "running": 4, "in use": 2, "unknown": 1}
        assert weeks["2026-W49"] == {"a (ml.t3.medium)": counted}

    def test_another_instance_type_is_another_row(self) -> None:
        with_sample = module_of("notebooks_weekly_report").with_sample
        weeks: dict[str, Any] = {}
        for kind in ("ml.t3.medium", "ml.g5.xlarge"):
            weeks = with_sample(weeks, [{"name": "a", "type": kind, "use": "idle"}], MONDAY)
        assert [count["running"] for count in weeks["2026-W49"].values()] == [1, 1]

    def test_a_new_week_begins_anew_and_keeps_the_last_one_only(self) -> None:
        with_sample = module_of("notebooks_weekly_report").with_sample
        weeks = {"2026-W47": {"old": {}}, "2026-W48": {"a": {"running": 3}}}
        later = with_sample(weeks, [{"name": "b", "type": "ml.t3.medium", "use": "idle"}], MONDAY)
        assert list(later) == ["2026-W48", "2026-W49"]
        assert later["2026-W48"] == {"a": {"running": 3}}
        assert list(later["2026-W49"]) == ["b (ml.t3.medium)"]
        assert weeks == {"2026-W47": {"old": {}}, "2026-W48": {"a": {"running": 3}}}

    def test_the_table_has_the_most_expensive_first_and_a_total(self) -> None:
        table = module_of("notebooks_weekly_report").table(
            {
                "cheap": {"name": "cheap", "type": "ml.t3.medium", "running": 10, "in use": 5, "unknown": 1},
                "dear": {"name": "dear", "type": "ml.g5.xlarge", "running": 10, "in use": 1, "unknown": 0},
                "<none>": {"name": "<none>", "type": "ml.unknown", "running": 2, "in use": 0, "unknown": 0},
            }
        )
        assert table.index("dear") < table.index("cheap") < table.index("&lt;none&gt;") < table.index("Total")
        assert "<td>0.50</td>" in table
        assert "<td>-</td>" in table
        assert "<td>Total</td><td></td><td>22</td><td>6</td><td>1</td><td>at least 14.60</td>" in table

    def test_without_a_price_there_is_no_total(self) -> None:
        row = {"name": "a", "type": "ml.unknown", "running": 2, "in use": 0, "unknown": 0}
        assert module_of("notebooks_weekly_report").table({"a": row}).endswith("<td>-</td></tr></table>")

    def test_a_week_without_notebooks_is_a_table_without_rows(self) -> None:
        assert "<td>Total</td><td></td><td>0</td><td>0</td><td>0</td><td>0.00</td>" in module_of(
            "notebooks_weekly_report"
        ).table({})

    def test_a_week_across_the_year_is_an_iso_week(self) -> None:
        assert module_of("notebooks_weekly_report").week_of(datetime(2027, 1, 1, tzinfo=UTC)) == "2026-W53"
