"""One JupyterLab: its process, its folders, its socket."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import ClassVar

from airflow_sagemaker_presign.local.jupyter.identity import NOTEBOOK_HEADER
from airflow_sagemaker_presign.local.jupyter.welcome import write_settings, write_welcome
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess

READY_SECONDS = 60
GRACE_SECONDS = 3
"""How long a JupyterLab may take to end its kernels before all of them are killed."""
_PROBE = (
    f"GET /api/status HTTP/1.1\r\nHost: localhost\r\n{NOTEBOOK_HEADER}: probe\r\nConnection: close\r\n\r\n".encode()
)


class JupyterFailed(RuntimeError):
    """JupyterLab did not start; the message contains the end of its log."""


class JupyterProcess:
    """
    A JupyterLab, which belongs to no notebook instance until it is assigned to one.

    :param state: its own folder, removed when it ends: settings, workspaces, runtime files.
    :param socket_path: the socket on which it listens; the system limits the length of this path.
    :param log: the file that its log is appended to.
    """

    log_level: ClassVar[str] = "INFO"

    def __init__(self, state: Path, socket_path: Path, log: Path) -> None:
        self.socket_path = socket_path
        self.log = log
        self._state = state
        # Its root is a symbolic link to the files of the notebook instance that it is assigned to.
        self._root = state / "root"
        self._process: SupervisedProcess | None = None

    @property
    def pid(self) -> int | None:
        """The process id of its supervisor, while it runs; all other processes are its descendants."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; ``wait`` returns when it responds."""
        nothing = self._state / "nothing"
        nothing.mkdir(parents=True)
        self._root.symlink_to(nothing)
        write_settings(self._settings)
        command = [sys.executable, "-m", "airflow_sagemaker_presign.local.jupyter.child", *self._arguments()]
        self._process = SupervisedProcess(command, log=self.log, env=self._environment(), grace=GRACE_SECONDS)

    def wait(self) -> None:
        """
        Wait until JupyterLab responds.

        :raises JupyterFailed: when it ends instead, or takes more than a minute.
        """
        give_up = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up:
            if not self.runs():
                raise JupyterFailed(f"JupyterLab ended while it was starting. {self._end_of_log()}")
            if self._responds():
                return
            time.sleep(0.1)
        self.stop()
        raise JupyterFailed(f"JupyterLab did not respond within {READY_SECONDS} s. {self._end_of_log()}")

    def runs(self) -> bool:
        """Return whether its process is running."""
        return self._process is not None and self._process.returncode() is None

    def assign(self, files: Path) -> None:
        """
        Assign this JupyterLab to a notebook instance.

        :param files: the notebook instance's files.
        """
        files.mkdir(parents=True, exist_ok=True)
        write_welcome(files)
        target = self._state / "root.new"
        target.symlink_to(files)
        target.replace(self._root)

    def stop(self) -> None:
        """Stop it, its kernels and terminals, and all processes that these have started."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        self.socket_path.unlink(missing_ok=True)
        shutil.rmtree(self._state, ignore_errors=True)

    @property
    def _settings(self) -> Path:
        return self._state / "settings"

    def _arguments(self) -> list[str]:
        return [
            f"--ServerApp.sock={self.socket_path}",
            f"--ServerApp.log_level={self.log_level}",
            "--ServerApp.open_browser=False",
            "--ServerApp.allow_root=True",
            # "Shut Down" in the menu would end it for every link that is still to come.
            "--ServerApp.quit_button=False",
            f"--ServerApp.root_dir={self._root}",
            "--ServerApp.identity_provider_class="
            "airflow_sagemaker_presign.local.jupyter.identity.NotebookIdentityProvider",
            "--IdentityProvider.token=",
            # No requests to the internet.
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
            f"--LabApp.user_settings_dir={self._settings}",
            f"--LabApp.workspaces_dir={self._state / 'workspaces'}",
        ]

    def _environment(self) -> dict[str, str]:
        # Ignore the user's own Jupyter configuration.
        foreign = ("JUPYTER", "AIRFLOW__", "AIRFLOW_CONN_", "AWS_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        return kept | {
            "JUPYTER_CONFIG_DIR": str(self._state / "config"),
            "JUPYTER_DATA_DIR": str(self._state / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._state / "runtime"),
            "PYTHONUNBUFFERED": "1",
        }

    def _responds(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket_path))
                connection.sendall(_PROBE)
                return connection.recv(12).endswith(b" 200")
        except OSError:
            return False

    def _end_of_log(self) -> str:
        # The log may have been removed with its folder when this message is read.
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        return "\n".join([f"The end of its log, {self.log}:", *lines])
