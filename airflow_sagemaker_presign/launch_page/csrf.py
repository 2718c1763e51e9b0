"""CSRF protection: accept a submit of the launch page's form, reject a request that another page caused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask

TOKEN_MAX_AGE_SECONDS = 12 * 3600
"""Seconds for which a page's form works; an open page renews its token by itself."""


class TokenMatch(Enum):
    """Whether a token matches the page that it was submitted to."""

    OF_THIS_PAGE = auto()
    OF_ANOTHER_NOTEBOOK = auto()
    """The task has rendered another notebook since the page was loaded."""
    NONE = auto()


class CsrfTokens:
    """
    Issues and checks the form's tokens, each valid for one user, one task instance, and the notebook on the page.

    :param secret_key: Airflow's ``[api] secret_key``, which all api-servers share.
    """

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key, salt="airflow_sagemaker_presign.launch_page")

    def issue(self, user_id: str, task: RenderedTask) -> str:
        """Return a new token for a page."""
        return str(self._serializer.dumps([_page(user_id, task), _notebook(task)]))

    def match_token(self, token: str, user_id: str, task: RenderedTask) -> TokenMatch:
        """Return whether a token was issued for this user, task instance and notebook, and has not expired."""
        try:
            payload = self._serializer.loads(token, max_age=TOKEN_MAX_AGE_SECONDS)
        except BadSignature:
            return TokenMatch.NONE
        if not isinstance(payload, list) or payload[:1] != [_page(user_id, task)]:
            return TokenMatch.NONE
        return TokenMatch.OF_THIS_PAGE if payload[1:] == [_notebook(task)] else TokenMatch.OF_ANOTHER_NOTEBOOK


def _page(user_id: str, task: RenderedTask) -> list[str | int]:
    key = task.key
    return [user_id, key.dag_id, key.run_id, key.task_id, key.map_index]


def _notebook(task: RenderedTask) -> list[Any]:
    # A name identifies a workspace of one kind only, and a connection belongs to a team.
    return [task.workspace.noun, task.workspace.as_dict(), task.region_name, task.aws_conn_id, task.team_name]


Origin = tuple[str, str, int]
"""Scheme, host and port."""

_PORTS = {"http": 80, "https": 443}


def is_same_origin(headers: Mapping[str, str], base_url: str, scheme: str = "http") -> bool:
    """
    Return whether a page of this Airflow made the browser send a request.

    Browsers send ``Sec-Fetch-Site`` over HTTPS and to localhost only, and no proxy changes it. Without it, ``Origin``
    must be present and ours; with both headers, both must match. An ``Origin`` of "null" carries no information:
    browsers send it for a page that hides its address.

    :param base_url: Airflow's ``[api] base_url``; may be empty.
    :param scheme: the scheme of the request as the api-server sees it: usually ``http`` behind a proxy that ends TLS.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_ours = origin is not None and _origin_of(origin) in _our_origins(headers.get("host", ""), base_url, scheme)
    if site is None:
        return is_ours
    return site == "same-origin" and (origin in (None, "null") or is_ours)


def _our_origins(host: str, base_url: str, scheme: str) -> set[Origin]:
    """
    Return the origins of this Airflow.

    Apart from ``base_url``, people may use another host name, which only ``Host`` has. Accept it over HTTPS (a proxy
    may have ended TLS), and over plain HTTP unless ``base_url`` shows that this host has HTTPS: otherwise an attacker
    who can inject into plain HTTP could submit the form of the page behind HTTPS.
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
    Return the origin of a URL, with the scheme's default port where none is given; ``None`` if it has no HTTP origin.

    :param whole: whether the URL must consist of nothing but the origin.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        # In the form that browsers send.
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return None
    has_more = "@" in parts.netloc or (whole and url.partition("://")[2] != parts.netloc)
    if parts.scheme not in _PORTS or not host or has_more:
        return None
    return parts.scheme, host, _PORTS[parts.scheme] if port is None else port
