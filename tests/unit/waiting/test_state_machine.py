from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.waiting.polling_schedule import next_poll_delay, poll_delay
from airflow_sagemaker_presign.waiting.state_machine import (
    Action,
    Goal,
    WaitState,
    transition,
    transition_overdue_at,
)
from airflow_sagemaker_presign.waiting.step import decide
from airflow_sagemaker_presign.workspaces import notebook_instance
from airflow_sagemaker_presign.workspaces.base import Observation, Phase
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance, Status
from tests.helpers.scripted_sagemaker import RESEARCH

FRESH = WaitState(RESEARCH, Goal.READY, began_at=1000.0, deadline=4600.0)
SENT = replace(FRESH, sent_at=1000.0, sends=1, changed_before_send="before")
MOVED = replace(SENT, moved=True)
ALL = [*Status, "SomethingNew"]


def observation(status: str, modified: str = "before", reason: str = "") -> Observation:
    return Observation(status, RESEARCH.phase_of(status), reason, modified)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("Pending", Action.WAIT),
        ("InService", Action.DONE),
        ("Stopping", Action.WAIT),
        ("Stopped", Action.START),
        ("Failed", Action.START),
        ("Updating", Action.WAIT),
        ("PendingMaintenance", Action.WAIT),
        ("InMaintenance", Action.WAIT),
        ("SomethingNew", Action.WAIT),
    ],
)
def test_a_wait_that_nothing_was_sent_for_starts_what_can_be_started_and_waits_for_the_rest(
    status: str, action: Action
) -> None:
    assert transition(FRESH, observation(status), 1001)[1] is action


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Pending", Action.WAIT),
        ("InService", Action.DONE),
        ("Stopping", exceptions.NotebookInstanceStopped),
        ("Stopped", exceptions.NotebookInstanceStopped),
        ("Failed", exceptions.NotebookInstanceFailed),
        ("Deleting", exceptions.NotebookInstanceDeleted),
        ("Updating", Action.WAIT),
        ("PendingMaintenance", Action.WAIT),
        ("InMaintenance", Action.WAIT),
        ("SomethingNew", Action.WAIT),
    ],
)
def test_a_wait_that_observed_the_start_detects_a_later_stop(status: str, outcome: object) -> None:
    if isinstance(outcome, Action):
        assert transition(MOVED, observation(status), 1060)[1] is outcome
    else:
        with pytest.raises(outcome):  # type: ignore[call-overload]
            transition(MOVED, observation(status), 1060)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("Pending", Action.WAIT),
        ("InService", Action.STOP),
        ("Stopping", Action.WAIT),
        ("Stopped", Action.DONE),
        ("Failed", Action.DONE),
        ("Deleting", Action.DONE),
        ("Updating", Action.WAIT),
        ("PendingMaintenance", Action.WAIT),
        ("InMaintenance", Action.WAIT),
        ("SomethingNew", Action.WAIT),
    ],
)
def test_a_wait_for_stopped_stops_a_running_notebook_and_waits_for_a_transition(status: str, action: Action) -> None:
    assert transition(replace(FRESH, goal=Goal.STOPPED), observation(status), 1001)[1] is action


def test_a_stop_that_need_not_be_waited_for_is_done_when_it_is_under_way() -> None:
    assert transition(replace(FRESH, goal=Goal.STOPPING), observation("Stopping"), 1001)[1] is Action.DONE


def test_deleting_before_anything_was_sent_ends_the_wait() -> None:
    with pytest.raises(exceptions.NotebookInstanceDeleted, match="being deleted"):
        transition(FRESH, observation("Deleting"), 1001)


def test_a_failed_left_over_from_before_our_start_is_not_our_failure() -> None:
    assert transition(SENT, observation("Failed", "before"), 1010)[1] is Action.WAIT


def test_a_failed_with_a_newer_time_is_our_failure_even_if_no_pending_was_seen() -> None:
    with pytest.raises(exceptions.NotebookInstanceFailed):
        transition(SENT, observation("Failed", "after"), 1010)


