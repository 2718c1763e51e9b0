"""Whatever happens: by the deadline a link that works for long enough, or an error that says why; never the URL."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.exceptions import LinkDeliveryError, WorkspaceError
from tests.faults.sequences import MAINTENANCE, Sequence, sequences
from tests.faults.simulation import Outcome, Simulation
from tests.helpers.simulated_account import STOPPED, STOPPING

SEQUENCES = int(os.environ.get("FAULT_SEQUENCES", "250"))
"""``make long`` tries many more."""

UNDER_WAY_IN_TRIGGERER = 17.0
"""Seconds: one request that is never answered, and what the poller takes to turn round."""

UNDER_WAY_IN_WORKER = 5 * 15.0 + 20.0
"""Seconds: botocore's five attempts at one request that are never answered, and its pauses between them."""

LAST_OBSERVATION_SECONDS = 30.0
"""Seconds that a restarted triggerer gives a wait for an observation after its deadline."""

MAX_LAST_OBSERVATION_SECONDS = 240.0
"""Seconds, at most, for which it tries to find out how to ask, when the database is away meanwhile."""

CAUSES: dict[type[Exception], tuple[str, ...]] = {
    exceptions.NotebookInstanceNotFound: ("gone",),
    exceptions.NotebookInstanceDeleted: ("gone", "Deleting"),
    exceptions.NotebookInstanceNoCapacity: ("Failed",),
    exceptions.NotebookInstanceStopped: (STOPPED, STOPPING, *MAINTENANCE),
    exceptions.NotebookInstanceStartNotTaken: (STOPPED, "Failed"),
    exceptions.SageMakerAccessDenied: ("denies",),
    exceptions.AwsConnectionUnusable: (),
}
"""What has to be in a script for an error to be right about it. A deadline is right about itself."""


@settings(
    max_examples=SEQUENCES,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(sequence=sequences())
def test_any_sequence_ends_in_time_in_a_link_that_works_or_in_an_error_that_has_a_reason(sequence: Sequence) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        simulation = Simulation(monkeypatch)
        sequence.set(simulation)
        people = [simulation.person(*sends, to=f"person-{number}") for number, sends in enumerate(sequence.people)]
        outcome, *_ = simulation.run(
            *sequence.names,
            deferrable=sequence.deferrable,
            timeout=sequence.timeout,
            poll_interval=sequence.poll_interval,
            min_validity=sequence.min_validity,
            delivery_attempts=sequence.attempts,
            require=sequence.require,
            notifiers=people,
        )
    assert simulation.leak_detector.lines
    assert simulation.leak_detector.leaks() == []
    ends_in_time(sequence, outcome)
    if outcome.error is None:
        has_links(sequence, simulation, outcome)
    else:
        has_a_reason(sequence, simulation, outcome, outcome.error)
    nobody_has_two(sequence, simulation)


def ends_in_time(sequence: Sequence, outcome: Outcome) -> None:
    if sequence.deferrable:
        waited_until, late = outcome.waited_until or 0.0, UNDER_WAY_IN_TRIGGERER
        # Each triggerer that restarts after the deadline makes one more observation, if it can.
        late += len(sequence.kills) * (sequence.back_after + LAST_OBSERVATION_SECONDS)
        if sequence.away is not None:
            late += MAX_LAST_OBSERVATION_SECONDS
    else:
        # A delivery comes after the wait.
        delivered = outcome.error is None or isinstance(outcome.error, LinkDeliveryError)
        waited_until, late = 0.0 if delivered else outcome.ended, UNDER_WAY_IN_WORKER
    assert waited_until <= sequence.timeout + late
    a_try = 2 * UNDER_WAY_IN_WORKER + 300 + 4
    assert outcome.ended <= sequence.timeout + UNDER_WAY_IN_WORKER + late + sequence.attempts * a_try


def has_links(sequence: Sequence, simulation: Simulation, outcome: Outcome) -> None:
    assert outcome.receipt is not None
    deliveries = outcome.receipt["deliveries"]
    assert len(deliveries) == len(sequence.people)
    good = [delivery for delivery in deliveries if "failure" not in delivery]
    assert len(good) == len(sequence.people) if sequence.require == "all" else good
    for delivery in good:
        person = delivery["notifier"].rpartition(" ")[2]
        (arrival,) = simulation.arrivals(to=person)
        assert simulation.validity_left(arrival) >= sequence.min_validity
        assert simulation.validity_left(arrival) >= delivery["validity_left"] - 0.1


def has_a_reason(sequence: Sequence, simulation: Simulation, outcome: Outcome, error: Exception) -> None:
    if not isinstance(error, (WorkspaceError, LinkDeliveryError)):
        # Airflow's own words, when its database was away before the task had begun anything.
        assert sequence.away is not None, repr(error)
        assert simulation.transport.requests == [], repr(error)
        return
    assert "'research'" in str(error)
    assert error.problem in str(error)
    assert error.advice in str(error)
    if isinstance(error, LinkDeliveryError):
        assert all(error.failures.values())
        without = len(sequence.people) - len(error.delivered)
        assert len(error.failures) == without > 0
    elif isinstance(error, exceptions.NotebookInstanceWaitTimeout):
        assert simulation.time.seconds >= sequence.timeout
        assert "last known status is" in error.problem
    elif isinstance(error, exceptions.SageMakerUnavailable):
        # It ends no wait that AWS ever answered; but a task has to describe what it sends.
        assert outcome.reached or "has not responded to any request" in error.problem, repr(error)
        assert sequence.fault_windows or sequence.expires, repr(error)
    else:
        right = sequence.contains(*CAUSES[type(error)])
        missing = isinstance(error, exceptions.SageMakerAccessDenied) and sequence.away is not None
        assert right or missing, repr(error)


def nobody_has_two(sequence: Sequence, simulation: Simulation) -> None:
    for number in range(len(sequence.people)):
        assert len(simulation.arrivals(to=f"person-{number}")) <= 1
