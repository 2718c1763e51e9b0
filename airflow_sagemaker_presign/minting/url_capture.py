"""Capture each minted URL from AWS's response for redaction, before anything can log it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_sagemaker_presign.minting.redaction import redacted

MINT_EVENT = "before-parse.sagemaker"
"""botocore's event for the responses of all operations; only the one to a mint has a URL."""

_minting = threading.local()


def capture_minted_urls(client: Any) -> None:
    """Register the capture with a client; repeated calls have no further effect."""
    client.meta.events.register(MINT_EVENT, _capture, unique_id=MINT_EVENT)


@contextmanager
def redacted_before_logging() -> Iterator[None]:
    """Redact the URL that this thread mints in the block, with a registered client, until the block ends."""
    with redacted() as redact_also:
        _minting.redact_also = redact_also
        try:
            yield
        finally:
            del _minting.redact_also


def _capture(response_dict: dict[str, Any], **_: Any) -> None:
    """
    Register a minted URL for redaction.

    botocore logs the body of a response while it parses it, so the URL must be registered before that.
    """
    redact_also = getattr(_minting, "redact_also", None)
    if redact_also is not None and (url := _authorized_url_in(response_dict.get("body"))):
        redact_also(url)


def _authorized_url_in(body: Any) -> str | None:
    try:
        return str(json.loads(body)["AuthorizedUrl"])
    except (KeyError, TypeError, ValueError):
        return None
