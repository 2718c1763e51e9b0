"""Look for secrets where none may be: in files as they are, and in every value of a database, unpacked."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PIECE = 20
"""How many characters of a secret are searched for: few enough that a line break in the secret leaves some whole."""


def pieces(secret: str) -> frozenset[bytes]:
    """
    List the search terms: each encoding of the secret contains one of these.

    Quoting for a URL, HTML, JSON or a mail leaves the letters and digits of a token as they are, and so all of its
    pieces but those that a line break falls into. Base64 has one spelling for each of three alignments.
    """
    starts = (0, len(secret) // 2 - PIECE // 2, len(secret) - PIECE)
    plain = {secret[start : start + PIECE].encode() for start in starts}
    encoded = {form for piece in plain for form in (*_in_base64(piece), piece.hex().encode())}
    return frozenset(plain | encoded)


def _in_base64(piece: bytes) -> Iterator[bytes]:
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + piece)
        # Without the characters that share bits with whatever comes before and after.
        inner = whole[(before * 8 + 5) // 6 : ((before + len(piece)) * 8) // 6]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def found_in(secrets: Iterable[str], places: Mapping[str, Iterable[bytes]]) -> list[str]:
    """Name the places that hold any of the secrets; never the secret itself."""
    wanted = frozenset(piece for secret in secrets for piece in pieces(secret))
    return [place for place, values in places.items() if any(piece in value for value in values for piece in wanted)]


def files(folder: Path) -> dict[str, list[bytes]]:
    """Read every file under a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): list(unpacked(path.read_bytes())) for path in paths}


def columns(database: Path) -> dict[str, list[bytes]]:
    """Read every column of every table of an SQLite database, whatever its type; packed values unpacked as well."""
    places: dict[str, list[bytes]] = {}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.text_factory = bytes
        tables = [row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            cells = [cell for row in rows for cell in zip(names, row, strict=True)]
            for name, value in cells:
                if value is not None:
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    places.setdefault(f"{table}.{name}", []).extend(unpacked(raw))
    return places


def unpacked(value: bytes, depth: int = 4) -> Iterator[bytes]:
    """Yield a value and its decoded contents: decompressed, from base64, or as a text within JSON."""
    yield value
    if depth:
        for inner in _inside(value):
            yield from unpacked(inner, depth - 1)


def _inside(value: bytes) -> Iterator[bytes]:
    for unpack in (zlib.decompress, gzip.decompress, _from_base64):
        try:
            yield unpack(value)
        except (zlib.error, OSError, EOFError, binascii.Error, ValueError):
            continue
    if value[:1] in b'{["':
        try:
            yield from _texts(json.loads(value))
        except ValueError:
            return


def _from_base64(value: bytes) -> bytes:
    if len(value) < PIECE:
        raise ValueError("too short to hold a secret")
    return base64.b64decode(value.translate(bytes.maketrans(b"-_", b"+/")), validate=True)


def _texts(value: Any) -> Iterator[bytes]:
    if isinstance(value, str) and len(value) >= PIECE:
        yield value.encode()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
