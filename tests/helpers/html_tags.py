"""Parse pages as a browser does, and list markup that an attacker might inject."""

from __future__ import annotations

from html.parser import HTMLParser

ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} javascript:alert(1)"


class Tags(HTMLParser):
    """The tags and attributes of a page, as a browser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
