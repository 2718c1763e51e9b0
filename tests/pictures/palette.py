"""PNGs of at most 256 colours: a third of the size, with no visible difference in a picture of a page."""

from __future__ import annotations

import struct
import zlib
from collections import Counter

COLOURS = 256


def png(width: int, height: int, rgba: bytes) -> bytes:
    """
    Write a PNG with a palette.

    :param rgba: the pixels, row by row, four bytes each; transparency is dropped.
    """
    pixels = [rgba[at : at + 3] for at in range(0, len(rgba), 4)]
    nearest = _nearest(Counter(pixels))
    palette = sorted(set(nearest.values()))
    index = {colour: number for number, colour in enumerate(palette)}
    numbers = bytes(index[nearest[pixel]] for pixel in pixels)
    rows = b"".join(b"\0" + numbers[at : at + width] for at in range(0, len(numbers), width))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"".join(palette)),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _nearest(counts: Counter[bytes]) -> dict[bytes, bytes]:
    """Say for each colour which one of the palette stands for it."""
    frequent = [colour for colour, _ in counts.most_common()]
    # Of each part of the spectrum the most frequent one: a red star is small, and has to stay red.
    spectrum: dict[tuple[int, ...], bytes] = {}
    for colour in frequent:
        spectrum.setdefault(tuple(channel >> 6 for channel in colour), colour)
    palette = list(dict.fromkeys((*spectrum.values(), *frequent)))[:COLOURS]
    standing = {colour: colour for colour in palette}
    for colour in counts.keys() - standing.keys():
        standing[colour] = min(palette, key=lambda other: _distance(colour, other))
    return standing


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
