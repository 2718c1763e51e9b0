"""What a Jupyter server's answers say about use: idle times are the server's, and what cannot be read is an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_sagemaker_presign.usage.activity import Answers, UnreadableAnswer, Usage, usage_of

SERVER = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OURS = SERVER + timedelta(hours=3)
"""Our clock is three hours ahead of the server's."""


def kernel(state: str = "idle", ago: float = 0, name: str = "python3", **more: Any) -> dict[str, Any]:
    return {"name": name, "execution_state": state, "last_activity": at(ago), "connections": 0, **more}


def terminal(ago: float = 0) -> dict[str, Any]:
    return {"name": "1", "last_activity": at(ago)}


def at(ago: float) -> str:
    """Write a time as the server does, in minutes before its now."""
    return (SERVER - timedelta(minutes=ago)).isoformat().replace("+00:00", "Z")


def usage(
    kernels: Any = (), terminals: Any = (), status: Any = None, *, count_connections: bool = False, **more: Any
) -> Usage:
    kernels = list(kernels) if isinstance(kernels, tuple) else kernels
    terminals = list(terminals) if isinstance(terminals, tuple) else terminals
    answers = Answers(kernels, terminals, status, more.get("date", format_datetime(SERVER, usegmt=True)))
    return usage_of(answers, OURS, count_connections=count_connections)


def test_a_busy_kernel_is_in_use_however_long_it_has_been_silent() -> None:
    found = usage((kernel("busy", ago=600), kernel(ago=700)))
    assert (found.running, found.last_active_at) == ("a busy kernel (python3)", OURS)
    assert found.in_use(timedelta(seconds=1))


def test_several_busy_kernels_are_counted_and_named_once_each() -> None:
    found = usage((kernel("busy"), kernel("busy"), kernel("busy", name="ir")))
    assert found.running == "3 busy kernels (python3, ir)"


@pytest.mark.parametrize("state", ["idle", "starting", "dead", "restarting", "unknown"])
def test_any_other_kernel_is_judged_by_its_last_activity(state: str) -> None:
    found = usage((kernel(state, ago=20),))
    assert (found.running, found.last_active_at) == ("", OURS - timedelta(minutes=20))
    assert found.in_use(timedelta(minutes=21))
    assert not found.in_use(timedelta(minutes=20))


def test_the_latest_activity_counts_be_it_a_kernels_or_a_terminals() -> None:
    assert usage((kernel(ago=30),), (terminal(10), terminal(40))).last_active_at == OURS - timedelta(minutes=10)
    assert usage((kernel(ago=5),), (terminal(10),)).last_active_at == OURS - timedelta(minutes=5)


def test_an_idle_time_is_a_difference_on_the_servers_clock() -> None:
    assert usage((), (terminal(10),)).last_active_at == OURS - timedelta(minutes=10)


def test_without_kernels_and_terminals_the_start_of_the_server_counts() -> None:
    assert usage(status={"started": at(90)}).last_active_at == OURS - timedelta(minutes=90)
    assert usage(terminals=None, status={"started": at(90)}).last_active_at == OURS - timedelta(minutes=90)


def test_a_connection_counts_only_when_it_is_asked_for() -> None:
    connected = kernel(ago=60, connections=2)
    assert usage((connected,)).running == ""
    found = usage((connected,), count_connections=True)
    assert (found.running, found.last_active_at) == ("a kernel with a connection (python3)", OURS)


def test_an_activity_in_the_servers_future_is_now() -> None:
    assert usage((kernel(ago=-10),)).last_active_at == OURS


def test_a_time_without_a_zone_is_utc() -> None:
    assert usage((kernel(last_activity="2026-03-02T07:00:00.123456"),)).last_active_at < OURS - timedelta(minutes=59)


@pytest.mark.parametrize(
    "answers",
    [
        {"kernels": {"message": "Forbidden"}},
        {"kernels": "login"},
        {"kernels": [1]},
        {"kernels": [{"name": "python3"}]},
        {"kernels": [kernel(last_activity="yesterday")]},
        {"kernels": [kernel(last_activity=None)]},
        {"kernels": [kernel(execution_state=7)]},
        {"kernels": [kernel(connections="many")], "count_connections": True},
        {"terminals": {"message": "no"}},
        {"status": {"version": "2"}},
        {"status": []},
        {"status": None},
        {"kernels": [kernel()], "date": None},
        {"kernels": [kernel()], "date": "soon"},
    ],
)
def test_what_is_not_a_jupyter_servers_answer_is_an_error(answers: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        usage(**{"kernels": [], "terminals": [], **answers})


def test_names_of_kernels_are_cut_and_stand_on_one_line() -> None:
    found = usage((kernel("busy", name="python3\nERROR forged\x1b[31m" + "x" * 1_000_000),))
    assert len(found.running) < 250
    assert found.running.isprintable()


def test_times_out_of_range_are_an_error_of_the_answer() -> None:
    with pytest.raises(UnreadableAnswer, match="out of range"):
        usage((kernel(last_activity="0001-01-01T00:00:00Z"),), date=format_datetime(datetime(9999, 12, 31, tzinfo=UTC)))


@pytest.mark.parametrize("state", ["busy", "idle"])
def test_kernels_and_terminals_are_told_apart_so_that_the_end_of_one_is_noticed(state: str) -> None:
    found = usage((kernel(state, id="1f3a"), kernel(id="2b4c")), (terminal(),))
    assert found.open == ("1f3a", "2b4c", "1")


def test_what_names_them_is_bounded() -> None:
    found = usage(tuple(kernel(id=f"{number:03}" * 100) for number in range(500)))
    assert (len(found.open), max(map(len, found.open))) == (100, 36)
