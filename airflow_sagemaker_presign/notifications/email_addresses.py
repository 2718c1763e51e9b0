"""E-mail addresses as people write them in a DAG file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from airflow_sagemaker_presign.validation import reject

_ALLOWED = "an e-mail address such as 'ada@example.com' or 'Ada <ada@example.com>', or several"
# Compiled when an address is read, not at each parse of a DAG file.
_SEPARATOR = r"""[;,](?=(?:[^"]*"[^"]*")*[^"]*$)"""
_SPEC = r"[^\s<>@\",;:()\[\]\\]+@[^\s<>@\",;:()\[\]\\]+"
_PASTED = rf"""(?i:<mailto:(?P<slack>{_SPEC})(?:\|[^<>|]*)?>|mailto:(?P<link>{_SPEC}?)(?:\?.*)?)"""
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}"
_QUOTES_AND_BRACKETS = ("Pi", "Pf", "Ps", "Pe")
_NAMED = rf"""(?:"(?P<quoted>[^"]*)"|(?P<plain>[^"<>@]*?))\s*<(?P<spec>{_SPEC})>"""


class Mailbox(NamedTuple):
    """A person's name, which may be empty, and address."""

    name: str
    spec: str
    """The address without the name, as SMTP takes it."""

    @property
    def domain(self) -> str:
        """The part after the ``@``."""
        return self.spec.partition("@")[2]


def mailboxes_of(parameter: str, value: object, *, unreachable: list[str] | None = None) -> tuple[Mailbox, ...]:
    """
    Return the addresses that a parameter holds.

    ``mailto:`` before an address, and Slack's ``<mailto:…|…>`` around it, are removed.

    :param value: a text with one or several addresses (separated by ``,`` or ``;``), or an iterable of such texts.
    :param unreachable: a list to which invalid addresses are added; without it they are an error.
    :raises ValueError: if there is no address, or an invalid one. An address must not contain a line break, since it
        would end the mail's header.
    """
    texts: Iterable[Any] = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
    items = [item.strip() for text in texts if text is not None for item in re.split(_SEPARATOR, str(text))]
    # A template without a recipient renders to the word None.
    mailboxes = []
    for item in items:
        if item in ("", "None"):
            continue
        try:
            mailboxes.append(_mailbox(parameter, item))
        except ValueError:
            if unreachable is None:
                raise
            unreachable.append(item)
    if not mailboxes and unreachable is None:
        reject(parameter, value, _ALLOWED)
    return tuple(mailboxes)


def _mailbox(parameter: str, text: str) -> Mailbox:
    if pasted := re.fullmatch(_PASTED, text):
        text = pasted["slack"] or pasted["link"]
    named = re.fullmatch(_NAMED, text)
    spec = named["spec"] if named else text
    if not text.isprintable() or not re.fullmatch(_SPEC, spec):
        reject(parameter, text, _ALLOWED)
    user, _, domain = spec.partition("@")
    domain_in_ascii = _in_ascii(domain)
    if not re.fullmatch(_DOMAIN, domain_in_ascii):
        # Mostly left over from copying and pasting: quotes, asterisks, a full stop.
        reject(parameter, text, _ALLOWED)
    name = (named["quoted"] or named["plain"] or "").strip() if named else ""
    return Mailbox(name, f"{user}@{domain_in_ascii}")


def _in_ascii(domain: str) -> str:
    """Return a domain in ASCII, as DNS takes it; an empty text if that is not possible."""
    if domain.isascii():
        return domain
    if any(unicodedata.category(character) in _QUOTES_AND_BRACKETS for character in domain):
        return ""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
