"""A real headless Chromium that sends requests only to the pages under test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOST = "airflow.example"
"""A host name that this browser finds on this machine."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
    "--no-proxy-server",
)


def installed() -> str | None:
    """Where Chromium is, if it is on this machine."""
    return shutil.which("chromium")


def is_wanted() -> bool:
    """Return whether to run the tests of Chromium: without it they are skipped, except in CI, where they fail."""
    return installed() is not None or bool(os.environ.get("CI"))


@contextmanager
def launched() -> Iterator[Browser]:
    """Start it, and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=ARGUMENTS)
        yield browser
        browser.close()
