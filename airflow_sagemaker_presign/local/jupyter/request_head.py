"""The head of an HTTP request, as far as the proxy needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+) HTTP/1\.[01]")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


class BadRequest(ValueError):
    """The bytes are not the head of an HTTP request."""


@dataclass(frozen=True)
class RequestHead:
    """
    Method, target and headers.

    :param method: in capitals.
    :param target: path and query as they were sent.
    :param headers: names and values in their order.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, raw: bytes) -> RequestHead:
        """
        Read everything up to and including the empty line.

        :raises BadRequest: when it cannot be read.
        """
        first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        request = _REQUEST_LINE.fullmatch(first)
        headers = [_HEADER.fullmatch(line) for line in lines]
        if request is None or not all(headers):
            raise BadRequest
        try:
            urlsplit(request[2])
        except ValueError:  # As in //[
            raise BadRequest from None
        return cls(request[1], request[2], tuple((found[1], found[2]) for found in headers if found))

    @property
    def path(self) -> str:
        """The path of the target."""
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        """The host without a port."""
        return self.header("Host").rpartition(":")[0] or self.header("Host")

    @property
    def upgrades(self) -> bool:
        """Whether this becomes a websocket."""
        return bool(self.header("Upgrade"))

    def header(self, name: str) -> str:
        """Return the first value of a header; empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def query(self, name: str) -> str | None:
        """Return the first value of a parameter in the query."""
        try:
            found = parse_qs(urlsplit(self.target).query, keep_blank_values=True).get(name)
        except ValueError:
            return None
        return found[0] if found else None

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie."""
        for part in self.header("Cookie").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value.strip('"')
        return None

    def forwarded(self, headers: dict[str, str]) -> bytes:
        """
        Return the head for JupyterLab, with a header to close the connection after the response.

        :param headers: the headers for that server, which replace the client's.
        """
        own = dict(headers)
        if not self.upgrades:
            own["Connection"] = "close"
        replaced = {name.lower() for name in own}
        kept = [(name, value) for name, value in self.headers if name.lower() not in replaced]
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{k}: {v}" for k, v in [*kept, *own.items()])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
