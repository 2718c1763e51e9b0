"""
The process that runs JupyterLab; started by ``process.JupyterProcess``, and ended with it in every case.

The first line of its standard input is its configuration, the signing key included: a command line or an
environment can be read by others (the kernels inherit it). The pipe then stays open. When it ends, the parent has
gone, however it went, and this process ends too.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any, TextIO
from urllib.parse import unquote

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.presigned_tokens import PresignedTokens

GRACE_SECONDS = 3
"""How long JupyterLab may take to end its kernels."""


class ParentsClock(LocalClock):
    """The machine's time, turned as far ahead as the parent's clock is."""

    def set_ahead(self, seconds: float) -> None:
        """Follow the parent's clock, which may stand still in the past as well."""
        self._ahead = timedelta(seconds=seconds)


def follow_parent(pipe: TextIO, clock: ParentsClock) -> None:
    """
    Take what the parent says until it is gone; then end this process.

    :param pipe: standard input.
    :param clock: the clock to turn with the parent's.
    """
    for line in pipe:
        clock.set_ahead(float(json.loads(line)["seconds_ahead"]))
    end_this_process()


def end_when_orphaned(parent: int) -> None:
    """
    End this process when its parent is another one than at the start.

    The pipe alone does not tell, if a child that the parent forked still holds its writing end.

    :param parent: the process id at the start.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    end_this_process()


def end_this_process() -> None:
    """Ask JupyterLab to end, which ends its kernels; and make sure of it."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def without_tokens(message: str) -> str:
    """
    Cut the query off every address in a text that has a token in it.

    :param message: one line of a log. ``authToken`` may be percent-encoded in it, as an address allows.
    """
    if "authtoken" not in unquote(message).lower():
        return message
    return re.sub(r"\?\S*", "?[hidden]", message)


def hide_tokens_in_logs() -> None:
    """
    Apply ``without_tokens`` to all lines, whoever writes them, at every level.

    Jupyter's access log hides tokens by itself, but not each way of writing them, and it is not the only log.
    """
    make = logging.getLogRecordFactory()

    def make_without_tokens(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg, record.args = without_tokens(record.getMessage()), None
        return record

    logging.setLogRecordFactory(make_without_tokens)


def main() -> None:
    """Run JupyterLab until the parent ends."""
    config = json.loads(sys.stdin.readline())
    clock = ParentsClock()
    clock.set_ahead(config["seconds_ahead"])
    for target, args in ((follow_parent, (sys.stdin, clock)), (end_when_orphaned, (config["parent"],))):
        threading.Thread(target=target, args=args, daemon=True).start()
    hide_tokens_in_logs()

    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    from airflow_sagemaker_presign.local.jupyter.identity import PresignedUrlIdentityProvider

    PresignedUrlIdentityProvider.tokens = PresignedTokens(bytes.fromhex(config["key"]), clock)
    LabApp.launch_instance(config["arguments"])


if __name__ == "__main__":
    main()
