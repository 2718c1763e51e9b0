"""A session at a server: what it asks, what it refuses to follow or to read, and that nothing shows the cookie."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import pytest

from airflow_sagemaker_presign.exceptions import NotebookInstanceUsageUnknown
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.minting.redaction import redact, redacted_during
from airflow_sagemaker_presign.usage import jupyter_session
from airflow_sagemaker_presign.usage.activity import Usage
from airflow_sagemaker_presign.usage.http_options import HttpOptions
from airflow_sagemaker_presign.usage.jupyter_session import JupyterSession
from airflow_sagemaker_presign.usage.unavailable import JupyterUnavailable, SessionRefused
from tests.helpers.certificates import certificate
from tests.helpers.http_server import QuietHandler, serving
from tests.helpers.ports import free_port
from tests.helpers.scripted_sagemaker import Clock
from tests.helpers.scripted_usage import OneNotebook

TOKEN = "eyJhbGciOiJIUzI1NiJ9%2Bsecret%2FtokenOfAda0123456789abcdefghijklmnopqrstuvwxyz"
COOKIE = "cookie-of-ada-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz"
KERNEL = '[{"name": "python3", "execution_state": "busy", "last_activity": "2026-03-02T08:00:00Z"}]'
DIRECT = HttpOptions()
Reply = Callable[[QuietHandler], None]


class Notebook:
    """A server that answers like a notebook instance's, except where a test says otherwise."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.replies: dict[str, Reply] = {}

    def reply(self, handler: QuietHandler) -> None:
        path = handler.path.partition("?")[0]
        self.requests.append((handler.path, handler.headers["Cookie"]))
        if path in self.replies:
            self.replies[path](handler)
        elif "authToken=" in handler.path:
            answer(302, "", Location="/lab", **{"Set-Cookie": f"session={COOKIE}; HttpOnly; Path=/"})(handler)
        elif path == "/api/kernels":
            answer(200, KERNEL)(handler)
        else:
            answer(200, "[]")(handler)


def answer(status: int, body: str | bytes, **headers: str) -> Reply:
    def reply(handler: QuietHandler) -> None:
        content = body.encode() if isinstance(body, str) else body
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return reply


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


def server_of(notebook: Notebook) -> ThreadingHTTPServer:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            notebook.reply(self)

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def url(notebook: Notebook) -> Iterator[str]:
    with serving(server_of(notebook)) as origin:
        yield f"{origin}?authToken={TOKEN}"


def presigned(url: str) -> PresignedUrl:
    now = datetime.now(UTC)
    return PresignedUrl(
        url,
        name="research",
        minted_at=now,
        expires_at=now + timedelta(minutes=5),
        session_expiration_duration=timedelta(minutes=30),
    )


def ask(url: str, options: HttpOptions = DIRECT) -> Usage:
    async def usage() -> Usage:
        session = await JupyterSession.open(presigned(url), options)
        return await session.usage(lambda: datetime.now(UTC), count_connections=False)

    return asyncio.run(usage())


def test_the_cookie_is_what_each_question_has_and_no_question_counts_as_use(notebook: Notebook, url: str) -> None:
    assert ask(url).running == "a busy kernel (python3)"
    opened, *asked = notebook.requests
    assert opened == (f"/?authToken={TOKEN}", None)
    assert asked == [(f"/api/{what}?no_track_activity=1", f"session={COOKIE}") for what in ("terminals", "kernels")]


def test_a_server_without_terminals_or_kernels_is_asked_since_when_it_runs(notebook: Notebook, url: str) -> None:
    notebook.replies["/api/kernels"] = answer(200, "[]")
    notebook.replies["/api/terminals"] = answer(404, '{"message": "no terminals"}')
    notebook.replies["/api/status"] = answer(200, '{"started": "2026-03-02T08:00:00Z"}')
    assert ask(url).last_active_at < datetime.now(UTC) - timedelta(days=1)
    assert notebook.requests[-1][0] == "/api/status?no_track_activity=1"


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://attacker.example/lab", "redirected to another host, attacker.example"),
        ("//attacker.example/lab", "redirected to another host, attacker.example"),
        ("http://127.0.0.1:1/lab", "redirected to another host, 127.0.0.1"),
    ],
)
def test_no_redirect_is_followed_to_another_host(location: str, says: str, notebook: Notebook, url: str) -> None:
    notebook.replies["/"] = answer(302, "", Location=location, **{"Set-Cookie": f"session={COOKIE}"})
    with pytest.raises(SessionRefused, match=says):
        ask(url)
    assert len(notebook.requests) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://research.example", "https://RESEARCH.example:443/lab"),
        ("https://research.example:443", "https://research.example/tree"),
        ("http://127.0.0.1:8888", "http://127.0.0.1:8888/lab"),
    ],
)
def test_the_usual_port_may_be_written_or_not(one: str, other: str) -> None:
    parts_of = jupyter_session._server_of
    assert parts_of(urlsplit(one)) == parts_of(urlsplit(other))
    assert parts_of(urlsplit(one)) != parts_of(urlsplit(other.replace("http", "ftp", 1)))


