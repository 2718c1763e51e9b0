"""
Several threads of a task and Airflow's channel to its supervisor, which is the real one; the supervisor is played.

These fail on the Airflow that changes the channel so that ``supervisor_channel`` does not fit it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, IS_AIRFLOW_2, BaseHook, BaseNotifier
from airflow_sagemaker_presign.delivery import supervisor_channel
from airflow_sagemaker_presign.delivery.attempts import DeliveryPolicy
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.exceptions import LinkDeliveryError
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.minting.redaction import quoted_forms, redacted
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.minted_urls import minted_url
from tests.helpers.scripted_sagemaker import URL

# By version, not by the names that exist: a name that a new Airflow moves or renames has to fail here.
if IS_AIRFLOW_2:
    pytest.skip("Airflow 2 has no supervisor", allow_module_level=True)
if AIRFLOW_VERSION == (3, 0, 0):
    pytest.skip("Airflow 3.0.0 asks and listens apart: see test_supervisor_of_3_0_0.py", allow_module_level=True)
comms = import_module("airflow.sdk.execution_time.comms")
task_runner = import_module("airflow.sdk.execution_time.task_runner")
in_process = import_module("airflow.sdk.execution_time.supervisor")

REQUESTS = 150
NAMES = ("mail", "slack", "sns", "ses")


def connection(conn_id: str) -> Any:
    nothing = dict.fromkeys(("login", "password", "schema", "port", "extra"))
    return comms.ConnectionResult(
        **{**nothing, "conn_id": conn_id, "conn_type": "http", "host": f"{conn_id}.example.com"}
    )


def ask(conn_id: str) -> str:
    """Request a connection from the supervisor as Airflow does, with a new lookup of the channel; return its name."""
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer: Any = SUPERVISOR_COMMS.send(comms.GetConnection(conn_id=conn_id))
    return str(answer.conn_id)


def ask_often(conn_id: str) -> None:
    for _ in range(REQUESTS):
        assert ask(conn_id) == conn_id


def look_up_often(conn_id: str) -> None:
    """Request a connection as a hook does, which masks its secrets."""
    for _ in range(REQUESTS // 5):
        assert BaseHook.get_connection(conn_id).host == f"{conn_id}.example.com"


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The real channel over a real socket, and a supervisor that responds to all requests in their order."""
    ours, theirs = socket.socketpair()
    # What a length read from the middle of a text would allocate is gigabytes.
    monkeypatch.setattr(comms, "bytearray", at_most_a_megabyte, raising=False)
    channel = comms.CommsDecoder(socket=ours)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", channel, raising=False)
    supervisor = threading.Thread(target=supervise, args=(theirs,), daemon=True)
    supervisor.start()
    yield channel
    for each in (ours, theirs):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    supervisor.join(10)
    ours.close()
    theirs.close()


def at_most_a_megabyte(size: Any = b"") -> bytearray:
    if isinstance(size, int) and size > 1_000_000:
        raise MemoryError(f"an answer of {size} bytes")
    return bytearray(size)


def supervise(theirs: socket.socket) -> None:
    import msgspec

    decoder = msgspec.msgpack.Decoder(comms._RequestFrame)
    with contextlib.suppress(OSError), theirs.makefile("rb") as requests:
        while len(length := requests.read(4)) == 4:
            frame = decoder.decode(requests.read(int.from_bytes(length, "big")))
            body = frame.body or {}
            answer = connection(body["conn_id"]) if body.get("type") == "GetConnection" else None
            # So long that another thread may have written its own request meanwhile.
            time.sleep(0.0005)
            dumped = None if answer is None else answer.model_dump(by_alias=True)
            # Not with the encoder of the frames, which is the other side's: the real supervisor is another process.
            encoded = msgspec.msgpack.encode(comms._ResponseFrame(frame.id, dumped))
            theirs.sendall(len(encoded).to_bytes(4, "big") + encoded)


class InProcessSupervisor:
    """The supervisor of ``airflow dags test``, reached through its real channel."""

    def _handle_request(self, message: Any, _log: Any, _request_id: int) -> None:
        assert not hasattr(task_runner, "SUPERVISOR_COMMS")
        time.sleep(0.0005)
        self.comms.messages.append(connection(message.conn_id) if hasattr(message, "conn_id") else None)

    comms: Any = None


@pytest.fixture
def channel_in_process(monkeypatch: pytest.MonkeyPatch) -> Any:
    supervisor = InProcessSupervisor()
    supervisor.comms = in_process.InProcessSupervisorComms(supervisor=supervisor)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor.comms, raising=False)
    return supervisor.comms


