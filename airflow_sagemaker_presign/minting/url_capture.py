"""A presigned URL on its way from AWS: known as a secret before anything can log it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_sagemaker_presign.minting.redaction import redacted

MINT_EVENT = "before-parse.sagemaker"
"""Of each operation; only a mint has a URL in its response."""

_minting = threading.local()


def capture_minted_urls(client: Any) -> None:
    """Have a client tell each URL that it gets; once or often makes no difference."""
    client.meta.events.register(MINT_EVENT, _capture, unique_id=MINT_EVENT)


@contextmanager
def redacted_before_logging() -> Iterator[None]:
    """Keep the URL that this thread mints in the block, with a watched client, out of all logs until the block ends."""
    with redacted() as redact_also:
        _minting.redact_also = redact_also
        try:
            yield
        finally:
            del _minting.redact_also


def _capture(response_dict: dict[str, Any], **_: Any) -> None:
    """
    Tell a minted URL to the mint of this thread.

    botocore logs the answer's body while it parses it: the URL has to be known as a secret before that.
    """
    redact_also = getattr(_minting, "redact_also", None)
    if redact_also is not None and (url := _authorized_url_in(response_dict.get("body"))):
        redact_also(url)


def _authorized_url_in(body: Any) -> str | None:
    try:
        return str(json.loads(body)["AuthorizedUrl"])
    except (KeyError, TypeError, ValueError):
        return None
