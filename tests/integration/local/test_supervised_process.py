from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.until import until

# A command whose child is in its own process group, as Airflow's task supervisors are, and ignores SIGTERM.
FAMILY = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / "child").write_text(str(os.getpid()))
    time.sleep(60)
(folder / "parent").write_text(str(os.getpid()))
time.sleep(60)
"""
STARTER = """
import os, sys, time
from pathlib import Path
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
process = SupervisedProcess(sys.argv[2:], log=Path(sys.argv[1]), env=os.environ, grace=0.5)
time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def pids_in(folder: Path) -> list[int]:
    until(
        lambda: all((folder / name).exists() and (folder / name).read_text() for name in ("parent", "child")),
        timeout=10,
    )
    return [int((folder / name).read_text()) for name in ("parent", "child")]


def test_stopping_ends_children_in_other_process_groups_that_are_deaf_to_sigterm_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FAMILY, str(tmp_path)]
    process = SupervisedProcess(command, log=tmp_path / "log", env=os.environ, grace=0.5)
    family = pids_in(tmp_path)

    process.stop()

    assert all(is_gone(pid) for pid in [*family, process.pid])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_all_end_when_the_one_who_started_them_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", FAMILY, str(tmp_path)]
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log"), *command],
        # Where these tests run in the background of a shell, Ctrl-C is ignored from the start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    family = pids_in(tmp_path)

    starter.send_signal(number)
    starter.wait(10)

    until(lambda: all(is_gone(pid) for pid in family), timeout=10)


def test_children_that_outlive_the_command_are_ended_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FAMILY, str(tmp_path)]
    process = SupervisedProcess(command, log=tmp_path / "log", env=os.environ, grace=0.5)
    parent, child = pids_in(tmp_path)

    os.kill(parent, signal.SIGKILL)

    until(lambda: process.returncode() is not None, timeout=10)
    assert is_gone(child)


def test_the_exit_code_and_the_end_of_the_output_are_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)"]
    process = SupervisedProcess(command, log=tmp_path / "log", env=os.environ)

    until(lambda: process.returncode() is not None, timeout=10)

    assert process.returncode() == 7
    assert sorted(process.tail().split()) == ["one", "two"]
    process.stop()


def test_killing_ends_all_descendants_without_sigterm(tmp_path: Path) -> None:
    tells = 'import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: print("told"))\n'
    command = [sys.executable, "-uc", tells + FAMILY, str(tmp_path)]
    process = SupervisedProcess(command, log=tmp_path / "log", env=os.environ, grace=0.5)
    family = pids_in(tmp_path)

    process.kill()

    assert process.killed
    until(lambda: all(is_gone(pid) for pid in [*family, process.pid]), timeout=10)
    assert "told" not in process.tail()
    process.stop()
