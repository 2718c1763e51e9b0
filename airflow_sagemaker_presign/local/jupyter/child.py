"""The process that runs JupyterLab, with LabApp's arguments on its command line; started by ``process``."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any
from urllib.parse import unquote


def without_tokens(message: str) -> str:
    """
    Remove the query from every URL in a text that contains a token.

    :param message: one line of a log. ``authToken`` may be percent-encoded in it, as an address allows.
    """
    if "authtoken" not in unquote(message).lower():
        return message
    return re.sub(r"\?\S*", "?[hidden]", message)


def hide_tokens_in_logs() -> None:
    """
    Apply ``without_tokens`` to all log records, of every logger and level.

    The proxy never forwards a link, but a browser may send one as its referrer.
    """
    make = logging.getLogRecordFactory()

    def make_without_tokens(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg, record.args = without_tokens(record.getMessage()), None
        return record

    logging.setLogRecordFactory(make_without_tokens)


def main() -> None:
    """Run JupyterLab until it is stopped."""
    hide_tokens_in_logs()

    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    LabApp.launch_instance(sys.argv[1:])


if __name__ == "__main__":
    main()
