"""
The token in a presigned URL of the local SageMaker, and the session cookie that it is changed for.

Both carry all that is to know and are signed, so that the process that mints and the one that runs JupyterLab
share a key and nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.presigned_url import URL_VALIDITY


class LinkRefused(Exception):
    """The link (or the session's cookie) does not let anybody in; the message says why, to a person."""


@dataclass(frozen=True)
class NotebookSession:
    """Who holds it may work in this notebook instance until ``ends_at``."""

    notebook_instance_name: str
    ends_at: datetime


class PresignedTokens:
    """
    Mints and checks.

    :param key: the secret that minting and checking share.
    :param clock: what time it is.
    """

    def __init__(self, key: bytes, clock: LocalClock) -> None:
        self._clock = clock
        self._links = self._serializer(key, "presigned-url")
        # Another salt: a link's token is no session cookie, and the other way round.
        self._sessions = self._serializer(key, "session")

    @staticmethod
    def _serializer(key: bytes, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(key, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})

    def mint(self, notebook: str, session_duration: timedelta, *, valid_for: timedelta = URL_VALIDITY) -> str:
        """
        Make the token of a presigned URL.

        :param notebook: the notebook instance's name.
        :param session_duration: how long the session lasts, from now.
        :param valid_for: how long the link works. AWS's five minutes, unless a test needs a dead link.
        """
        now = self._clock.now()
        ends = now + session_duration
        payload = {
            "notebook": notebook,
            # Two links are never the same, not even those of one moment.
            "id": secrets.token_urlsafe(6),
            "until": (now + valid_for).timestamp(),
            "session": ends.timestamp(),
        }
        return _text(self._links.dumps(payload))

    def open_link(self, token: str) -> NotebookSession:
        """
        Change a token for the session that it stands for.

        :param token: ``authToken`` from the URL.
        :raises LinkRefused: when it was not minted here, was altered, or is too old.
        """
        try:
            payload = self._links.loads(token)
        except BadSignature:
            raise LinkRefused("This link was not made by this local SageMaker, or it was altered on its way.") from None
        if self._clock.now().timestamp() >= payload["until"]:
            raise LinkRefused("This link has expired: a presigned notebook URL works for five minutes.")
        return NotebookSession(payload["notebook"], datetime.fromtimestamp(payload["session"], UTC))

    def cookie_of(self, session: NotebookSession) -> str:
        """Make the cookie that lets a browser in until the session's end."""
        payload = {"notebook": session.notebook_instance_name, "session": session.ends_at.timestamp()}
        return _text(self._sessions.dumps(payload))

    def read_cookie(self, cookie: str) -> NotebookSession:
        """
        Change a cookie for the session that it stands for.

        :param cookie: what the browser sent.
        :raises LinkRefused: when it was not made here, or the session has ended.
        """
        try:
            payload = self._sessions.loads(cookie)
        except BadSignature:
            raise LinkRefused("Your browser's session was not opened at this local SageMaker.") from None
        if self._clock.now().timestamp() >= payload["session"]:
            raise LinkRefused("Your session has ended: it lasted as long as was asked for with the link.")
        return NotebookSession(payload["notebook"], datetime.fromtimestamp(payload["session"], UTC))


def _text(token: str | bytes) -> str:
    return token.decode() if isinstance(token, bytes) else token
