"""
The headers that Python's ``email`` package serializes incorrectly: ``From``, ``To``, ``Cc`` and ``Subject``.

Before 3.13 Python folds a list of addresses like running text: if one of them has a non-ASCII letter, it also
encodes the comma after it (CVE-2025-1795), or writes an encoded word inside an address, which RFC 2047 forbids. A
subject with some non-ASCII letters loses or gains a space where it is folded, on any version of Python.
"""

from __future__ import annotations

import re
from email.header import Header
from email.headerregistry import Address
from email.policy import EmailPolicy
from typing import Any

from airflow_sagemaker_presign.notifications.email_addresses import Mailbox

_ATOMS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+"
_LONGEST_PLAIN_NAME = 60
"""In characters. A longer name is written as encoded words, which may be folded anywhere."""


class _MailPolicy(EmailPolicy):
    """SMTP's line ends; one address per line, in ASCII or, if the address itself is non-ASCII, in UTF-8."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Write one header."""
        addresses = getattr(value, "addresses", None)
        if addresses is None:
            if name.lower() != "subject" or value.isascii():
                return super().fold_binary(name, value)
            return f"{name}: {_encoded(value, self.linesep)}{self.linesep}".encode()
        lines = f",{self.linesep} ".join(_written(address, self.linesep) for address in addresses)
        return f"{name}: {lines}{self.linesep}".encode()


MAIL_POLICY = _MailPolicy(linesep="\r\n")


def address_of(mailbox: Mailbox, name: str) -> Address:
    """Return the value of an address header, with a name that is safe for one; the name may be empty."""
    user, _, domain = mailbox.spec.partition("@")
    return Address(name, user, domain)


def _written(address: Address, linesep: str) -> str:
    spec = f"{address.username}@{address.domain}"
    if not address.display_name:
        return spec
    return f"{_name(address.display_name, linesep)} <{spec}>"


def _name(name: str, linesep: str) -> str:
    if not name.isascii() or len(name) > _LONGEST_PLAIN_NAME:
        return _encoded(name, linesep)
    if re.fullmatch(_ATOMS, name):
        return name
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _encoded(text: str, linesep: str) -> str:
    """Write a text as encoded words, including its spaces."""
    return Header(text, "utf-8", maxlinelen=_LONGEST_PLAIN_NAME).encode(linesep=linesep)
