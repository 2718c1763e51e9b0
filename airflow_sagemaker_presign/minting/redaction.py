"""Redaction: keep presigned URLs out of this process's logs and consoles for as long as it holds them."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

MASK = "***"

# The value of a parameter named authToken is a token, even if it is not registered: botocore may log a response before
# the URL in it is known.
_TOKEN = re.compile(r"""(authToken["']?(?:=|:\s*|%3D|%253D|&#61;|\\u003d)["']?)[^\s&"'<>\\,;)}\]|]+""", re.IGNORECASE)

_PIECE = 12
"""The length of a piece, in characters: any 23 characters in a row of a token contain a whole piece."""
_LONG = 4 * _PIECE
# The text around a piece: a line of a mail, or of a console that is narrower than the token.
_RUN = re.compile(rf"[\w.~%+/-]{{{_PIECE},}}")

_OF_EVERY_RECORD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None)))

_lock = threading.RLock()
_registered: Counter[str] = Counter()
_pieces: Counter[str] = Counter()
_guards = 0
_uninstall = ExitStack()
_of_thread = threading.local()
"""``urls``: the URLs that were registered in the outermost block of this thread."""


def redact(text: str) -> str:
    """
    Return ``text`` without registered presigned URLs and tokens, and without values named ``authToken``.

    Of a long token that was cut, wrapped, or base64-encoded, no usable piece remains, either.
    """
    with _lock:
        known = sorted(_registered, key=len, reverse=True)
    for form in known:
        text = text.replace(form, MASK)
    text = _TOKEN.sub(rf"\1{MASK}", text)
    return _RUN.sub(_without_pieces, text) if _pieces else text


def quoted_forms(url: str) -> frozenset[str]:
    """Return the usual spellings of a URL and of its token: plain, and quoted for URLs, HTML and JSON."""
    forms = set()
    for secret in (url, *_tokens_in(url)):
        forms |= {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
        forms |= {html.escape(secret), json.dumps(secret)[1:-1], secret.replace("&", "\\u0026")}
        forms.add(secret.replace("/", "\\/"))
    return frozenset(form for form in forms if form)


@contextmanager
def redacted(url: str | None = None) -> Iterator[Callable[[str], None]]:
    """
    Keep a URL out of this process's logs and consoles while the block runs.

    It is masked in log records and prints of all threads. DEBUG records are disabled meanwhile, because a library's
    wire log may hold the URL in an encoding that redaction does not recognise. Airflow's own ``mask_secret`` is a
    second line of defence: it does not cover the executor's console.

    A URL that is registered in a nested block of the same thread stays redacted until the outermost block ends, since
    the code there continues to use it.

    :param url: the URL, if it is already known; the function that the block receives registers one that becomes known.
    """
    outer: list[str] | None = getattr(_of_thread, "urls", None)
    urls: list[str] = [] if outer is None else outer

    def add(late_url: str) -> None:
        urls.append(late_url)
        _register(late_url)

    _enter()
    _of_thread.urls = urls
    try:
        if url is not None:
            add(url)
        yield add
    finally:
        if outer is None:
            _of_thread.urls = None
            for known in urls:
                _unregister(known)
        _leave()


@contextmanager
def redacted_during(*secrets: str) -> Iterator[None]:
    """
    Redact URLs, or other secrets such as cookies, while the block runs: for coroutines, whose blocks interleave.

    Unlike with :func:`redacted`, what is registered does not depend on other blocks of the same thread.
    """
    _enter()
    for secret in secrets:
        _register(secret)
    try:
        yield
    finally:
        for secret in secrets:
            _unregister(secret)
        _leave()


def _register(secret: str) -> None:
    with _lock:
        _registered.update(_spelled(quoted_forms(secret)))
        _pieces.update(_pieces_of(secret))


def _unregister(secret: str) -> None:
    _forget(_registered, _spelled(quoted_forms(secret)))
    _forget(_pieces, _pieces_of(secret))


def _tokens_in(url: str) -> list[str]:
    """Return the secrets in a URL's query; a text that is no URL, such as a cookie, is a secret as a whole."""
    if "://" not in url:
        return [url]
    return [value for name, value in parse_qsl(urlsplit(url).query) if len(value) >= 16 or name == "authToken"]


