"""Scripted faults of the mail server and of Slack; each request consumes one occurrence."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class SmtpFault(StrEnum):
    """The faults of the mail server."""

    RESET_AT_CONNECT = "reset-at-connect"
    REJECT_AT_CONNECT = "554-at-connect"
    REJECT_RECIPIENT = "550-at-rcpt"
    GREYLIST = "451-at-rcpt"
    DROP_BEFORE_DATA = "drop-before-data"
    DROP_AFTER_DATA = "drop-after-data"
    HANG_AFTER_DATA = "hang-after-data"


class SlackFault(StrEnum):
    """The faults of Slack."""

    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    HANG = "hang"
    HANG_AFTER_RECEIPT = "hang-after-receipt"
    NOT_OK = "not-ok"


@dataclass
class Scripted:
    """One entry of a script. ``times=None`` means: every time, until ``clear``."""

    fault: str
    times: int | None
    settings: dict[str, Any] = field(default_factory=dict)


class _Script:
    def __init__(self) -> None:
        self._entries: list[Scripted] = []
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Clear the script: everything works again."""
        with self._lock:
            self._entries.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults that are still to come."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def _add(self, fault: str, times: int | None, **settings: Any) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times must be 1 or more, or None for always, not {times}.")
        with self._lock:
            self._entries.append(Scripted(fault, times, settings))

    def _take(self, *faults: str, **wanted: Any) -> Scripted | None:
        with self._lock:
            for entry in self._entries:
                if entry.fault in faults and _matches(entry, wanted):
                    if entry.times is not None:
                        entry.times -= 1
                        if entry.times == 0:
                            self._entries.remove(entry)
                    return entry
        return None


def _matches(entry: Scripted, wanted: dict[str, Any]) -> bool:
    return all(entry.settings.get(key) in (None, value) for key, value in wanted.items())


class SmtpFaults(_Script):
    """The mail server's script."""

    def fail(self, fault: SmtpFault | str, times: int | None = 1) -> None:
        """
        Add a fault of the mail server.

        :param fault: ``reset-at-connect`` (before any greeting), ``554-at-connect``, ``550-at-rcpt``,
            ``451-at-rcpt`` (greylisting), ``drop-before-data`` (the body is not taken), ``drop-after-data`` and
            ``hang-after-data`` (the body is taken, the sender gets no reply).
        :param times: the number of occurrences. None: every time.
        """
        self._add(SmtpFault(fault), times)

    def take(self, *faults: SmtpFault) -> SmtpFault | None:
        """Consume one occurrence of one of these, if it is scripted."""
        entry = self._take(*faults)
        return SmtpFault(entry.fault) if entry else None


class SlackFaults(_Script):
    """Slack's script."""

    def fail(
        self,
        fault: SlackFault | str,
        times: int | None = 1,
        *,
        method: str | None = None,
        error: str = "channel_not_found",
        retry_after: int = 1,
        hang_seconds: float = 60,
    ) -> None:
        """
        Add a fault of Slack.

        :param fault: ``429``, ``500``, ``hang`` (nothing is taken), ``hang-after-receipt`` (the message is taken,
            the sender gets no reply), or ``not-ok`` (HTTP 200 with ``ok: false``).
        :param times: the number of occurrences. None: every time.
        :param method: only this one, for example ``chat.postMessage``, or ``webhook``. None: any.
        :param error: for ``not-ok``: Slack's error code.
        :param retry_after: for ``429``: seconds.
        :param hang_seconds: for the two that hang: after this long the connection is closed.
        """
        settings = {
            "method": method,
            "error": error,
            "retry_after": retry_after,
            "hang_seconds": hang_seconds,
        }
        self._add(SlackFault(fault), times, **settings)

    def take(self, method: str) -> Scripted | None:
        """Consume one occurrence of whatever is scripted for this method."""
        return self._take(*SlackFault, method=method)