def test_a_redirect_of_an_answer_is_not_followed_either(notebook: Notebook, url: str) -> None:
    notebook.replies["/api/kernels"] = answer(302, "", Location="/api/terminals")
    # A server sends to a login whose session has ended.
    with pytest.raises(SessionRefused, match="HTTP status 302"):
        ask(url)


@pytest.mark.parametrize(
    ("path", "reply", "says", "advice"),
    [
        ("/", answer(403, "Forbidden"), "refused the presigned URL (HTTP status 403)", "aws:SourceIp"),
        ("/", answer(502, "Bad gateway"), "HTTP status 502", "Jupyter"),
        ("/", answer(200, "<html>"), "gave no session", "Jupyter"),
        ("/api/kernels", answer(403, "{}"), "refused the session", "aws:SourceIp"),
        ("/api/kernels", answer(500, "{}"), "HTTP status 500", "Jupyter"),
        ("/api/kernels", answer(404, "{}"), "HTTP status 404", "Jupyter"),
        ("/api/kernels", answer(200, "<!doctype html>"), "something else than JSON", "Jupyter"),
        ("/api/kernels", answer(200, b"\xff\xfe\x00"), "something else than JSON", "Jupyter"),
        ("/api/kernels", answer(200, "[" * 100_000), "something else than JSON", "Jupyter"),
        ("/api/kernels", answer(200, '{"a": 1}'), "not those of a Jupyter server", "Jupyter"),
        ("/api/kernels", answer(200, b"\x1f\x8b\x08", **{"Content-Encoding": "gzip"}), "than JSON", "Jupyter"),
        ("/api/kernels", answer(200, "[]", **{"X-Long": "a" * 100_000}), "gave no HTTP answer", "Jupyter"),
        ("/api/kernels", answer(200, " " * (1024 * 1024 + 1)), "more than 1,048,576 bytes", "Jupyter"),
        ("/api/kernels", answer(200, "[]", **{"Content-Length": "500"}), "gave no HTTP answer", "Jupyter"),
    ],
)
def test_each_answer_that_says_nothing_is_an_error_with_its_reason(
    path: str, reply: Reply, says: str, advice: str, notebook: Notebook, url: str
) -> None:
    notebook.replies[path] = reply
    with pytest.raises(JupyterUnavailable) as raised:
        ask(url)
    assert says in raised.value.problem
    assert "127.0.0.1" in raised.value.problem or "Jupyter server" in raised.value.problem
    assert advice in raised.value.advice


