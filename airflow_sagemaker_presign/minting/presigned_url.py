"""The presigned URL as a value, and the SageMaker API's limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NoReturn

URL_VALIDITY = timedelta(minutes=5)
"""How long AWS accepts a presigned URL; no parameter changes this."""

MIN_SESSION_EXPIRATION_DURATION = timedelta(seconds=1800)
MAX_SESSION_EXPIRATION_DURATION = timedelta(seconds=43200)
DEFAULT_SESSION_EXPIRATION_DURATION = MAX_SESSION_EXPIRATION_DURATION
"""AWS's own default: 12 hours."""


class PresignedUrl:
    """
    A presigned URL and its expiry.

    The URL is a bearer credential: it gives anybody who has it the permissions of the workspace's execution role. So
    ``repr``, ``str`` and formatting never show it, and it cannot be pickled (pickling is how values get into XCom, a
    database or another process).

    :param url: the URL.
    :param name: the name of the workspace that it opens, such as a notebook instance's.
    :param minted_at: when it was requested (aware): shortly before AWS created it, so that its age is never
        underestimated.
    :param expires_at: when AWS stops accepting it (aware). A session that was opened before continues.
    :param session_expiration_duration: how long the session lasts once the URL was opened.
    :param single_use: whether it works only once.
    """

    __slots__ = ("expires_at", "minted_at", "name", "session_expiration_duration", "single_use", "url")

    def __init__(
        self,
        url: str,
        *,
        name: str,
        minted_at: datetime,
        expires_at: datetime,
        session_expiration_duration: timedelta,
        single_use: bool = False,
    ) -> None:
        self.url = url
        self.name = name
        self.minted_at = minted_at
        self.expires_at = expires_at
        self.session_expiration_duration = session_expiration_duration
        self.single_use = single_use

    @property
    def notebook_instance_name(self) -> str:
        """The workspace's name, under the name that templates of version 0.1 use."""
        return self.name

    def remaining(self, now: datetime) -> timedelta:
        """Return how long the URL is still valid at ``now``; negative after it has expired."""
        return self.expires_at - now

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}, works until {self.expires_at.isoformat()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A presigned URL is a credential and must not be stored, so it cannot be pickled.")

    def __getstate__(self) -> Any:
        self.__reduce__()
