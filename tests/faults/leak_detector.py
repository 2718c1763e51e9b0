"""Takes down everything that is written while a task runs: logs at DEBUG, consoles, and what Airflow would store."""

from __future__ import annotations

import contextlib
import html
import io
import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.helpers.secret_search import pieces
from tests.helpers.simulated_account import SECRET

PIECES = frozenset(
    piece
    for form in (SECRET, quote(SECRET, safe=""), quote(quote(SECRET, safe=""), safe=""), html.escape(SECRET))
    for piece in pieces(form)
)


class LeakDetector(logging.Handler):
    """Knows what was written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.stored: list[Any] = []
        """What Airflow would store: arguments, events, XComs, receipts."""
        self._writer = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self._writer.format(record))

    def saw(self, value: Any) -> None:
        """Take down something that Airflow would store."""
        self.stored.append(value)
        self.lines.append(json.dumps(value, default=repr))

    def saw_error(self, error: BaseException | None) -> None:
        """Take down an error: all of its chain, and what each says of itself."""
        if error is not None:
            self.lines += traceback.format_exception(error)
        while error is not None:
            self.lines.append(f"{error!r} {error} {error.args!r} {vars(error)!r}")
            error = error.__cause__ or error.__context__

    def leaks(self) -> list[str]:
        """Describe the places that hold a piece of a token, without the piece."""
        if not _has_a_piece("\n".join(self.lines)):
            return []
        places = [line for line in self.lines if _has_a_piece(line)] or ["two lines together"]
        return [f"{line[:40].partition(SECRET[:8])[0]}... ({len(line)} characters)" for line in places]

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Capture everything written in the block."""
        out, err = io.StringIO(), io.StringIO()
        consoles = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
        with _all_loggers_to(self), _structlog_to(self), consoles[0], consoles[1]:
            yield
        self.lines += [out.getvalue(), err.getvalue()]


def _has_a_piece(text: str) -> bool:
    written = text.encode()
    return any(piece in written for piece in PIECES)


@contextlib.contextmanager
def _all_loggers_to(handler: logging.Handler) -> Iterator[None]:
    root = logging.getLogger()
    loggers = [
        logger
        for logger in root.manager.loggerDict.values()
        if isinstance(logger, logging.Logger) and (logger.level or logger.handlers or not logger.propagate)
    ]
    before = [(logger, logger.level, logger.propagate, logger.handlers) for logger in (root, *loggers)]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.propagate, logger.handlers = True, []
    root.setLevel(logging.DEBUG)
    root.handlers = [handler]
    try:
        yield
    finally:
        for logger, level, propagate, handlers in before:
            logger.setLevel(level)
            logger.propagate, logger.handlers = propagate, handlers


@contextlib.contextmanager
def _structlog_to(leak_detector: LeakDetector) -> Iterator[None]:
    """Airflow 3 logs its own things, and those of operators and hooks, through structlog."""
    try:
        import structlog
    except ImportError:
        yield
        return
    before = structlog.get_config()

    def take_down(_logger: Any, _method: str, event: Any) -> Any:
        error = event.get("exc_info")
        leak_detector.lines.append(json.dumps(event, default=repr))
        if error:
            leak_detector.saw_error(
                error if isinstance(error, BaseException) else error[1] if error is not True else None
            )
        raise structlog.DropEvent

    structlog.configure(
        processors=[*before["processors"][:-1], take_down],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=before["logger_factory"],
        context_class=before["context_class"],
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
