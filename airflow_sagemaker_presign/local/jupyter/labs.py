"""The running JupyterLabs: one for each open notebook instance, and one in reserve for the first."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from pathlib import Path

from airflow_sagemaker_presign.local.jupyter.process import JupyterFailed, JupyterProcess


class JupyterLabs:
    """
    Assigns JupyterLabs to notebook instances.

    :param folder: where the files of all notebook instances are kept, and the log.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "jupyter.log"
        self._folder = folder
        # The path of a socket is limited to about a hundred characters; that of a folder is not.
        self._sockets = Path(tempfile.mkdtemp(prefix="local-sagemaker-"))
        self._numbers = itertools.count(1)
        self._spare: JupyterProcess | None = None
        self._running: set[JupyterProcess] = set()
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def pids(self) -> list[int]:
        """The process ids of all running JupyterLabs, including the one in reserve."""
        with self._lock:
            return [process.pid for process in self._running if process.pid]

    def start_spare(self) -> None:
        """Start a JupyterLab in reserve for the notebook instance that is opened first, since a start takes seconds."""
        self._spare = self._start()

    def wait_for_spare(self) -> None:
        """
        Return when the JupyterLab in reserve responds.

        :raises JupyterFailed: when it does not start.
        """
        if self._spare is not None:
            self._spare.wait()

    def open(self, region: str, name: str) -> JupyterProcess:
        """
        Assign a JupyterLab to a notebook instance, and return it when it responds.

        :param region: the notebook instance's region.
        :param name: its name.
        :raises JupyterFailed: when it does not start.
        """
        with self._lock:
            process, self._spare = self._spare, None
        if process is None or not process.runs():
            process = self._start()
        process.assign(self._folder / "notebooks" / region / name)
        try:
            process.wait()
        except JupyterFailed:
            self.end(process)
            raise
        return process

    def end(self, process: JupyterProcess) -> None:
        """Stop a JupyterLab, with its kernels and terminals."""
        process.stop()
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """Stop all JupyterLabs."""
        with self._lock:
            self._stopped, running = True, list(self._running)
        threads = [threading.Thread(target=self.end, args=(process,)) for process in running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _start(self) -> JupyterProcess:
        number = next(self._numbers)
        state = Path(tempfile.mkdtemp(prefix=f"jupyter-{number}-", dir=self._folder))
        process = JupyterProcess(state, self._sockets / str(number), self.log)
        with self._lock:
            if self._stopped:
                raise RuntimeError("The local services are being stopped.")
            process.start()
            self._running.add(process)
        return process
