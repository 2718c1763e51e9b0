"""Tell a click on the door's own page from a request that some other page made the browser send."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from airflow_sagemaker_presign.door.rendered_task import TaskKey

TOKEN_LIFE = 12 * 3600
"""For how many seconds a page's form works; a page that is open renews its token by itself."""


class FormTokens:
    """
    Signed tokens for the form, each good for one person and one task instance.

    :param secret_key: Airflow's ``[api] secret_key``, which all its api-servers share.
    """

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key, salt="airflow_sagemaker_presign.door")

    def issue(self, user_id: str, key: TaskKey) -> str:
        """Make the token of a page."""
        return str(self._serializer.dumps(_subject(user_id, key)))

    def is_valid(self, token: str, user_id: str, key: TaskKey) -> bool:
        """Tell whether a token was made for this person and task instance, not too long ago."""
        try:
            return bool(self._serializer.loads(token, max_age=TOKEN_LIFE) == _subject(user_id, key))
        except BadSignature:
            return False


def _subject(user_id: str, key: TaskKey) -> list[str | int]:
    return [user_id, key.dag_id, key.run_id, key.task_id, key.map_index]


def is_same_origin(headers: Mapping[str, str], base_url: str) -> bool:
    """
    Tell whether a page of this very Airflow made the browser send a request.

    ``Sec-Fetch-Site`` is the browser's own word, which no proxy in between changes. Where it is missing (older
    browsers) ``Origin`` has to be ours. A form of a page with ``Referrer-Policy: no-referrer`` has the Origin "null".

    :param headers: the request's.
    :param base_url: Airflow's ``[api] base_url``; may be empty.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    ours = {urlsplit(base_url).netloc, headers.get("host", "")} - {""}
    is_ours = origin is not None and urlsplit(origin).netloc in ours
    if site is None:
        return is_ours
    return site == "same-origin" and (origin in (None, "null") or is_ours)