def test_a_start_that_does_not_take_is_sent_once_more_after_30_s_and_then_given_up() -> None:
    assert transition(SENT, observation("Stopped"), 1030)[1] is Action.WAIT
    step = decide(SENT, observation("Stopped"), 1031)
    assert step.action is Action.START
    again = step.sent(1031)
    assert transition(again, observation("Stopped"), 1061)[1] is Action.WAIT
    with pytest.raises(exceptions.NotebookInstanceStartNotTaken, match="still Stopped"):
        transition(again, observation("Stopped"), 1062)


def test_a_stop_that_does_not_take_is_sent_once_more_after_30_s_and_then_given_up() -> None:
    sent = replace(SENT, goal=Goal.STOPPED)
    assert transition(sent, observation("InService"), 1030)[1] is Action.WAIT
    assert transition(sent, observation("InService"), 1031)[1] is Action.STOP
    with pytest.raises(exceptions.NotebookInstanceStopNotTaken):
        transition(replace(sent, sends=2), observation("InService"), 1031)


@pytest.mark.parametrize("status", ["Pending", "InService"])
def test_what_somebody_starts_again_after_our_stop_is_not_stopped_again(status: str) -> None:
    stopping, _ = transition(replace(SENT, goal=Goal.STOPPED), observation("Stopping", "during"), 1040)
    assert transition(stopping, observation(status, "later"), 1100)[1] is Action.DONE


def test_a_status_from_before_our_stop_is_not_one_that_somebody_has_started() -> None:
    stopping, _ = transition(replace(SENT, goal=Goal.STOPPED), observation("Stopping", "during"), 1040)
    assert transition(stopping, observation("InService", SENT.changed_before_send), 1100)[1] is Action.WAIT


def test_a_start_that_somebody_else_made_before_our_stop_is_waited_for_and_stopped() -> None:
    wait, action = transition(replace(FRESH, goal=Goal.STOPPED), observation("Pending"), 1001)
    assert action is Action.WAIT
    assert transition(wait, observation("InService", "after"), 1100)[1] is Action.STOP


@pytest.mark.parametrize("status", ["Updating", "InMaintenance", "PendingMaintenance"])
def test_a_notebook_stopped_by_an_update_is_started(status: str) -> None:
    wait, action = transition(MOVED, observation(status), 1060)
    assert action is Action.WAIT
    assert transition(wait, observation("Stopped", "after"), 1090)[1] is Action.START


def test_a_start_by_another_process_is_waited_for_like_our_own() -> None:
    wait, _ = transition(FRESH, observation("Pending"), 1001)
    assert wait.moved
    with pytest.raises(exceptions.NotebookInstanceStopped):
        transition(wait, observation("Stopped"), 1060)


def test_the_deadline_ends_a_wait_and_names_the_last_status() -> None:
    with pytest.raises(exceptions.NotebookInstanceWaitTimeout, match=r"after 60 min; its last known status is Pending"):
        transition(MOVED, observation("Pending"), 4600)


def test_in_service_at_the_deadline_is_in_time() -> None:
    assert transition(MOVED, observation("InService"), 9999)[1] is Action.DONE


@pytest.mark.parametrize("status", ALL)
@pytest.mark.parametrize("goal", list(Goal))
def test_every_status_ends_at_the_deadline(status: str, goal: Goal) -> None:
    for wait in (FRESH, SENT, MOVED):
        try:
            _, action = transition(replace(wait, goal=goal), observation(status, "after"), 4600)
        except exceptions.WorkspaceError:
            continue
        assert action is Action.DONE


def test_outage_slows_a_wait_down_and_the_deadline_still_ends_it() -> None:
    wait = MOVED
    pauses = []
    for _ in range(6):
        wait = wait.after_failed_request("Rate exceeded", 1060)
        pauses.append(next_poll_delay(wait, 5, 1060))
    assert pauses == [10, 20, 40, 60, 60, 60]
    with pytest.raises(exceptions.NotebookInstanceWaitTimeout, match="Rate exceeded"):
        wait.after_failed_request("Rate exceeded", 4600)