def drip(handler: QuietHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        return


def drip_headers(handler: QuietHandler) -> None:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            handler.wfile.write(b"a")
            time.sleep(0.05)
    except OSError:
        return


@pytest.mark.parametrize("slowly", [drip, drip_headers])
def test_a_server_that_drips_is_left_after_a_time(
    slowly: Reply, notebook: Notebook, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jupyter_session, "ANSWER_SECONDS", 0.3)
    notebook.replies["/api/kernels"] = slowly
    with pytest.raises(JupyterUnavailable, match=r"did not answer within 0\.3 s"):
        ask(url)


def test_nobody_at_the_address_is_a_matter_of_the_network() -> None:
    with pytest.raises(JupyterUnavailable, match="could not be reached: Connection refused") as raised:
        ask(f"http://127.0.0.1:{free_port()}/?authToken={TOKEN}")
    assert "may connect to it" in raised.value.advice


def test_a_connection_that_ends_without_an_answer_is_an_error(notebook: Notebook, url: str) -> None:
    notebook.replies["/"] = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(JupyterUnavailable, match="gave no HTTP answer"):
        ask(url)


def test_a_proxy_of_the_connection_is_used(notebook: Notebook, url: str) -> None:
    origin = url.partition("?")[0]
    notebook.replies["http://research.notebook.example/"] = answer(403, "")
    with pytest.raises(SessionRefused, match=r"research\.notebook\.example refused the presigned URL"):
        ask(f"http://research.notebook.example/?authToken={TOKEN}", HttpOptions(proxies={"http": origin}))


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_proxy_may_be_written_as_botocore_takes_it(scheme: str, notebook: Notebook, url: str) -> None:
    address = scheme + url.partition("?")[0].removeprefix("http://")
    notebook.replies["http://research.notebook.example/"] = answer(403, "")
    with pytest.raises(SessionRefused):
        ask(f"http://research.notebook.example/?authToken={TOKEN}", HttpOptions(proxies={"http": address}))


def test_a_proxy_that_is_no_address_is_said_to_be_one() -> None:
    with pytest.raises(JupyterUnavailable, match="the address of the proxy is not valid"):
        ask(f"http://research.example/?authToken={TOKEN}", HttpOptions(proxies={"http": "http://:a b/"}))


def test_a_plain_answer_where_tls_is_due_is_an_error_with_its_reason(url: str) -> None:
    with pytest.raises(JupyterUnavailable, match=r"(?i)could not be reached: .*(ssl|version|packet|record)"):
        ask(url.replace("http://", "https://"))


def test_a_certificate_that_nobody_signed_is_refused_before_the_url_is_sent(notebook: Notebook, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    server = server_of(notebook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    # The handshake is the handler's thread's.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server) as origin:
        url = f"{origin.replace('http', 'https', 1)}/?authToken={TOKEN}"
        with pytest.raises(JupyterUnavailable, match=r"certificate of 127\.0\.0\.1 is not trusted") as raised:
            ask(url)
        assert "CA bundle as `verify`" in raised.value.advice
        assert notebook.requests == []
        assert ask(url, HttpOptions(verify=str(pem))).running
        assert ask(url, HttpOptions(verify=False)).running


@pytest.mark.parametrize("proxies", [None, {}])
def test_the_environment_names_the_proxy_unless_the_connection_does(
    proxies: dict[str, str] | None, notebook: Notebook, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    if proxies is None:
        with pytest.raises(JupyterUnavailable, match="could not be reached: Connection refused"):
            ask(url)
    else:
        assert ask(url, HttpOptions(proxies=proxies)).running


REFUSALS: list[tuple[str, Reply]] = [
    ("/", answer(403, "Forbidden")),
    ("/", answer(502, "Bad gateway")),
    ("/", answer(200, "<html>")),
    ("/", answer(302, "", Location=f"https://attacker.example/?authToken={TOKEN}")),
    ("/", lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)),
    ("/api/kernels", answer(403, "{}")),
    ("/api/kernels", answer(500, "{}")),
    ("/api/kernels", answer(200, "x")),
    ("/api/kernels", answer(200, '{"a": 1}')),
    ("/api/kernels", lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)),
]


@pytest.mark.parametrize(("path", "reply"), REFUSALS)
def test_neither_the_url_nor_the_cookie_is_in_anything_that_is_logged_or_raised(
    path: str,
    reply: Reply,
    notebook: Notebook,
    url: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    notebook.replies[path] = reply
    with pytest.raises(JupyterUnavailable) as raised:
        ask(url)
    logging.getLogger("test").error("failed", exc_info=raised.value)
    written = caplog.text + "".join(capsys.readouterr()) + raised.value.problem + raised.value.advice
    assert "failed" in written
    assert TOKEN not in written
    assert COOKIE not in written


def test_what_is_logged_during_a_look_has_neither_url_nor_cookie(
    notebook: Notebook, url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a library, or other code of the triggerer, could."""

    def talk(handler: QuietHandler) -> None:
        logging.getLogger("library").warning("%s %s", handler.path, handler.headers["Cookie"])
        print("said", handler.path, handler.headers["Cookie"])
        # Without the name that gives it away.
        print("token", handler.path.rpartition("=")[2])
        del notebook.replies[handler.path.partition("?")[0]]
        notebook.requests.clear()
        notebook.reply(handler)

    notebook.replies = dict.fromkeys(("/", "/api/terminals", "/api/kernels"), talk)
    assert ask(url).running
    printed = "".join(capsys.readouterr())
    for written in (caplog.text, printed):
        assert "/?authToken=***" in written
        assert "/api/kernels?no_track_activity=1 session=***" in written
        assert TOKEN not in written
        assert COOKIE not in written
    assert "token ***" in printed


def test_a_cookie_that_is_deleted_is_not_sent(notebook: Notebook, url: str) -> None:
    def reply(handler: QuietHandler) -> None:
        handler.send_response(302)
        for cookie in ("old=; Max-Age=0", f"session={COOKIE}"):
            handler.send_header("Set-Cookie", cookie)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    notebook.replies["/"] = reply
    assert ask(url).running
    assert {cookie for _, cookie in notebook.requests[1:]} == {f"session={COOKIE}"}


@pytest.mark.parametrize("cookies", ["a=1", "a=e", "a=2026-11-29"])
def test_a_cookie_that_is_no_credential_does_not_spoil_the_logs(
    cookies: str, notebook: Notebook, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.replies["/"] = answer(302, "", Location="/lab", **{"Set-Cookie": cookies})
    line = 'task 101 succeeded at 2026-11-29: {"a": "", "b": 1}'

    def talk(handler: QuietHandler) -> None:
        logging.getLogger("library").warning(line)
        answer(200, KERNEL)(handler)

    notebook.replies["/api/kernels"] = talk
    assert ask(url).running
    assert line in caplog.text


@pytest.mark.parametrize(("path", "reply"), REFUSALS)
def test_the_error_of_the_hook_holds_no_frame_with_a_credential(
    path: str,
    reply: Reply,
    notebook: Notebook,
    url: str,
    hook: SageMakerNotebookInstanceHook,
    clock: Clock,
) -> None:
    OneNotebook(hook.__dict__["conn"], clock).url = url
    notebook.replies[path] = reply
    with pytest.raises(NotebookInstanceUsageUnknown) as raised:
        hook.notebook_instance_usage("research")
    held = "".join(map(repr, values_in_frames_of(raised.value)))
    assert "research" in held
    assert TOKEN not in held
    assert COOKIE not in held


def values_in_frames_of(error: BaseException | None) -> Iterator[object]:
    """Yield the variables of all frames that an error holds, with those of its causes and contexts."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if Path(frame.f_code.co_filename) != Path(__file__):
                yield from frame.f_locals.values()
        error = error.__cause__ or error.__context__


def test_a_session_shows_neither_its_cookie_nor_can_it_be_stored() -> None:
    session = JupyterSession("https://research.example", {"session": COOKIE}, datetime.now(UTC), HttpOptions())
    assert COOKIE not in f"{session!r} {session}"
    with pytest.raises(TypeError, match="credential"):
        pickle.dumps(session)


def test_a_cookie_is_redacted_whole_or_in_pieces_while_it_is_used() -> None:
    with redacted_during(COOKIE):
        assert redact(f"Cookie: session={COOKIE}; a=1") == "Cookie: session=***; a=1"
        assert COOKIE[20:60] not in redact(f"cut {COOKIE[20:60]}")
        with redacted_during(COOKIE):
            pass
        assert COOKIE not in redact(COOKIE)
    assert redact(COOKIE) == COOKIE


def test_blocks_of_coroutines_that_interleave_keep_each_others_secrets() -> None:
    first, second = redacted_during("first-secret-0123456789"), redacted_during("second-secret-0123456789")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert redact("second-secret-0123456789") == "***"
    second.__exit__(None, None, None)
    assert redact("second-secret-0123456789") != "***"


def test_any_verify_is_the_one_of_the_connection(tmp_path: Path) -> None:
    assert jupyter_session._ssl_of(False) is False
    assert isinstance(jupyter_session._ssl_of(True), ssl.SSLContext)
    bundle = tmp_path / "ca.pem"
    bundle.write_text(Path(certifi.where()).read_text())
    context = jupyter_session._ssl_of(str(bundle))
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert jupyter_session._ssl_of(str(bundle)) is context
