"""When a watch warns and stops: never what is busy or unknown, never without a warning, never sooner than it said."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from airflow_sagemaker_presign.exceptions import NotebookInstanceUsageUnknown, SageMakerUnavailable
from airflow_sagemaker_presign.idle.watch import LOOK_INTERVAL_SECONDS, RETRY_SECONDS, IdleWatch, Verdict
from airflow_sagemaker_presign.usage.activity import Usage
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

RESEARCH = NotebookInstance("research")
MINUTE = 60.0
HOUR = 3600.0
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC).timestamp()


def watch(**values: Any) -> IdleWatch:
    return IdleWatch(RESEARCH, **{"idle_for": HOUR, "warn_before": 15 * MINUTE, **values})


def seen(
    before: IdleWatch, now: float, *, idle: float = 0.0, running: str = "", there: tuple[str, ...] = ()
) -> IdleWatch:
    """Look at something that has been idle for some seconds."""
    observed_at = datetime.fromtimestamp(now, UTC)
    return before.observed(Usage(observed_at - timedelta(seconds=idle), running, observed_at, there))


def pressed(before: IdleWatch, at: float) -> IdleWatch:
    """Keep it running, and let a worker read it at once."""
    return before.kept(at, at)


def test_what_is_in_use_is_looked_at_again_when_it_could_be_idle() -> None:
    busy = seen(watch(idle_for=40 * MINUTE), NOW, running="a busy kernel (python3)")
    assert busy.verdict(NOW) is Verdict.WAIT
    assert busy.next_look_at() == NOW + 25 * MINUTE


def test_nothing_waits_longer_than_half_an_hour_for_a_look() -> None:
    assert seen(watch(idle_for=8 * HOUR), NOW).next_look_at() == NOW + LOOK_INTERVAL_SECONDS


def test_a_warning_comes_before_the_stop_and_the_stop_when_it_said() -> None:
    idle = seen(watch(), NOW, idle=45 * MINUTE)
    assert idle.verdict(NOW) is Verdict.WARN
    assert idle.warning(NOW).stops_at.timestamp() == NOW + 15 * MINUTE
    warned = idle.warned(NOW)
    assert warned.next_look_at() == NOW + 15 * MINUTE
    assert seen(warned, NOW + 14 * MINUTE, idle=59 * MINUTE).verdict(NOW + 14 * MINUTE) is Verdict.WAIT
    assert seen(warned, NOW + 15 * MINUTE, idle=HOUR).verdict(NOW + 15 * MINUTE) is Verdict.STOP


def test_what_has_been_idle_for_long_is_stopped_only_after_the_whole_warning() -> None:
    idle = seen(watch(), NOW, idle=9 * HOUR)
    assert idle.warning(NOW).stops_at.timestamp() == NOW + 15 * MINUTE
    warned = idle.warned(NOW)
    assert warned.verdict(NOW + 14 * MINUTE) is Verdict.WAIT
    assert warned.next_look_at() == NOW + 15 * MINUTE
    assert warned.verdict(NOW + 15 * MINUTE) is Verdict.STOP


def test_a_late_warning_moves_the_stop() -> None:
    warned = seen(watch(), NOW, idle=45 * MINUTE).warned(NOW + 10 * MINUTE)
    assert warned.verdict(NOW + 24 * MINUTE) is Verdict.WAIT
    assert warned.verdict(NOW + 25 * MINUTE) is Verdict.STOP


def test_use_after_the_warning_needs_another_warning() -> None:
    warned = seen(watch(), NOW, idle=45 * MINUTE).warned(NOW)
    used = seen(warned, NOW + 15 * MINUTE, idle=5 * MINUTE)
    assert used.verdict(NOW + 15 * MINUTE) is Verdict.WAIT
    idle_again = seen(used, NOW + 55 * MINUTE, idle=45 * MINUTE)
    assert idle_again.verdict(NOW + 55 * MINUTE) is Verdict.WARN


def test_a_wish_to_keep_it_running_counts_as_use_once() -> None:
    warned = seen(watch(), NOW, idle=45 * MINUTE).warned(NOW)
    kept = warned.kept(NOW + 5 * MINUTE, NOW + 15 * MINUTE)
    assert kept.verdict(NOW + 15 * MINUTE) is Verdict.WAIT
    assert kept.active_at == NOW + 5 * MINUTE
    assert kept.next_look_at() == NOW + LOOK_INTERVAL_SECONDS
    warned_again = kept.warned(NOW + 50 * MINUTE)
    read_again = warned_again.kept(NOW + 5 * MINUTE, NOW + 65 * MINUTE)
    assert replace(read_again, kept_read_at=warned_again.kept_read_at) == warned_again
    assert read_again.verdict(NOW + 65 * MINUTE) is Verdict.STOP


def test_an_older_wish_than_the_last_use_changes_nothing() -> None:
    used = seen(watch(), NOW, idle=10 * MINUTE)
    assert used.kept(NOW - 20 * MINUTE, NOW).active_at == used.active_at


@pytest.mark.parametrize("behind", [6 * MINUTE, 3 * HOUR, -6 * MINUTE, -3 * HOUR])
def test_a_wish_by_another_clock_counts_at_the_latest_when_it_is_read(behind: float) -> None:
    idle = seen(watch(), NOW, idle=45 * MINUTE).kept(None, NOW)
    warned = idle.warned(NOW)
    kept = warned.kept(NOW + MINUTE - behind, NOW + 2 * MINUTE)
    assert kept.warned_of_idle_at is None
    assert kept.active_at == NOW + 2 * MINUTE
    assert kept.kept(NOW + MINUTE - behind, NOW + 30 * MINUTE).active_at == kept.active_at


def test_what_ended_since_the_last_look_may_have_been_used_until_then() -> None:
    busy = seen(watch(), NOW, running="a busy kernel (python3)", there=("a", "b"))
    ended = seen(busy, NOW + 30 * MINUTE, idle=9 * HOUR, there=("b", "c"))
    assert ended.active_at == NOW + 30 * MINUTE
    begun = seen(ended, NOW + 60 * MINUTE, idle=9 * HOUR, there=("b", "c", "d"))
    assert begun.active_at == NOW + 30 * MINUTE
    unknown = begun.unobserved("Out of reach.", "Check", NOW + 70 * MINUTE)
    assert seen(unknown, NOW + 80 * MINUTE, idle=9 * HOUR).active_at == NOW + 80 * MINUTE


@pytest.mark.parametrize(("after", "counts"), [(29, False), (30.9, False), (32, True), (240, True)])
def test_a_triggerer_that_takes_over_counts_as_use_if_the_one_before_it_may_have_looked(
    after: float, counts: bool
) -> None:
    began = seen(watch(idle_for=8 * HOUR), NOW, idle=HOUR)
    resumed = began.resumed(NOW + after * MINUTE)
    assert resumed.active_at == (NOW + after * MINUTE if counts else began.active_at)
    warned = seen(watch(), NOW, idle=HOUR).warned(NOW)
    assert (warned.resumed(NOW + after * MINUTE).warned_of_idle_at is None) is (after > 16)


def test_a_trigger_that_begins_late_without_a_look_before_it_begins_as_it_is() -> None:
    assert watch().resumed(NOW) == watch()


def test_a_clock_behind_the_one_of_the_last_look_does_not_put_off_what_is_due() -> None:
    idle = seen(watch(), NOW, idle=45 * MINUTE)
    assert idle.verdict(NOW - 8) is Verdict.WARN


def test_what_nobody_knows_is_never_stopped_and_after_an_hour_an_error_with_the_reason() -> None:
    warned = seen(watch(), NOW, idle=45 * MINUTE).warned(NOW)
    unknown = warned.unobserved("It could not be reached.", "Check the network", NOW + 15 * MINUTE)
    assert unknown.verdict(NOW + 15 * MINUTE) is Verdict.WAIT
    assert unknown.next_look_at() == NOW + 15 * MINUTE + RETRY_SECONDS
    still = unknown.unobserved("The policy refuses it.", "Check the policy", NOW + 75 * MINUTE)
    with pytest.raises(NotebookInstanceUsageUnknown) as raised:
        still.verdict(NOW + 75 * MINUTE)
    assert "for 60 min" in str(raised.value)
    assert "The policy refuses it. Check the policy; then clear the task. It was not stopped." in str(raised.value)


def test_a_look_that_works_forgets_those_that_failed() -> None:
    unknown = watch().unobserved("Out of reach.", "Check the network", NOW)
    known = seen(unknown, NOW + 50 * MINUTE)
    assert known.unobserved("Out of reach.", "Check", NOW + 70 * MINUTE).verdict(NOW + 70 * MINUTE) is Verdict.WAIT


def test_a_worker_that_sees_less_than_the_triggerer_fails_after_its_sixth_look() -> None:
    asked = seen(watch(), NOW, idle=2 * HOUR).warned(NOW)
    for number in range(1, 7):
        now = NOW + number * 15 * MINUTE
        asked = seen(asked, now, idle=2 * HOUR + now - NOW)
        failed = asked.unobserved("Out of reach.", "Check the network", now)
        if number < 6:
            asked = failed.looked_in_worker()
    with pytest.raises(NotebookInstanceUsageUnknown, match="in 6 looks from a worker"):
        failed.looked_in_worker()
    used = seen(asked, NOW + 3 * HOUR)
    assert used.looked_in_worker().failed_steps == 0


@pytest.mark.parametrize("what", ["used", "kept"])
def test_what_happens_while_the_warning_is_delivered_needs_another_warning(what: str) -> None:
    idle = seen(watch(), NOW, idle=45 * MINUTE)
    warned = idle.warned(NOW + 3 * MINUTE)  # Its delivery took three minutes.
    after = (
        warned.kept(NOW + MINUTE, NOW + 18 * MINUTE)
        if what == "kept"
        else seen(warned, NOW + 18 * MINUTE, idle=17 * MINUTE)
    )
    assert after.verdict(NOW + 18 * MINUTE) is Verdict.WAIT
    assert after.verdict(NOW + 61 * MINUTE) is Verdict.WARN


def test_two_looks_may_date_the_same_activity_a_little_differently() -> None:
    warned = seen(watch(), NOW, idle=45 * MINUTE).warned(NOW)
    later = seen(warned, NOW + 15 * MINUTE + 20, idle=60 * MINUTE)
    assert later.verdict(NOW + 15 * MINUTE + 20) is Verdict.STOP


def test_a_stop_that_aws_does_not_take_is_tried_again_after_a_pause_with_another_look() -> None:
    error = SageMakerUnavailable("research", "AWS is throttling.")
    idle = seen(watch(), NOW, idle=2 * HOUR).warned(NOW)
    now = NOW + 15 * MINUTE
    for _ in range(5):
        failed = seen(idle, now, idle=2 * HOUR + now - NOW).not_stopped(error, now)
        assert failed.verdict(now) is Verdict.WAIT
        assert failed.next_look_at() == now + RETRY_SECONDS
        idle, now = failed, now + RETRY_SECONDS
    with pytest.raises(SageMakerUnavailable, match="throttling"):
        seen(idle, now, idle=2 * HOUR + now - NOW).not_stopped(error, now)


class TestAtTheLatest:
    def test_a_stop_that_failed_is_not_tried_again_at_once(self) -> None:
        error = SageMakerUnavailable("research", "AWS is throttling.")
        busy = seen(watch(stop_at=NOW), NOW, running="a busy kernel (python3)").warned(NOW - HOUR)
        assert busy.not_stopped(error, NOW).next_look_at() == NOW + RETRY_SECONDS

    @pytest.mark.parametrize("running", ["", "a busy kernel (python3)"])
    def test_the_sixth_stop_that_fails_is_an_error_whatever_is_in_use(self, running: str) -> None:
        error = SageMakerUnavailable("research", "AWS is throttling.")
        busy, now = seen(watch(stop_at=NOW), NOW, running=running).warned(NOW - HOUR), NOW
        for _ in range(5):
            busy = seen(busy, now, running=running) if running else busy.unobserved("Out of reach.", "Check", now)
            busy = busy.looked_in_worker().not_stopped(error, now)
            now += RETRY_SECONDS
        with pytest.raises(SageMakerUnavailable):
            busy.looked_in_worker().not_stopped(error, now)

    def test_while_an_update_is_in_the_way_it_is_tried_every_ten_minutes(self) -> None:
        updating = watch(stop_at=NOW).warned(NOW - HOUR).changing(NOW)
        assert updating.next_look_at() == NOW + RETRY_SECONDS

    def test_what_was_announced_for_then_is_not_announced_for_later(self) -> None:
        unknown = watch(stop_at=NOW + 15 * MINUTE).unobserved("Out of reach.", "Check", NOW).warned(NOW)
        idle = seen(unknown, NOW + 10 * MINUTE, idle=2 * HOUR)
        assert idle.verdict(NOW + 10 * MINUTE) is Verdict.WAIT
        assert pressed(idle, NOW + 12 * MINUTE).verdict(NOW + 14 * MINUTE) is Verdict.WAIT
        assert idle.verdict(NOW + 15 * MINUTE) is Verdict.STOP

    def test_an_idle_stop_that_was_announced_comes_first_and_says_what_comes_in_any_case(self) -> None:
        idle = seen(watch(stop_at=NOW + 20 * MINUTE), NOW, idle=HOUR)
        warning = idle.warning(NOW)
        assert (warning.at_latest, warning.latest_at) == (False, datetime.fromtimestamp(NOW + 20 * MINUTE, UTC))
        warned = idle.warned(NOW)
        assert warned.verdict(NOW + 14 * MINUTE) is Verdict.WAIT
        assert warned.verdict(NOW + 15 * MINUTE) is Verdict.STOP
        assert pressed(warned, NOW + 10 * MINUTE).verdict(NOW + 10 * MINUTE) is Verdict.WARN

    def test_it_is_stopped_whatever_runs_after_a_warning_that_says_what(self) -> None:
        busy = seen(watch(stop_at=NOW + HOUR), NOW, running="a busy kernel (python3)")
        assert busy.next_look_at() == NOW + LOOK_INTERVAL_SECONDS
        now = NOW + 45 * MINUTE
        busy = seen(busy, now, running="a busy kernel (python3)")
        assert busy.verdict(now) is Verdict.WARN
        warning = busy.warning(now)
        assert (warning.at_latest, warning.running, warning.idle_since) == (True, "a busy kernel (python3)", None)
        assert warning.stops_at.timestamp() == NOW + HOUR
        warned = seen(busy.warned(now), NOW + HOUR, running="a busy kernel (python3)")
        assert warned.verdict(NOW + HOUR) is Verdict.STOP

    def test_nobody_can_keep_it_running_then(self) -> None:
        warned = seen(watch(stop_at=NOW + HOUR), NOW + 45 * MINUTE).warned(NOW + 45 * MINUTE)
        assert pressed(warned, NOW + 50 * MINUTE).verdict(NOW + HOUR) is Verdict.STOP

    def test_what_nobody_knows_waits_for_it_without_an_error(self) -> None:
        unknown = watch(stop_at=NOW + 9 * HOUR).unobserved("Out of reach.", "Check the network", NOW)
        unknown = unknown.unobserved("Out of reach.", "Check the network", NOW + 5 * HOUR)
        assert unknown.verdict(NOW + 5 * HOUR) is Verdict.WAIT
        assert unknown.verdict(NOW + 8.75 * HOUR) is Verdict.WARN
        assert unknown.warning(NOW + 8.75 * HOUR).unknown == "Out of reach."
        for _ in range(6):
            unknown = unknown.looked_in_worker()
        assert unknown.warned(NOW + 8.75 * HOUR).verdict(NOW + 9 * HOUR) is Verdict.STOP

    def test_a_task_that_begins_shortly_before_gives_the_whole_warning(self) -> None:
        late = seen(watch(stop_at=NOW + MINUTE), NOW)
        assert late.verdict(NOW) is Verdict.WARN
        assert late.warning(NOW).stops_at.timestamp() == NOW + 15 * MINUTE
        assert late.warned(NOW).verdict(NOW + 14 * MINUTE) is Verdict.WAIT

    def test_a_warning_of_idleness_is_none_of_the_last_moment(self) -> None:
        warned = seen(watch(stop_at=NOW + HOUR), NOW, idle=45 * MINUTE).warned(NOW)
        used = seen(warned, NOW + 15 * MINUTE)
        assert used.verdict(NOW + 45 * MINUTE) is Verdict.WARN


def test_a_watch_survives_its_triggerer() -> None:
    before = seen(watch(stop_at=NOW + HOUR, count_connections=True, status="InService"), NOW, there=("a",))
    before = pressed(before.warned(NOW), NOW)
    stored = json.loads(json.dumps(before.as_dict()))
    assert IdleWatch.from_dict(stored, NotebookInstance) == before
    with pytest.raises(ValueError, match="newer airflow-sagemaker-presign"):
        IdleWatch.from_dict({**stored, "version": 2}, NotebookInstance)


_LOOKS = st.lists(
    st.tuples(
        st.floats(1, 4 * HOUR),
        st.sampled_from(["idle", "busy", "unknown", "kept"]),
        st.floats(0, 5 * HOUR),
    ),
    max_size=30,
)


@given(looks=_LOOKS, idle_for=st.floats(2, 3 * HOUR), share=st.floats(0.01, 0.99))
def test_no_sequence_of_looks_stops_what_is_in_use_or_was_not_warned_of(
    looks: list[tuple[float, str, float]], idle_for: float, share: float
) -> None:
    state = watch(idle_for=idle_for, warn_before=idle_for * share)
    now, warned_at, kept_at = NOW, None, 0.0
    for pause, what, idle in looks:
        now += pause
        match what:
            case "idle":
                state = seen(state, now, idle=idle)
            case "busy":
                state = seen(state, now, running="a busy kernel (python3)")
            case "kept":
                state, kept_at = pressed(state, now), now
            case "unknown":
                state = state.unobserved("Out of reach.", "Check", now)
        if not state.looked_at:
            continue
        try:
            verdict = state.verdict(now)
        except NotebookInstanceUsageUnknown:
            assert what in ("unknown", "kept")
            continue
        if verdict is Verdict.WARN:
            assert state.warning(now).stops_at.timestamp() >= now + state.warn_before - 1e-3
            state, warned_at = state.warned(now), now
        if verdict is Verdict.STOP:
            assert what == "idle"
            assert idle >= idle_for - 1e-3 or state.active_at <= now - idle_for
            assert warned_at is not None
            assert now >= warned_at + state.warn_before
            assert kept_at < warned_at
        assert state.next_look_at() >= state.looked_at + 1.0
