"""A session at a notebook's Jupyter server: a presigned URL is exchanged for a cookie, which its answers need."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
import yarl

from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.minting.redaction import redacted_during
from airflow_sagemaker_presign.usage.activity import Answers, UnreadableAnswer, Usage, usage_of
from airflow_sagemaker_presign.usage.http_options import HttpOptions
from airflow_sagemaker_presign.usage.unavailable import JupyterUnavailable, SessionRefused

SPARE = timedelta(minutes=1)
"""A session is not used in its last minute."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 20.0
"""Seconds for one answer, from the connection to its last byte."""
MIN_CREDENTIAL_LENGTH = 16
"""Shorter cookies are settings. To redact them, such as a ``1``, would spoil the logs of the whole process."""
MAX_ANSWER_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 32 * 1024

_CHECK_NETWORK = (
    "Check that the workers and triggerers may connect to it: a notebook without direct internet access, or with a "
    "VPC endpoint, is reached only from its network (and HTTPS_PROXY and NO_PROXY apply)"
)
_CHECK_POLICY = (
    "Check the policy of the connection's role or user: its conditions, such as `aws:SourceIp`, must allow the "
    "addresses of the workers and triggerers, from which the URL is opened"
)
_CHECK_CERTIFICATE = (
    "If a proxy of your network signs certificates of its own, give the operator or the connection its CA bundle as "
    "`verify`"
)
_CHECK_JUPYTER = "Open the notebook and check that Jupyter responds; a restart of the notebook instance may help"


