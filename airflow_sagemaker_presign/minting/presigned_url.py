"""The presigned URL as a value, and the limits that the SageMaker API sets on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NoReturn

URL_VALIDITY = timedelta(minutes=5)
"""How long AWS accepts a presigned URL. No parameter changes it."""

MIN_SESSION_EXPIRATION_DURATION = timedelta(seconds=1800)
MAX_SESSION_EXPIRATION_DURATION = timedelta(seconds=43200)
DEFAULT_SESSION_EXPIRATION_DURATION = MAX_SESSION_EXPIRATION_DURATION
"""What AWS takes when the request names no duration: 12 hours."""


class PresignedUrl:
    """
    A presigned URL, with what a person has to know about it.

    The URL is a bearer credential: whoever holds it gets in with the workspace's execution role. So ``repr``, ``str``
    and formatting never show it, and it cannot be pickled (a pickle is how a value gets into XCom, a database or
    another process).

    :param url: the URL itself.
    :param name: the workspace that it opens, such as the notebook instance's name.
    :param minted_at: when it was asked for (aware; a moment before AWS made it, so that it never looks younger
        than it is).
    :param expires_at: when AWS stops accepting it. The session that it opened before lives on.
    :param session_expiration_duration: how long the session lasts once the URL was opened.
    :param single_use: whether it opens once only.
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
        """The workspace's name, as templates of 0.1 call it."""
        return self.name

    def remaining(self, now: datetime) -> timedelta:
        """Return how long the URL still works at ``now``; negative when it is dead."""
        return self.expires_at - now

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}, works until {self.expires_at.isoformat()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A presigned URL is a credential and is not to be stored: it cannot be pickled.")

    def __getstate__(self) -> Any:
        self.__reduce__()
