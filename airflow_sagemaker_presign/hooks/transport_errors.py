"""Requests without a response from AWS: which failures are transient, and which are permanent."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from botocore import exceptions as boto
from botocore.utils import get_environ_proxies
from urllib3.exceptions import LocationValueError, ProxySchemeUnsupported

NO_RESPONSE = (boto.HTTPClientError, boto.ConnectionError, boto.CredentialRetrievalError)

_NO_SUCH_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
_BAD_FILE_LIBRARIES = frozenset({"X509", "PEM", "ASN1"})
"""The parts of OpenSSL that read certificates from files."""

_HOST_MISMATCH = re.compile(r"hostname .* doesn't match", re.IGNORECASE)
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")
_PASSWORD = re.compile(r"//[^/@\s]+@")
TRANSIENT_HTTP_STATUSES = frozenset({"408", "425", "429"})
"""The HTTP statuses below 500 with which a server, or a proxy, requests a later retry."""

_ABOUT_CERTIFICATES = (
    "If a proxy of your network signs certificates of its own, give the operator or the connection its CA bundle as "
    "`verify`; then clear the task."
)
_ABOUT_THE_CA_FILE = (
    "Give `verify` (in the operator or the connection's extra, or AWS_CA_BUNDLE) a CA file that exists on each "
    "worker and triggerer; then clear the task."
)
_ABOUT_PROXIES = (
    "Check the proxy's address and credentials, and that it allows AWS's endpoint (HTTPS_PROXY, NO_PROXY or "
    "`proxies` in `botocore_config`); then clear the task."
)
_ABOUT_REGIONS = "Fix the region's name, in the operator's `region_name` or in the connection; then clear the task."


class Route(NamedTuple):
    """
    The route of a request.

    :param endpoint: the URL of the endpoint; empty: unknown.
    :param region: the region; empty: none.
    :param proxies: the proxies in botocore's configuration, by scheme.
    :param proven: whether AWS has already responded over this route.
    """

    endpoint: str = ""
    region: str = ""
    proxies: dict[str, str] | None = None
    proven: bool = False

    def __str__(self) -> str:
        proxy = self.proxy
        return (
            f"endpoint {self.endpoint or 'unknown'}, region {self.region or 'none'}, "
            f"proxy {without_passwords(proxy) or 'none'}"
        )

    @property
    def proxy(self) -> str:
        """The proxy that botocore uses; empty: none."""
        proxies = self.proxies if self.proxies is not None else get_environ_proxies(self.endpoint)
        return str(proxies.get(self.endpoint.partition(":")[0]) or "")

    def to(self, error: Exception) -> Route:
        """Return the route of the request that failed, which may have gone to another endpoint, such as STS's."""
        endpoint = getattr(error, "kwargs", {}).get("endpoint_url")
        return self._replace(endpoint=str(endpoint)) if endpoint else self


def without_passwords(text: str) -> str:
    """Mask user and password in each URL of a text; botocore leaves them in some messages."""
    return _PASSWORD.sub("//***@", text)


def permanent_failure(error: Exception, route: Route) -> tuple[str, str] | None:
    """Return why a request will never succeed, and what the reader can do; ``None``: it may succeed later."""
    about_files = isinstance(error, boto.SSLError) or type(error) is boto.HTTPClientError
    for cause in _chain(error):
        unreadable = isinstance(cause, _NO_SUCH_FILE) or getattr(cause, "library", None) in _BAD_FILE_LIBRARIES
        if about_files and unreadable:
            return f"A certificate file cannot be read: {cause} ({route}).", _ABOUT_THE_CA_FILE
        if isinstance(cause, ssl.SSLCertVerificationError) or _HOST_MISMATCH.search(str(cause)):
            return f"The server's certificate is not trusted: {cause} ({route}).", _advice(cause)
        refused = _TUNNEL_REFUSED.search(str(cause))
        if refused and refused[1].startswith("4") and refused[1] not in TRANSIENT_HTTP_STATUSES:
            return f"The proxy refused the request: {cause} ({route}).", _ABOUT_PROXIES
        if type(error) is boto.HTTPClientError and isinstance(cause, (LocationValueError, ProxySchemeUnsupported)):
            return f"No request can be sent: {cause} ({route}).", _ABOUT_PROXIES
    if isinstance(error, boto.ProxyConnectionError) and str(error).count("://") > 1:
        # botocore supports http:// and https:// only, and puts http:// before any other address.
        return f"The proxy's address is not that of an HTTP proxy ({route}).", _ABOUT_PROXIES
    return None if route.proven else _unknown_region(error, route)


def _unknown_region(error: Exception, route: Route) -> tuple[str, str] | None:
    # A region that is unknown to botocore may be new: it is wrong only if its host is not found, either.
    host = route.endpoint.partition("://")[2].partition("/")[0].lower()
    if not route.region or f".{route.region.lower()}." not in host or not _host_is_unknown(error):
        return None
    if route.region in _known_regions():
        return None
    return f"AWS has no region {route.region!r}: {host} is not found ({route}).", _ABOUT_REGIONS


def _host_is_unknown(error: Exception) -> bool:
    chain = list(_chain(error))
    if isinstance(error, boto.ProxyConnectionError):
        # The proxy resolves the name, and reports a failure to do so as a 5xx status.
        refused = next(filter(None, (_TUNNEL_REFUSED.search(str(cause)) for cause in chain)), None)
        return refused is not None and refused[1].startswith("5")
    return any(isinstance(cause, socket.gaierror) for cause in chain)


def _known_regions() -> set[str]:
    from botocore.session import Session

    session = Session()
    return {
        region
        for partition in session.get_available_partitions()
        for service in ("sagemaker", "ec2")
        for region in session.get_available_regions(service, partition, allow_non_regional=True)
    }


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield botocore's error, urllib3's and Python's: each library keeps the cause in another place."""
    seen: list[BaseException] = []
    rest: list[BaseException | None] = [error]
    while rest:
        cause = rest.pop(0)
        if cause is None or any(cause is each for each in seen):
            continue
        seen.append(cause)
        yield cause
        inner = [getattr(cause, "kwargs", {}).get("error"), *cause.args, cause.__cause__]
        rest += [each for each in inner if isinstance(each, BaseException)]


def _advice(cause: BaseException) -> str:
    if "expired" in str(cause) or "not yet valid" in str(cause):
        return f"Check the clock of the worker or triggerer, and the certificate's dates. {_ABOUT_CERTIFICATES}"
    return _ABOUT_CERTIFICATES