class JupyterSession:
    """
    A session, opened with a presigned URL.

    The cookie is a bearer credential like the URL. So ``repr`` never shows it, and it cannot be pickled.

    :param origin: scheme, host and port of the server.
    :param cookies: what the server gave for the URL.
    :param ends_at: when it ends (aware).
    :param options: how requests reach the server.
    """

    __slots__ = ("_cookies", "_options", "_origin", "ends_at")

    def __init__(self, origin: str, cookies: Mapping[str, str], ends_at: datetime, options: HttpOptions) -> None:
        self._origin, self._cookies, self._options = origin, dict(cookies), options
        self.ends_at = ends_at

    @classmethod
    async def open(cls, presigned_url: PresignedUrl, options: HttpOptions) -> JupyterSession:
        """
        Exchange a presigned URL for a session. The redirect to JupyterLab is not followed.

        :raises JupyterUnavailable: when the server cannot be reached, or refuses the URL.
        """
        parts = urlsplit(presigned_url.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with redacted_during(presigned_url.url):
            async with _get(presigned_url.url, options, {}) as response:
                _check_entry(response, origin)
                # One without a value is being deleted.
                cookies = {name: morsel.coded_value for name, morsel in response.cookies.items() if morsel.value}
        if not cookies:
            raise SessionRefused(f"{parts.hostname} gave no session for the presigned URL.", _CHECK_JUPYTER)
        ends_at = presigned_url.minted_at + presigned_url.session_expiration_duration - SPARE
        return cls(origin, cookies, ends_at, options)

    async def usage(self, clock: Callable[[], datetime], *, count_connections: bool) -> Usage:
        """
        Ask the server. With ``no_track_activity`` the requests do not count as use themselves.

        :param clock: returns the time, as an aware datetime.
        :param count_connections: whether a kernel with a connection is in use.
        :raises SessionRefused: when the session has ended.
        :raises JupyterUnavailable: when the server cannot be reached, or its answers cannot be read.
        """
        with redacted_during(*(value for value in self._cookies.values() if len(value) >= MIN_CREDENTIAL_LENGTH)):
            answers = await self._answers()
        try:
            return usage_of(answers, clock(), count_connections=count_connections)
        except UnreadableAnswer as error:
            problem = f"The answers are not those of a Jupyter server: {error}."
            raise JupyterUnavailable(problem, _CHECK_JUPYTER) from None

    async def _answers(self) -> Answers:
        terminals, _ = await self._read("/api/terminals", may_be_missing=True)
        kernels, date = await self._read("/api/kernels")
        status = None
        if not terminals and not kernels:
            status, date = await self._read("/api/status")
        return Answers(kernels, terminals, status, date)

    async def _read(self, path: str, *, may_be_missing: bool = False) -> tuple[Any, str | None]:
        """Return an answer, decoded, and the server's time."""
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        host = urlsplit(self._origin).hostname
        async with _get(f"{self._origin}{path}?no_track_activity=1", self._options, {"Cookie": cookie}) as response:
            # A session that has ended is refused, or sent to a login.
            if response.status in (401, 403) or 300 <= response.status < 400:
                raise SessionRefused(f"{host} refused the session (HTTP status {response.status}).", _CHECK_POLICY)
            date = response.headers.get("Date")
            if response.status == 404 and may_be_missing:
                return None, date
            if response.status != 200:
                raise JupyterUnavailable(f"{host} responded with HTTP status {response.status}.", _CHECK_JUPYTER)
            body = await _bounded(response, str(host))
        try:
            return json.loads(body), date
        except (ValueError, RecursionError):
            raise JupyterUnavailable(f"{host} responded with something else than JSON.", _CHECK_JUPYTER) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._origin} until {self.ends_at.isoformat()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A session's cookie is a credential and must not be stored, so it cannot be pickled.")

    def __getstate__(self) -> Any:
        self.__reduce__()


def _check_entry(response: aiohttp.ClientResponse, origin: str) -> None:
    """Check the response to the presigned URL: a redirect within the server, or a page."""
    host = urlsplit(origin).hostname
    if response.status in (401, 403):
        raise SessionRefused(f"{host} refused the presigned URL (HTTP status {response.status}).", _CHECK_POLICY)
    if response.status >= 400:
        raise JupyterUnavailable(f"{host} responded with HTTP status {response.status}.", _CHECK_JUPYTER)
    to = urlsplit(urljoin(f"{origin}/", response.headers.get("Location", "")))
    if response.status >= 300 and _server_of(to) != _server_of(urlsplit(origin)):
        raise SessionRefused(f"{host} redirected to another host, {to.hostname}, which is not followed.", _CHECK_POLICY)


def _server_of(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port; the usual port may be written or not."""
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


@asynccontextmanager
async def _get(url: str, options: HttpOptions, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a GET; errors are translated, since aiohttp's and their chains hold the URL."""
    host = urlsplit(url).hostname
    problem, advice = "", _CHECK_NETWORK
    proxy = _proxy_of(options.proxies, url)
    try:
        async with (
            aiohttp.ClientSession(
                # The cookie is sent as it was given; a jar would not take one of an address of numbers.
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=CONNECT_SECONDS),
                auto_decompress=False,
                trust_env=options.proxies is None,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            ) as session,
            session.get(
                # As AWS wrote it: quoting it anew could break the token.
                yarl.URL(url, encoded=True),
                allow_redirects=False,
                headers={"Accept-Encoding": "identity", **headers},
                ssl=_ssl_of(options.verify),
                proxy=proxy,
            ) as response,
        ):
            yield response
            return
    except TimeoutError:
        problem = f"{host} did not answer within {ANSWER_SECONDS:g} s."
    except aiohttp.ClientConnectorCertificateError as error:
        problem, advice = f"The certificate of {host} is not trusted: {error.certificate_error}.", _CHECK_CERTIFICATE
    except aiohttp.ClientHttpProxyError as error:
        problem = f"The proxy refused the connection to {host} (HTTP status {error.status})."
    except aiohttp.ClientConnectorError as error:
        problem = f"{host} could not be reached: {_reason_of(error.os_error)}."
    except aiohttp.InvalidURL:
        # Not of the URL, which AWS made.
        problem = f"{host} cannot be reached: the address of the proxy is not valid."
    except (aiohttp.ClientError, OSError, ValueError) as error:
        problem, advice = f"{host} gave no HTTP answer ({type(error).__name__}).", _CHECK_JUPYTER
    raise JupyterUnavailable(problem, advice) from None


def _proxy_of(proxies: Mapping[str, str] | None, url: str) -> str | None:
    """Return the proxy for a URL as botocore reads its configuration: an address may have no scheme."""
    from botocore.httpsession import ProxyConfiguration

    proxy: str | None = ProxyConfiguration(proxies=dict(proxies or {})).proxy_url_for(url)
    return proxy


def _reason_of(error: OSError) -> str:
    # asyncio's own text has the address in the place of the reason; name servers and TLS have numbers of their own.
    if error.errno and not isinstance(error, (socket.gaierror, ssl.SSLError)):
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


async def _bounded(response: aiohttp.ClientResponse, host: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise JupyterUnavailable(f"{host} responded with more than {MAX_ANSWER_BYTES:,} bytes.", _CHECK_JUPYTER)
    return bytes(body)


def _ssl_of(verify: bool | str) -> ssl.SSLContext | bool:
    from botocore.httpsession import get_cert_path

    if verify is False:
        return False
    named = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") if verify is True else verify
    path = str(named or get_cert_path(True))
    return _ssl_context(path, os.stat(path).st_mtime)


@lru_cache(maxsize=8)
def _ssl_context(path: str, _changed_at: float) -> ssl.SSLContext:
    """Return the context for a CA bundle; one for each version of the file, since loading it takes long."""
    where = {"capath": path} if os.path.isdir(path) else {"cafile": path}
    return ssl.create_default_context(**where)  # type: ignore[arg-type]