@pytest.fixture(params=["channel", "channel_in_process"])
def any_channel(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


class Asking(BaseNotifier):
    """A notifier that requests a connection from Airflow."""

    template_fields = ()

    def __init__(self, name: str, ask: Callable[[str], object]) -> None:
        super().__init__()
        self.name = name
        self.ask = ask

    def notify(self, context: Any) -> None:
        self.ask(self.name)


def send(*notifiers: BaseNotifier, seconds: float = 60) -> None:
    policy = DeliveryPolicy(timedelta(seconds=300 - seconds), attempts=1, require="all")
    deliver(notifiers, {"dag": None}, mint, policy, workspace=NotebookInstance("research"))


def mint() -> PresignedUrl:
    from airflow_sagemaker_presign.compat import mask_secret

    mask_secret("of the mint")  # Asks the supervisor, too.
    return minted_url(URL, datetime.now(UTC))


@pytest.mark.usefixtures("any_channel")
@pytest.mark.parametrize("ask", [ask_often, look_up_often])
def test_notifiers_with_requests_at_the_same_time_get_their_own_responses(ask: Callable[[str], object]) -> None:
    send(*(Asking(name, ask) for name in NAMES))


async def ask_asynchronously(conn_id: str, *, and_as_all_others: bool) -> None:
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    for _ in range(REQUESTS // 5):
        answer: Any = await SUPERVISOR_COMMS.asend(comms.GetConnection(conn_id=conn_id))
        assert answer.conn_id == conn_id
        if and_as_all_others:
            assert ask(conn_id) == conn_id


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 2), reason="Airflow has no lock for asynchronous requests yet")
@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize("and_as_all_others", [False, True])
def test_notifiers_with_their_own_event_loops_get_their_own_responses(and_as_all_others: bool) -> None:
    def run(name: str) -> None:
        asyncio.run(ask_asynchronously(name, and_as_all_others=and_as_all_others))

    mail, slack, *others = NAMES
    send(Asking(mail, run), Asking(slack, run), *(Asking(name, ask_often) for name in others), seconds=30)


@pytest.mark.usefixtures("any_channel")
def test_an_abandoned_send_does_not_block_airflows_own_thread() -> None:
    left, over = threading.Event(), threading.Event()
    answers: list[str] = []

    def hang_and_ask(name: str) -> None:
        left.wait(30)
        try:
            for _ in range(REQUESTS):
                answers.append(ask(name))
        finally:
            over.set()

    with pytest.raises(LinkDeliveryError, match="hung and was abandoned"):
        send(Asking("mail", hang_and_ask), seconds=0.2)
    left.set()
    ask_often("of the task's end")
    assert hasattr(task_runner, "SUPERVISOR_COMMS")
    assert over.wait(30)
    assert set(answers) <= {"mail"}


@pytest.mark.usefixtures("any_channel")
def test_a_task_that_is_killed_during_its_sends_can_still_report_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def ask_on(name: str) -> None:
        try:
            for _ in range(REQUESTS):
                asked.set()
                assert ask(name) == name
        finally:
            over.set()

    def killed(thread: threading.Thread, timeout: float | None = None) -> None:
        if timeout is not None:
            return join(thread, timeout)
        asked.wait(30)
        raise KeyboardInterrupt

    join = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", killed)
    with pytest.raises(KeyboardInterrupt):
        send(Asking("mail", ask_on))
    monkeypatch.setattr(threading.Thread, "join", join)
    ask_often("of the task's end")
    assert hasattr(task_runner, "SUPERVISOR_COMMS")
    assert over.wait(30)


@pytest.mark.usefixtures("channel_in_process")
def test_the_supervisor_in_the_tasks_own_process_logs_a_mask_without_the_url(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import structlog

    from airflow_sagemaker_presign.compat import mask_secret

    def mint_and_mask() -> PresignedUrl:
        with redacted() as redact_also:
            redact_also(URL)
        mask_secret([*quoted_forms(URL)])
        return mint()

    configured = structlog.get_config()
    structlog.reset_defaults()
    try:
        policy = DeliveryPolicy(timedelta(minutes=4), attempts=1, require="all")
        deliver([Asking("mail", ask)], {"dag": None}, mint_and_mask, policy, workspace=NotebookInstance("research"))
    finally:
        structlog.configure(**configured)
    said = capsys.readouterr().out
    assert "Sending request" in said
    assert "MaskSecret" in said
    assert "***" in said
    assert "secret" not in said.replace("MaskSecret", "")


@pytest.mark.usefixtures("channel_in_process")
def test_an_abandoned_thread_in_the_supervisors_own_process_gets_an_error() -> None:
    assert supervisor_channel.serialize_requests() is False
    refused: list[type[BaseException] | None] = []

    def left() -> None:
        try:
            ask("mail")
        except BaseException as error:
            refused.append(type(error))

    thread = threading.Thread(target=left)
    supervisor_channel.abandon(thread)
    thread.start()
    thread.join()
    assert refused == [supervisor_channel.AbandonedDeliveryError]


@pytest.mark.usefixtures("channel")
def test_the_channel_is_locked_once() -> None:
    assert supervisor_channel.serialize_requests() is True
    send_once = comms.CommsDecoder.send
    assert supervisor_channel.serialize_requests() is True
    assert comms.CommsDecoder.send is send_once
    assert send_once.one_at_a_time


def test_airflow_declares_the_channel_by_the_name_that_we_look_up() -> None:
    assert "SUPERVISOR_COMMS" in inspect.get_annotations(task_runner)


def test_a_channel_of_an_unknown_kind_is_used_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(request=print), raising=False)
    assert supervisor_channel.serialize_requests() is False


def test_without_a_supervisor_nothing_is_serialized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    assert supervisor_channel.serialize_requests() is True
    monkeypatch.delitem(sys.modules, "airflow.sdk.execution_time.task_runner")
    assert supervisor_channel.serialize_requests() is True
