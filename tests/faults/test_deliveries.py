"""What goes wrong between InService and the person: mints, sends, and the worker itself."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_sagemaker_presign.exceptions import LinkDeliveryError, NotebookInstanceStopped
from tests.faults.faults import (
    answers,
    breaks,
    cut,
    denies,
    ends_early,
    html,
    loses_the_answer,
    never_answers,
    no_connection,
    resets,
    slow,
    throttles,
)
from tests.faults.leak_detector import PIECES
from tests.faults.outcomes import MIN_VALIDITY, Error, Link, everything_holds
from tests.faults.recipients import FOR_EVER, Recipient, Send
from tests.faults.scripts import Script, during
from tests.faults.simulation import Simulation
from tests.faults.transport import DESCRIBE, MINT
from tests.helpers.secret_search import files
from tests.helpers.simulated_account import IN_SERVICE, SECRET, STOPPED


def once(what: Callable[..., object], times: float = 1) -> Script:
    """Have the mint go wrong."""
    return lambda simulation: simulation.fault(what, operations=(MINT,), times=times)


NO_LINK = LinkDeliveryError

MINTS: dict[str, tuple[Script, Link | Error]] = {
    "throttled once": (once(throttles), Link()),
    "throttled eight times": (once(throttles, 8), Link()),
    "throttled for ever": (once(throttles, math.inf), Error(NO_LINK, "no URL could be minted: SageMakerUnavailable")),
    "denied": (once(denies, math.inf), Error(NO_LINK, "no URL could be minted: SageMakerAccessDenied")),
    "500": (once(breaks(500)), Link()),
    "refused": (once(no_connection, 2), Link()),
    "reset": (once(resets, 2), Link()),
    "never answered": (once(never_answers, 2), Link()),
    "answered after twelve seconds": (once(slow(12)), Link()),
    "made, and the answer lost": (once(loses_the_answer, 2), Link()),
    "made, and the answer cut in the middle": (once(cut, 2), Link()),
    "made, and the answer ends in the middle": (once(ends_early, 2), Link()),
    "made, and every answer ends in the middle": (
        once(ends_early, math.inf),
        Error(NO_LINK, "no URL could be minted: SageMaker"),
    ),
    "answered without a URL": (once(answers(), 2), Link()),
    "answered with a sign-in page": (once(html(200), math.inf), Error(NO_LINK, "without a URL")),
    "answered with a bad gateway": (once(html(502), 2), Link()),
    "it was stopped a moment ago": (
        lambda simulation: simulation.account.happens("research", (143, STOPPED)),
        Error(NotebookInstanceStopped, "It was stopped"),
    ),
    "the observation before it is throttled for ten minutes": (during(throttles, 143, 743, DESCRIBE), Link()),
}


@pytest.mark.parametrize(("script", "expected"), MINTS.values(), ids=MINTS)
def test_a_mint(simulation: Simulation, script: Script, expected: Link | Error) -> None:
    simulation.account.plan("research", STOPPED)
    script(simulation)
    expected.check(simulation, simulation.run_one())


@pytest.mark.parametrize(
    ("sends", "attempts"),
    [
        ([Send(59)], 1),
        ([Send(arrives=False, error=OSError)] * 2, 3),
        ([Send(30, arrives=False, error=OSError)] * 2, 3),
    ],
    ids=["slow", "fails twice", "fails slowly, twice"],
)
def test_a_send_that_is_made_good(simulation: Simulation, sends: list[Send], attempts: int) -> None:
    simulation.account.plan("research", IN_SERVICE)
    outcome = simulation.run_one(notifiers=[simulation.person(*sends)])
    everything_holds(simulation, outcome)
    assert outcome.receipt is not None
    (delivery,) = outcome.receipt["deliveries"]
    assert delivery["attempts"] == attempts
    (arrival,) = simulation.inbox.arrivals
    assert simulation.validity_left(arrival) >= delivery["validity_left"] >= MIN_VALIDITY


@pytest.mark.parametrize(
    ("sends", "arrived", "words"),
    [
        ([Send(arrives=False, error=OSError)] * 3, 0, "OSError"),
        ([Send(61)], 1, "hung and was abandoned"),
        ([Send(FOR_EVER, arrives=False)], 0, "hung and was abandoned"),
        ([Send(200)], 1, "hung and was abandoned"),
        ([Send(error=TimeoutError)], 1, "it may have arrived, so it was not sent again"),
        ([Send(30, arrives=False, error=ConnectionResetError)], 0, "it may have arrived, so it was not sent again"),
    ],
    ids=["fails", "too slow", "hangs", "hangs and arrives", "arrives and times out", "is cut off"],
)
def test_a_send_that_is_not_made_good_is_named_and_the_other_arrives_once(
    simulation: Simulation, sends: list[Send], arrived: int, words: str
) -> None:
    simulation.account.plan("research", IN_SERVICE)
    both = [simulation.person(*sends), simulation.person(to="bob@example.com")]
    outcome = simulation.run_one(notifiers=both)
    everything_holds(simulation, outcome)
    assert isinstance(outcome.error, LinkDeliveryError)
    assert words in outcome.error.failures["Recipient #1 to ada@example.com"]
    assert outcome.error.delivered == ("Recipient #2 to bob@example.com",)
    to = [arrival.to for arrival in simulation.inbox.arrivals]
    assert (to.count("ada@example.com"), to.count("bob@example.com")) == (arrived, 1)


def test_a_worker_killed_between_mint_and_send_leaves_nothing_of_its_link(
    simulation: Simulation, tmp_path: Path
) -> None:
    with (tmp_path / "console").open("wb") as console:
        killed = subprocess.run(
            [sys.executable, "-m", __name__, str(tmp_path / "log")],
            stdout=console,
            stderr=console,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
    assert killed.returncode == -signal.SIGKILL
    written = files(tmp_path)
    assert b"the worker is killed now" in written["log"][0]
    assert not [place for place, values in written.items() for value in values for piece in PIECES if piece in value]
    simulation.account.plan("research", IN_SERVICE)
    Link(starts=0).check(simulation, simulation.run_one())


class Killer(Recipient):
    """A notifier whose process is killed as soon as it has the URL."""

    def notify(self, context: object) -> None:
        import logging

        assert SECRET[:8] in self.text
        logging.getLogger("somebodys.client").debug("sending %s", self.text)
        logging.getLogger("somebodys.client").warning("sending %s: the worker is killed now", self.text)
        self.log.warning("sending %s", self.text)
        print("sending", self.text, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def be_killed(path: str) -> None:
    """Run a task that logs everything to a file, and is killed between its mint and its send."""
    import logging

    logging.basicConfig(filename=path, level=logging.DEBUG, force=True)
    simulation = Simulation(pytest.MonkeyPatch())
    simulation.account.plan("research", IN_SERVICE)
    simulation.run_unwatched("research", notifiers=[Killer("ada@example.com", simulation.inbox)])


if __name__ == "__main__":
    be_killed(sys.argv[1])
