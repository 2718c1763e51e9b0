"""
The token in a presigned URL of the local SageMaker, and the session cookie that it is changed for.

Both contain all data and are signed, so nothing needs to be stored. A token is as long as AWS's are,
and looks random from its first character to its last: no piece of it occurs in any other token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY

TOKEN_LENGTH = 3500
"""Characters. AWS's whole URLs have an estimated 2,800 to 3,900."""
_TOKEN_BYTES = TOKEN_LENGTH * 3 // 4
_SIGNATURE_BYTES = hashlib.sha256().digest_size
_NONCE_BYTES = 32


class LinkRefused(Exception):
    """The link, or the session's cookie, is not valid; the message states why, for a person."""


@dataclass(frozen=True)
class NotebookSession:
    """
    A session, which may use this notebook instance until ``ends_at``.

    :param notebook_instance_name: the notebook instance's name.
    :param ends_at: when the session ends.
    :param instance_id: distinguishes a notebook instance from an earlier one of the same name.
    """

    notebook_instance_name: str
    ends_at: datetime
    instance_id: str = ""


class PresignedTokens:
    """
    Mints and checks tokens and cookies.

    :param key: the secret that tokens and cookies are signed with.
    :param clock: the clock.
    """

    def __init__(self, key: bytes, clock: LocalClock) -> None:
        self._clock = clock
        self._key = key
        # Another salt: a link's token is no session cookie, and the other way round.
        self._sessions = URLSafeSerializer(key, salt="session", signer_kwargs={"digest_method": hashlib.sha256})

    def mint(
        self,
        notebook: str,
        session_duration: timedelta,
        *,
        instance_id: str = "",
        valid_for: timedelta = URL_VALIDITY,
    ) -> str:
        """
        Return the token of a presigned URL.

        :param notebook: the notebook instance's name.
        :param session_duration: how long the session lasts, from now.
        :param instance_id: distinguishes the notebook instance from an earlier one of the same name.
        :param valid_for: how long the link works. AWS's five minutes, unless a test needs an expired link.
        """
        now = self._clock.now()
        payload = {
            "notebook": notebook,
            "instance": instance_id,
            "until": (now + valid_for).timestamp(),
            "session": (now + session_duration).timestamp(),
        }
        content = _pack(payload)
        return base64.urlsafe_b64encode(content + self._signature(content)).decode()

    def open_link(self, token: str) -> NotebookSession:
        """
        Exchange a token for its session.

        :param token: ``authToken`` from the URL.
        :raises LinkRefused: when it was not minted here, was altered, or is too old.
        """
        content, signature = _split(token)
        if not hmac.compare_digest(signature, self._signature(content)):
            raise LinkRefused("This link was not made by this local SageMaker, or it was altered.")
        payload = _unpack(content)
        if self._clock.now().timestamp() >= payload["until"]:
            raise LinkRefused("This link has expired: a presigned notebook URL works for five minutes.")
        return _session(payload)

    def cookie_of(self, session: NotebookSession) -> str:
        """Return the cookie that gives a browser access until the session ends."""
        payload = {
            "notebook": session.notebook_instance_name,
            "instance": session.instance_id,
            "session": session.ends_at.timestamp(),
        }
        return str(self._sessions.dumps(payload))

    def read_cookie(self, cookie: str) -> NotebookSession:
        """
        Exchange a cookie for its session.

        :param cookie: what the browser sent.
        :raises LinkRefused: when it was not made here, or the session has ended.
        """
        try:
            session = _session(self._sessions.loads(cookie))
        except BadSignature:
            raise LinkRefused("Your browser's session does not belong to this local SageMaker.") from None
        self.check_not_ended(session)
        return session

    def check_not_ended(self, session: NotebookSession) -> None:
        """
        Check that a session has not ended.

        :param session: the session.
        :raises LinkRefused: when it has ended.
        """
        if self._clock.now() >= session.ends_at:
            raise LinkRefused("Your session has ended: its requested duration has passed.")

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"presigned-url" + content, "sha256")


def expiry_of(token: str) -> datetime:
    """
    Read when a link stops working out of its token, without checking the signature.

    :param token: ``authToken`` from the URL.
    :raises LinkRefused: when it is no token of a local SageMaker.
    """
    try:
        return datetime.fromtimestamp(_unpack(_split(token)[0])["until"], UTC)
    except (ValueError, KeyError, TypeError):
        raise LinkRefused("This link was not made by a local SageMaker.") from None


def _pack(payload: dict[str, Any]) -> bytes:
    text = json.dumps(payload).encode()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    padded = len(text).to_bytes(2, "big") + text
    padded += secrets.token_bytes(_TOKEN_BYTES - _NONCE_BYTES - len(padded) - _SIGNATURE_BYTES)
    return nonce + _masked(nonce, padded)


def _unpack(content: bytes) -> dict[str, Any]:
    padded = _masked(content[:_NONCE_BYTES], content[_NONCE_BYTES:])
    length = int.from_bytes(padded[:2], "big")
    payload: dict[str, Any] = json.loads(padded[2 : 2 + length])
    return payload


def _masked(nonce: bytes, data: bytes) -> bytes:
    # Not a secret: it only makes two tokens with the same content differ in every part.
    stream = hashlib.shake_256(nonce).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))


def _split(token: str) -> tuple[bytes, bytes]:
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    return raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]


def _session(payload: dict[str, Any]) -> NotebookSession:
    ends_at = datetime.fromtimestamp(payload["session"], UTC)
    return NotebookSession(payload["notebook"], ends_at, payload["instance"])
