"""Errors that are themselves faulty."""

from __future__ import annotations


class CannotSay(Exception):
    """An error whose own attributes and words raise, as a client's do that has had no answer yet."""

    @property
    def response(self) -> object:
        raise RuntimeError("there was no answer")

    def __str__(self) -> str:
        raise RuntimeError("there are no words")
