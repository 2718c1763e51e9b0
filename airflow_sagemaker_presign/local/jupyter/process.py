"""Starts the process that runs JupyterLab, and ends it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, ClassVar

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.jupyter.welcome import write_welcome

LOOPBACK = "127.0.0.1"
READY_SECONDS = 60
STOP_SECONDS = 5


class JupyterFailed(RuntimeError):
    """JupyterLab did not come up; the message shows the end of its log."""


class JupyterProcess:
    """
    One JupyterLab for all notebook instances of a local SageMaker.

    :param folder: its own place: notebooks, settings, log.
    :param signing_key: what presigned URLs are signed with.
    :param clock: what time it is.
    """

    log_level: ClassVar[str] = "INFO"

    def __init__(self, folder: Path, signing_key: bytes, clock: LocalClock) -> None:
        self.root = folder / "notebooks"
        self.log = folder / "jupyter.log"
        self._state = folder / "jupyter"
        self._key = signing_key
        self._clock = clock
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        clock.on_advance(self._tell_clock)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it; ``wait`` tells when it answers."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._state.mkdir(parents=True, exist_ok=True)
        write_welcome(self.root, self._state)
        self._port = _free_port()
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow_sagemaker_presign.local.jupyter.child"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                env=self._environment(),
                # Ctrl-C in the terminal is for the parent, which then ends this one in good order.
                start_new_session=True,
            )
        config = {
            "key": self._key.hex(),
            "parent": os.getpid(),
            "seconds_ahead": self._clock.seconds_ahead,
            "arguments": self._arguments(),
        }
        self._say(config)

    def wait(self) -> None:
        """
        Return as soon as it answers.

        :raises JupyterFailed: when it ends instead, or takes more than a minute.
        """
        give_up = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up:
            if self._process is None or self._process.poll() is not None:
                raise JupyterFailed(f"JupyterLab ended while it was starting. {self._end_of_log()}")
            if self._answers():
                return
            time.sleep(0.1)
        self.stop()
        raise JupyterFailed(f"JupyterLab did not answer within {READY_SECONDS} s. {self._end_of_log()}")

    def stop(self) -> None:
        """End it, its kernels and terminals."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _close(process.stdin)

    def _arguments(self) -> list[str]:
        return [
            f"--ServerApp.ip={LOOPBACK}",
            f"--ServerApp.port={self._port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.log_level={self.log_level}",
            "--ServerApp.open_browser=False",
            "--ServerApp.allow_root=True",
            # "Shut Down" in the menu would end it for every link that is still to come.
            "--ServerApp.quit_button=False",
            f"--ServerApp.root_dir={self.root}",
            "--ServerApp.identity_provider_class="
            "airflow_sagemaker_presign.local.jupyter.identity.PresignedUrlIdentityProvider",
            "--IdentityProvider.token=",
            # Nothing is asked of the internet.
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
            f"--LabApp.user_settings_dir={self._state / 'settings'}",
            f"--LabApp.workspaces_dir={self._state / 'workspaces'}",
        ]

    def _environment(self) -> dict[str, str]:
        # The person's own Jupyter configuration is for their own Jupyter.
        foreign = ("JUPYTER", "AIRFLOW__", "AWS_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        return kept | {
            "JUPYTER_CONFIG_DIR": str(self._state / "config"),
            "JUPYTER_DATA_DIR": str(self._state / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._state / "runtime"),
            "PYTHONUNBUFFERED": "1",
        }

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/status", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True  # Refused, since we brought no link: it is up.
        except OSError:
            return False

    def _end_of_log(self) -> str:
        # The log itself may be gone, with its folder, by the time that somebody reads this.
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        return "\n".join([f"The end of its log, {self.log}:", *lines])

    def _tell_clock(self) -> None:
        if self._process is not None:
            self._say({"seconds_ahead": self._clock.seconds_ahead})

    def _say(self, message: dict[str, object]) -> None:
        pipe = self._process.stdin if self._process else None
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(json.dumps(message) + "\n")
                pipe.flush()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _close(pipe: IO[str] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
