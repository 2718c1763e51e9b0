"""Tell a click on the door's own page from a request that some other page made the browser send."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from airflow_sagemaker_presign.door.rendered_task import RenderedTask

TOKEN_LIFE = 12 * 3600
"""For how many seconds a page's form works; a page that is open renews its token by itself."""


class Fit(Enum):
    """Whether a token is one of the page for which it is shown."""

    OF_THIS_PAGE = auto()
    OF_ANOTHER_NOTEBOOK = auto()
    """The task has rendered something else since the page was made."""
    NONE = auto()


class FormTokens:
    """
    Signed tokens for the form, each good for one person, one task instance, and the notebook that the page names.

    :param secret_key: Airflow's ``[api] secret_key``, which all its api-servers share.
    """

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key, salt="airflow_sagemaker_presign.door")

    def issue(self, user_id: str, task: RenderedTask) -> str:
        """Make the token of a page."""
        return str(self._serializer.dumps([_page(user_id, task), _notebook(task)]))

    def fit(self, token: str, user_id: str, task: RenderedTask) -> Fit:
        """Tell whether a token was made for this person, task instance and notebook, not too long ago."""
        try:
            said = self._serializer.loads(token, max_age=TOKEN_LIFE)
        except BadSignature:
            return Fit.NONE
        if not isinstance(said, list) or said[:1] != [_page(user_id, task)]:
            return Fit.NONE
        return Fit.OF_THIS_PAGE if said[1:] == [_notebook(task)] else Fit.OF_ANOTHER_NOTEBOOK


def _page(user_id: str, task: RenderedTask) -> list[str | int]:
    key = task.key
    return [user_id, key.dag_id, key.run_id, key.task_id, key.map_index]


def _notebook(task: RenderedTask) -> list[str | None]:
    return [task.notebook_instance_name, task.region_name, task.aws_conn_id]


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