def _spelled(forms: frozenset[str]) -> list[str]:
    """Return the forms, and their spellings in a ``repr``, both plain and within JSON."""
    escaped = [form for form in forms if "\\" in form]
    return [*forms, *(form.replace("\\", "\\" * times) for form in escaped for times in (2, 4))]


def _pieces_of(url: str) -> list[str]:
    """Return the pieces of a URL's long tokens, plain and in base64 at each of its three offsets."""
    pieces = []
    for token in _tokens_in(url):
        if len(token) < _LONG:
            continue
        # The first four characters depend on the text before the token.
        encoded = [base64.b64encode(b" " * before + token.encode()).decode()[4:] for before in range(3)]
        for spelled in (token, *encoded):
            pieces += [spelled[at : at + _PIECE] for at in range(0, len(spelled) - _PIECE + 1, _PIECE)]
    return pieces


def _without_pieces(run: re.Match[str]) -> str:
    text = run[0]
    return MASK if any(text[at : at + _PIECE] in _pieces for at in range(len(text) - _PIECE + 1)) else text


def _forget(known: Counter[str], forms: Iterable[str]) -> None:
    with _lock:
        for form in forms:
            known[form] -= 1
            if known[form] <= 0:
                del known[form]


def _enter() -> None:
    global _guards
    with _lock:
        _guards += 1
        if _guards == 1:
            _quiet_debug(_uninstall)
            _guard_records(_uninstall)
            _guard_extras(_uninstall)
            _guard_structlog(_uninstall)
            _guard_streams(_uninstall)


def _leave() -> None:
    global _guards
    with _lock:
        _guards -= 1
        if _guards == 0:
            _uninstall.close()


def _quiet_debug(undo: ExitStack) -> None:
    before = logging.root.manager.disable
    logging.disable(max(before, logging.DEBUG))
    undo.callback(logging.disable, before)


def _guard_records(undo: ExitStack) -> None:
    make = logging.getLogRecordFactory()

    def make_clean(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"{record.msg} {record.args}"
        if (clean := redact(message)) != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            if (clean := redact(text)) != text:
                record.exc_info, record.exc_text = None, clean
        return record

    logging.setLogRecordFactory(make_clean)
    undo.callback(logging.setLogRecordFactory, make)


def _guard_extras(undo: ExitStack) -> None:
    """Redact the ``extra`` of a log call, too, which is added after the record was created."""
    make: Any = logging.Logger.makeRecord

    def make_clean(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **kwargs)
        for name in vars(record).keys() - _OF_EVERY_RECORD:
            value = vars(record)[name]
            if redact(text := str(value)) != text:
                vars(record)[name] = _clean(value)
        return record

    logging.Logger.makeRecord = make_clean  # type: ignore[method-assign]
    undo.callback(setattr, logging.Logger, "makeRecord", make)


def _guard_structlog(undo: ExitStack) -> None:
    """Redact structlog's events: in Airflow 3, its loggers share one list of processors, the last of which writes."""
    structlog = sys.modules.get("structlog")
    processors = structlog.get_config()["processors"] if structlog else None
    if not isinstance(processors, MutableSequence) or not processors:
        return
    processors.insert(len(processors) - 1, _clean_event)
    undo.callback(processors.remove, _clean_event)


def _clean_event(_logger: Any, _method: str, event: Any) -> Any:
    if isinstance(event, Mapping) and event.get("exc_info"):
        text = "".join(traceback.format_exception(*_exc_info(event["exc_info"]))).rstrip("\n")
        if (clean := redact(text)) != text:
            # The writer would wrap long lines, and half a token is not recognised.
            event = {**event, "exc_info": None, "exception": clean}
    return _clean(event)


def _exc_info(given: Any) -> tuple[Any, Any, Any]:
    """Return structlog's ``exc_info`` in the form of ``sys.exc_info()``."""
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    return given if isinstance(given, tuple) else sys.exc_info()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, (int, float)):
        return value
    text = str(value)
    return value if redact(text) == text else redact(text)


def _guard_streams(undo: ExitStack) -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None:
            clean = _CleanStream(stream)
            setattr(sys, name, clean)
            undo.callback(_put_back, name, clean, stream)


def _put_back(name: str, clean: _CleanStream, stream: Any) -> None:
    # Other code may have redirected the stream meanwhile; keep its redirection.
    if getattr(sys, name) is clean:
        setattr(sys, name, stream)


class _CleanStream:
    """A text stream that redacts presigned URLs."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self._stream.write(redact("".join(lines)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
