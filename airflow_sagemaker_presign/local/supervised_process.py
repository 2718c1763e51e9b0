"""
A process that ends with all its descendants, on request and when its parent process ends for any reason.

A process group is not enough for Airflow, whose task supervisors move to groups of their own. So a small supervisor
process adopts orphaned descendants (on Linux), and ends only when all of them have ended. It watches a pipe and its
parent's process id, since a parent that was killed with SIGKILL cannot stop anything.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.2


class SupervisedProcess:
    """
    Start a command under a supervisor, in a session of its own (Ctrl-C in a terminal does not reach it).

    :param command: the command and its arguments.
    :param log: the file that takes its output, appended.
    :param env: its environment.
    :param cwd: its working directory.
    :param grace: seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path | None = None, grace: float = 10
    ) -> None:
        self.command = list(command)
        self.log = log
        self._grace = grace
        self.killed = False
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", __name__, str(os.getpid()), str(grace), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The supervisor's process id; all other processes are its descendants."""
        return self._supervisor.pid

    def returncode(self) -> int | None:
        """Return the exit code of the command; None while it, or a descendant, runs."""
        return self._supervisor.poll()

    def tail(self, lines: int = 25) -> str:
        """Return the end of the output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Stop the process and its descendants, and return when they have ended."""
        assert self._supervisor.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._supervisor.stdin.close()
        try:
            self._supervisor.wait(self._grace + 10)
        except subprocess.TimeoutExpired:
            _kill(_descendants(psutil.Process(self.pid)))
            self._supervisor.kill()
            self._supervisor.wait()

    def kill(self) -> None:
        """Kill the process and its descendants at once, as in a power failure, so that none reacts to another's end."""
        self.killed = True
        family = [psutil.Process(self.pid)]
        # Suspend all of them first, the supervisor before the others, so that none reacts to another's end.
        _signal(signal.SIGSTOP, set(family))
        while new := _alive(_descendants(family[0])) - set(family):
            _signal(signal.SIGSTOP, new)
            family += new
        _signal(signal.SIGKILL, set(family))
        self._supervisor.wait()
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()


def _descendants(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _alive(processes: set[psutil.Process]) -> set[psutil.Process]:
    alive = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
    return alive


def _kill(processes: set[psutil.Process]) -> None:
    _signal(signal.SIGKILL, processes)


def _signal(number: signal.Signals, processes: set[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants (Linux only; elsewhere, the list of descendants has to suffice)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_all(child: subprocess.Popen[bytes], grace: float) -> None:
    """Terminate all descendants, and kill those that remain."""
    me = psutil.Process()
    known = _descendants(me)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while alive := _alive(known := known | _descendants(me)):
        if time.monotonic() > deadline:
            _kill(alive)
        child.poll()
        time.sleep(0.05)
    child.wait()
    with contextlib.suppress(ChildProcessError):  # Reap adopted processes.
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def supervise(parent: int, grace: float, command: Sequence[str]) -> int:
    """
    Run a command until it ends, standard input ends, or the parent process has changed.

    :param parent: the parent's process id.
    :param grace: seconds between SIGTERM and SIGKILL.
    :param command: the command and its arguments.
    """
    _adopt_orphans()
    stop_requested = False

    def request_stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stop_requested
        stop_requested = True

    # Handlers instead of SIG_IGN, which the command would inherit.
    signal.signal(signal.SIGTERM, request_stop)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, lambda _signal, _frame: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while child.poll() is None and os.getppid() == parent and not stop_requested:
        if select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
            break
    _end_all(child, grace)
    return child.returncode


if __name__ == "__main__":
    code = supervise(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
    sys.exit(code if code >= 0 else 128 - code)
