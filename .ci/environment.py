"""
Create the virtual environment ``.venv`` of this checkout if it does not exist, then run a command in it.

    python3 .ci/environment.py GROUP[:VERSIONS] COMMAND [ARGUMENT...]

This runs before anything is installed, so it needs Python's standard library only. GROUP is a dependency group of
pyproject.toml, or ``demo`` for none. Versions come from constraints.txt; with other VERSIONS, such as ``3.1.8``, from
.ci/constraints-3.1.8.txt, and the environment is ``.venv-3.1.8``.
An incomplete environment is created again; a complete one is used until its inputs change.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Collection
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
GROUP, _, VERSIONS = sys.argv[1].partition(":")
VENV = ROOT / (f".venv-{VERSIONS}" if VERSIONS else ".venv")
CONSTRAINTS = ROOT / (f".ci/constraints-{VERSIONS}.txt" if VERSIONS else "constraints.txt")
STAMP = VENV / "ready.json"
LOG = VENV / "install.log"
# An environment for the tests also serves the demo, and one for the fleet serves both; the smaller is created faster.
SERVES = {
    "demo": ("demo",),
    "docs": ("docs",),
    "test": ("demo", "test"),
    "newest": ("demo", "test", "newest"),
    "fab": ("demo", "test", "newest", "fab"),
    "fleet": ("demo", "test", "newest", "fleet"),
}
# Tools that read this package, but need neither it nor Airflow to be installed.
ALONE = ("docs",)
PR_SET_PDEATHSIG = 1
STARTED = time.monotonic()


class Failed(Exception):
    """The environment could not be made; the message states the reason."""


def main() -> None:
    """Create the environment, then replace this process with the command."""
    command = sys.argv[2:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        with Path(__file__).open() as lock:
            hold(lock.fileno())
            make(GROUP)
    except Failed as error:
        sys.exit(f"{error}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    path = os.pathsep.join((str(VENV / "bin"), os.environ.get("PATH", os.defpath)))
    os.execvpe(command[0], command, {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV)})


def hold(lock: int) -> None:
    """Wait for other processes that are creating the environment. The kernel releases the lock when its holder ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another process is creating the Python environment; waiting for it ...")
        fcntl.flock(lock, fcntl.LOCK_EX)


def make(group: str) -> None:
    """
    Create the environment, or what is missing in it.

    :param group: what has to be in the environment besides the extra ``local``, which has all that the demo needs.
    :raises Failed: when it cannot be created.
    """
    wanted = fingerprint()
    there = groups_there(wanted)
    if group in there:
        return
    if importlib.util.find_spec("ensurepip") is None:
        raise Failed("This Python has no venv module. On Debian and Ubuntu: apt install python3-venv")
    if not there:
        say(f"Creating a Python environment in {VENV.name}; this takes a minute or two, the first time only.")
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True)
    STAMP.unlink(missing_ok=True)
    # First a pip that resolves in half the time, and the build tools of this package and of packages without a wheel:
    # otherwise pip creates an environment for each of them.
    install("--upgrade", "pip", "hatchling", "hatch-fancy-pypi-readme", "editables", "setuptools")
    more = () if group == "demo" else ("--group", f"{ROOT}/pyproject.toml:{group}")
    package = () if group in ALONE else ("--no-build-isolation", "--editable", f"{ROOT}[local]")
    install(*more, *package)
    if not VERSIONS:
        # pip compiles one file after the other; this takes all cores. With other versions only what is used is.
        run("compiling", "-m", "compileall", "-q", "-j", "0", *map(str, VENV.glob("lib/python*/site-packages")))
    STAMP.write_text(json.dumps({"fingerprint": wanted, "group": group}))
    say(f"Installed in {VENV.name}: {time.monotonic() - STARTED:.0f} s")


def fingerprint() -> str:
    """Return a digest of the inputs of the environment: versions, Python, location."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    made_from = (
        project["build-system"],
        project["project"],
        project["dependency-groups"],
        CONSTRAINTS.read_text(),
        Path(__file__).read_text(),
        sys.version,
        str(VENV),
    )
    return hashlib.sha256(repr(made_from).encode()).hexdigest()


def groups_there(wanted: str) -> Collection[str]:
    """
    Return the groups that the environment has; none if it must not be used.

    :param wanted: the expected fingerprint.
    """
    try:
        stamp = json.loads(STAMP.read_text())
        subprocess.run(
            [VENV / "bin" / "python", "-c", "import sphinx" if GROUP in ALONE else "import airflow_sagemaker_presign"],
            check=True,
            cwd=VENV,
            capture_output=True,
        )
    except (OSError, ValueError, subprocess.CalledProcessError):
        return ()
    return SERVES[stamp["group"]] if stamp["fingerprint"] == wanted else ()


def install(*what: str) -> None:
    """
    Run ``pip install``.

    :param what: its last arguments.
    :raises Failed: when it fails, with the end of its output.
    """
    options = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile")
    code = run("resolving packages", "-m", "pip", "install", *options, "-c", str(CONSTRAINTS), *what)
    if code:
        end = "".join(LOG.read_text().splitlines(True)[-15:])
        raise Failed(f"{end}\npip could not install it; its output is in {LOG}")


def run(doing: str, *arguments: str) -> int:
    """
    Run the environment's Python, and show how far it is. It ends with this process.

    :param doing: what it does, for the progress line.
    :param arguments: for Python.
    :return: its exit code.
    """
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            [VENV / "bin" / "python", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            if process.stdout is not None:
                follow(process.stdout, log, doing)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
    return code


def follow(process_output: IO[bytes], log: IO[bytes], doing: str) -> None:
    """Log the output, and show the progress: on a terminal in one updated line, otherwise in a line now and then."""
    on_terminal = sys.stderr.isatty()
    shown = time.monotonic()
    output = b""
    while True:
        if select.select([process_output], [], [], 0.5)[0]:
            chunk = os.read(process_output.fileno(), 65536)
            if not chunk:
                break
            log.write(chunk)
            output += chunk
        if time.monotonic() - shown > (0.5 if on_terminal else 20):
            shown = time.monotonic()
            text = f"  {shown - STARTED:4.0f} s  {pip_progress(output) or doing}"
            sys.stderr.write(f"\r{text}\033[K" if on_terminal else f"{text}\n")
            sys.stderr.flush()
    if on_terminal:
        sys.stderr.write("\r\033[K")


def pip_progress(output: bytes) -> str:
    """Return pip's progress as text; empty if it is unknown."""
    if installing := re.search(rb"^Installing collected packages: (.*)", output, re.MULTILINE):
        return f"installing {installing[1].count(b',') + 1} packages"
    found = len(re.findall(rb"^(Collecting|Processing) ", output, re.MULTILINE))
    return f"fetching packages, {found} so far" if found else ""


def die_with_parent() -> None:
    """Make the kernel end pip when this process is killed. On other systems than Linux, pip's next output ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def say(line: str) -> None:
    """Print a line for the user."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
