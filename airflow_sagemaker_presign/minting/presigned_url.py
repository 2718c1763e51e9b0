"""The presigned notebook URL as a value, and the limits that the SageMaker API sets on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NoReturn

URL_VALIDITY = timedelta(minutes=5)
"""How long AWS accepts a presigned URL. No parameter changes it."""

MIN_SESSION_EXPIRATION_DURATION = timedelta(seconds=1800)
MAX_SESSION_EXPIRATION_DURATION = timedelta(seconds=43200)
DEFAULT_SESSION_EXPIRATION_DURATION = MAX_SESSION_EXPIRATION_DURATION
"""What AWS takes when the request names no duration: 12 hours."""


class PresignedNotebookUrl:
    """
    A presigned URL of a notebook instance, with what a person has to know about it.

    The URL is a bearer credential: whoever holds it gets a shell with the notebook's execution role. So ``repr``,
    ``str`` and formatting never show it, and it cannot be pickled (a pickle is how a value gets into XCom, a
    database or another process).

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html

    :param url: the URL itself.
    :param notebook_instance_name: the notebook instance that it opens.
    :param minted_at: when it was asked for (aware; a moment before AWS made it, so that it never looks younger
        than it is).
    :param session_expiration_duration: how long the Jupyter session lasts once the URL was opened.
    """

    __slots__ = ("minted_at", "notebook_instance_name", "session_expiration_duration", "url")

    def __init__(
        self,
        url: str,
        *,
        notebook_instance_name: str,
        minted_at: datetime,
        session_expiration_duration: timedelta,
    ) -> None:
        self.url = url
        self.notebook_instance_name = notebook_instance_name
        self.minted_at = minted_at
        self.session_expiration_duration = session_expiration_duration

    @property
    def expires_at(self) -> datetime:
        """When AWS stops accepting the URL. The session that it opened before lives on."""
        return self.minted_at + URL_VALIDITY

    def remaining(self, now: datetime) -> timedelta:
        """How long the URL still works at ``now``; negative when it is dead."""
        return self.expires_at - now

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.notebook_instance_name}, works until {self.expires_at.isoformat()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A presigned notebook URL is a credential and is not to be stored: it cannot be pickled.")

    def __getstate__(self) -> Any:
        self.__reduce__()