def test_observations_come_twice_per_interval_while_a_start_usually_takes_and_never_past_the_deadline() -> None:
    assert next_poll_delay(MOVED, 5, 1060) == 2.5
    assert next_poll_delay(MOVED, 5, 4599) == 1


def test_a_start_is_in_no_hurry_at_first_and_observed_less_often_when_it_drags_on() -> None:
    assert [poll_delay(MOVED, 5, 1000 + age) for age in (0, 2, 3, 599)] == [5, 5, 2.5, 2.5]
    assert [poll_delay(MOVED, 5, 1000 + age) for age in (600, 1200, 3000, 3600, 36000)] == [5, 10, 25, 30, 30]
    assert poll_delay(MOVED, 60, 1000 + 3600) == 60


def test_a_status_that_stays_means_something_once_a_start_should_have_taken() -> None:
    assert transition_overdue_at(replace(SENT, status="Stopped")) == 1031
    assert transition_overdue_at(replace(SENT, status="Pending")) is None
    assert transition_overdue_at(replace(MOVED, status="Stopped")) is None
    assert transition_overdue_at(replace(FRESH, status="Stopped")) is None


def test_the_time_of_a_change_is_the_same_text_in_every_zone() -> None:
    moment = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(hours=9)))
    texts = {
        RESEARCH.observation_of({"NotebookInstanceStatus": "Failed", "LastModifiedTime": at}).changed_at
        for at in (moment, there)
    }
    assert texts == {"2026-03-02 08:00:00+00:00"}


def test_a_new_status_that_a_start_is_possible_from_is_written_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook_instance, "PHASES", {**notebook_instance.PHASES, "Hibernated": Phase.STOPPED})
    assert transition(FRESH, observation("Hibernated"), 1001)[1] is Action.START
    assert transition(SENT, observation("Hibernated"), 1010)[1] is Action.WAIT
    assert transition(SENT, observation("Hibernated"), 1031)[1] is Action.START
    assert transition_overdue_at(replace(SENT, status="Hibernated")) == 1031
    assert transition(replace(FRESH, goal=Goal.STOPPED), observation("Hibernated"), 1001)[1] is Action.DONE
    with pytest.raises(exceptions.NotebookInstanceStopped):
        transition(MOVED, observation("Hibernated"), 1060)


def test_outage_at_the_deadline_says_what_to_do_about_it_instead_of_waiting_longer() -> None:
    with pytest.raises(exceptions.NotebookInstanceWaitTimeout, match=r"Rate exceeded\. Ask for less\."):
        MOVED.after_failed_request("Rate exceeded.", 4600, "Ask for less.")


def test_a_wait_survives_the_way_through_a_triggers_arguments() -> None:
    assert WaitState.from_dict(MOVED.as_dict(), NotebookInstance) == MOVED


def test_a_wait_that_the_release_before_stored_goes_on() -> None:
    stored = {
        "notebook_instance_name": "research",
        "goal": "InService",
        "began_at": 1000.0,
        "deadline": 4600.0,
        "status": "Pending",
        "sent_at": 1000.0,
        "sends": 1,
        "left_behind": "before",
        "moved": True,
        "troubles": 2,
    }
    assert WaitState.from_dict(stored, NotebookInstance) == replace(MOVED, status="Pending", failed_requests=2)
    begun = {key: stored[key] for key in ("notebook_instance_name", "goal", "began_at", "deadline")}
    assert WaitState.from_dict(begun, NotebookInstance) == FRESH


def test_a_wait_that_a_later_release_stored_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="version 3 was stored by a newer"):
        WaitState.from_dict({**MOVED.as_dict(), "version": 3}, NotebookInstance)


