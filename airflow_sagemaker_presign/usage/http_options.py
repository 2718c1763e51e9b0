"""How requests reach a Jupyter server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class HttpOptions(NamedTuple):
    """
    How requests reach a Jupyter server: as the hook's requests reach AWS.

    :param verify: whether, or with which CA bundle, TLS certificates are checked.
    :param proxies: the proxies in botocore's configuration, by scheme; ``None``: those of the environment.
    """

    verify: bool | str = True
    proxies: Mapping[str, str] | None = None
