"""What a Jupyter server's answers say about use, without side effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

MAX_OPEN = 100
"""The maximum number of kernels and terminals whose end is noticed."""

MAX_NAMES_LENGTH = 200
"""The maximum length of the names of kernels, in characters."""


class UnreadableAnswer(ValueError):
    """An answer is not what a Jupyter server sends."""


@dataclass(frozen=True)
class Usage:
    """
    The use of a notebook at one moment.

    What shows nowhere is not in it: processes started with ``nohup`` or in ``tmux``, and reading without a kernel.

    :param last_active_at: when something last happened in a kernel or a terminal (aware); now while a kernel is busy;
        the start of the Jupyter server if there are neither kernels nor terminals.
    :param running: what is in use right now, in words, such as ``a busy kernel (python3)``; empty: nothing.
    :param observed_at: when it was observed (aware).
    :param open: names of the kernels and terminals that there are.
    """

    last_active_at: datetime
    running: str
    observed_at: datetime
    open: tuple[str, ...] = ()

    def in_use(self, idle_for: timedelta) -> bool:
        """
        Return whether it is in use: something runs, or something happened within a time.

        :param idle_for: the time.
        """
        return bool(self.running) or self.observed_at - self.last_active_at < idle_for


@dataclass(frozen=True)
class Answers:
    """
    The answers of a Jupyter server, as decoded JSON.

    https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html

    :param kernels: of ``/api/kernels``.
    :param terminals: of ``/api/terminals``; ``None``: the server has no terminals.
    :param status: of ``/api/status``.
    :param date: the header ``Date`` of the last answer: the server's time.
    """

    kernels: Any
    terminals: Any
    status: Any
    date: str | None


def usage_of(answers: Answers, now: datetime, *, count_connections: bool) -> Usage:
    """
    Return the use that the answers show.

    Idle times are differences on the server's clock, so that ours may differ.

    :param now: the time of the answers on our clock.
    :param count_connections: whether a kernel with a connection, such as an open browser tab's, is in use.
    :raises UnreadableAnswer: when an answer is not what a Jupyter server sends.
    """
    server_now = _server_time(answers.date)
    kernels, terminals = _rows("kernels", answers.kernels), _rows("terminals", answers.terminals or [])
    busy = [_text(kernel, "name") for kernel in kernels if _text(kernel, "execution_state") == "busy"]
    connected = [_text(kernel, "name") for kernel in kernels if count_connections and _count(kernel, "connections")]
    running = "; ".join(filter(None, (_words("busy kernel", busy), _words("kernel with a connection", connected))))
    # A terminal has no id, only a name.
    open_now = tuple(str(row.get("id", row.get("name")))[:36] for row in (*kernels, *terminals)[:MAX_OPEN])
    if running:
        return Usage(now, running, now, open_now)
    activities = [_time(row, "last_activity") for row in (*kernels, *terminals)]
    if not activities:
        if not isinstance(answers.status, Mapping):
            raise UnreadableAnswer("/api/status is not an object")
        activities = [_time(answers.status, "started")]
    try:
        return Usage(now - max(timedelta(0), server_now - max(activities)), "", now, open_now)
    except OverflowError:
        raise UnreadableAnswer("its times are out of range") from None


def _words(what: str, names: Sequence[str]) -> str:
    """Return, for instance, ``a busy kernel (python3)`` or ``3 busy kernels (python3, R)``."""
    if not names:
        return ""
    count = f"a {what}" if len(names) == 1 else f"{len(names)} {what.replace('kernel', 'kernels', 1)}"
    # Whoever works in the notebook names its kernels: the names go into logs and messages, on one line.
    listed = "".join(letter if letter.isprintable() else " " for letter in ", ".join(Counter(names)))
    return f"{count} ({listed if len(listed) <= MAX_NAMES_LENGTH else listed[: MAX_NAMES_LENGTH - 1] + '…'})"


def _server_time(date: str | None) -> datetime:
    try:
        return parsedate_to_datetime(date or "").astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableAnswer("an answer has no Date") from None


def _rows(what: str, answer: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(row, Mapping) for row in answer):
        raise UnreadableAnswer(f"/api/{what} is not a list of objects")
    return answer


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise UnreadableAnswer(f"a kernel has no {key}")
    return value


def _count(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key, 0)
    if not isinstance(value, int):
        raise UnreadableAnswer(f"a kernel's {key} is not a number")
    return value


def _time(row: Mapping[str, Any], key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(row[key])
    except (KeyError, TypeError, ValueError):
        raise UnreadableAnswer(f"a {key} is not a time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