@pytest.mark.parametrize(
    ("reason", "kind", "advice"),
    [
        (
            "Insufficient notebook instance capacity. Retry later or with a different instance type.",
            exceptions.NotebookInstanceNoCapacity,
            "another instance type",
        ),
        (
            "We currently do not have sufficient ml.p3.2xlarge capacity in the Availability Zone you requested.",
            exceptions.NotebookInstanceNoCapacity,
            "another instance type",
        ),
        (
            "The maximum number of running notebook instances has been reached.",
            exceptions.NotebookInstanceQuotaExceeded,
            "Service Quotas",
        ),
        (
            "You have requested more vCPU capacity for ml.p3.2xlarge than your current vCPU limit: quota exceeded.",
            exceptions.NotebookInstanceFailed,
            "console",
        ),
        (
            "Notebook Instance Lifecycle Config 'arn:aws:sagemaker:eu-central-1:123456789012:"
            "notebook-instance-lifecycle-config/setup' for Notebook Instance 'arn:aws:sagemaker:eu-central-1:"
            "123456789012:notebook-instance/research' took longer than 5 minutes. Please check your CloudWatch logs "
            "for more details if your Notebook Instance has Internet access.",
            exceptions.NotebookInstanceLifecycleConfigFailed,
            "research/LifecycleConfigOnStart",
        ),
        (
            "The account-level service limit 'ml.g5.xlarge for notebook instance usage' is 0 Instances.",
            exceptions.NotebookInstanceQuotaExceeded,
            "Service Quotas",
        ),
        (
            "You have exceeded the service quota for notebook instances in this Region.",
            exceptions.NotebookInstanceQuotaExceeded,
            "Service Quotas",
        ),
        (
            "The maximum number of network interfaces has been reached: NetworkInterfaceLimitExceeded for the subnet "
            "of notebook instance usage.",
            exceptions.NotebookInstanceFailed,
            "console",
        ),
        (
            "Unable to create the elastic network interface: service limit exceeded for ml.t3.medium.",
            exceptions.NotebookInstanceFailed,
            "console",
        ),
        ("fatal: unable to clone the Git repository: quota exceeded", exceptions.NotebookInstanceFailed, "console"),
        ("Disk quota exceeded on the ml.t3.medium volume.", exceptions.NotebookInstanceFailed, "console"),
        (
            "The subnet has insufficient free IP addresses, no capacity.",
            exceptions.NotebookInstanceFailed,
            "console",
        ),
        ("EFS mount targets: quota exceeded for notebook instances", exceptions.NotebookInstanceFailed, "console"),
        ("Log groups of notebook instances: limit exceeded", exceptions.NotebookInstanceFailed, "console"),
        ("Secrets of notebook instances: quota exceeded", exceptions.NotebookInstanceFailed, "console"),
        ("Rate limit exceeded", exceptions.NotebookInstanceFailed, "console"),
        (
            "Notebook Instance Lifecycle Config 'arn:x/quota-insufficient-capacity' failed: service limit.",
            exceptions.NotebookInstanceLifecycleConfigFailed,
            "research/LifecycleConfigOnStart",
        ),
        ("Internal Failure", exceptions.NotebookInstanceFailed, "console"),
        ("", exceptions.NotebookInstanceFailed, "no reason given"),
    ],
)
def test_a_failure_reason_becomes_an_error_that_says_what_to_do(
    reason: str, kind: type[exceptions.WorkspaceError], advice: str
) -> None:
    error = RESEARCH.failure(reason)
    assert type(error) is kind
    assert "'research'" in str(error)
    assert reason in str(error)
    assert advice in str(error)


@pytest.mark.parametrize("kind", [*exceptions.WorkspaceError.kinds()])
def test_every_error_survives_the_way_from_the_trigger(kind: type[exceptions.WorkspaceError]) -> None:
    error = kind("research", "It happened.", "Do this.")
    back = exceptions.WorkspaceError.from_event(error.as_event())
    assert type(back) is kind
    assert str(back) == str(error)
