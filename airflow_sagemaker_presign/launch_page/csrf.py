"""Tell a click on the launch page from a request that some other page made the browser send."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask

TOKEN_MAX_AGE_SECONDS = 12 * 3600
"""For how many seconds a page's form works; a page that is open renews its token by itself."""


class TokenMatch(Enum):
    """Whether a token is one of the page for which it is shown."""

    OF_THIS_PAGE = auto()
    OF_ANOTHER_NOTEBOOK = auto()
    """The task has rendered something else since the page was made."""
    NONE = auto()


class CsrfTokens:
    """
    Signed tokens for the form, each good for one person, one task instance, and the notebook that the page names.

    :param secret_key: Airflow's ``[api] secret_key``, which all its api-servers share.
    """

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key, salt="airflow_sagemaker_presign.launch_page")

    def issue(self, user_id: str, task: RenderedTask) -> str:
        """Make the token of a page."""
        return str(self._serializer.dumps([_page(user_id, task), _notebook(task)]))

    def match_token(self, token: str, user_id: str, task: RenderedTask) -> TokenMatch:
        """Return whether a token was made for this person, task instance and notebook, not too long ago."""
        try:
            said = self._serializer.loads(token, max_age=TOKEN_MAX_AGE_SECONDS)
        except BadSignature:
            return TokenMatch.NONE
        if not isinstance(said, list) or said[:1] != [_page(user_id, task)]:
            return TokenMatch.NONE
        return TokenMatch.OF_THIS_PAGE if said[1:] == [_notebook(task)] else TokenMatch.OF_ANOTHER_NOTEBOOK


def _page(user_id: str, task: RenderedTask) -> list[str | int]:
    key = task.key
    return [user_id, key.dag_id, key.run_id, key.task_id, key.map_index]


def _notebook(task: RenderedTask) -> list[str | None]:
    return [task.workspace.name, task.region_name, task.aws_conn_id]


Origin = tuple[str, str, int]
"""Scheme, host and port."""

_PORTS = {"http": 80, "https": 443}


def is_same_origin(headers: Mapping[str, str], base_url: str, scheme: str = "http") -> bool:
    """
    Return whether a page of this very Airflow made the browser send a request.

    ``Sec-Fetch-Site`` is the browser's own word, which no proxy in between changes; it comes with HTTPS and localhost
    only. Where it is missing, ``Origin`` has to be there and ours; where both are there, both have to say so. An
    ``Origin`` of "null" says nothing: browsers send it for a page that keeps its address to itself.

    :param headers: the request's.
    :param base_url: Airflow's ``[api] base_url``; may be empty.
    :param scheme: how the request came in, for the api-server: behind a proxy that ends TLS mostly ``http``.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_ours = origin is not None and _origin_of(origin) in _our_origins(headers.get("host", ""), base_url, scheme)
    if site is None:
        return is_ours
    return site == "same-origin" and (origin in (None, "null") or is_ours)


def _our_origins(host: str, base_url: str, scheme: str) -> set[Origin]:
    """
    Return under which origins this Airflow is opened.

    ``base_url`` is the one that is known. People may use another name, which only ``Host`` tells; over HTTPS in any
    case (a proxy may have ended it), and over plain HTTP unless ``base_url`` says that this host has HTTPS: whoever can
    write into plain HTTP could else press the button of the page behind HTTPS.
    """
    base = _origin_of(base_url, whole=False)
    by_name = {_origin_of(f"https://{host}"), _origin_of(f"{scheme}://{host}")}
    if base is not None and base[0] == "https":
        by_name.discard(_origin_of(f"http://{host}") if _is_host_of(host, base) else None)
    return {origin for origin in (base, *by_name) if origin is not None}


def _is_host_of(host: str, base: Origin) -> bool:
    over_https, over_http = _origin_of(f"https://{host}"), _origin_of(f"http://{host}")
    return over_https == base or (over_http is not None and over_http[1:] == (base[1], 80))


def _origin_of(url: str, *, whole: bool = True) -> Origin | None:
    """
    Read an origin, with its scheme's usual port where none is given.

    :param url: what to read.
    :param whole: there may be nothing but the origin.
    :return: ``None`` when it is none of the web.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        # As browsers write it.
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return None
    has_more = "@" in parts.netloc or (whole and url.partition("://")[2] != parts.netloc)
    if parts.scheme not in _PORTS or not host or has_more:
        return None
    return parts.scheme, host, _PORTS[parts.scheme] if port is None else port
