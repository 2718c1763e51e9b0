"""
Concurrent requests to Airflow from several threads of a task, which not every version of Airflow supports.

In Airflow 3 a task requests connections, variables and XComs from its supervisor, and sends it what to mask, through
one channel: it writes a request and reads the next response. Before 3.2.1 nothing keeps two threads from reading each
other's responses (3.2.0 locks the write only); a length read from the middle of a text makes the task allocate
gigabytes. 3.2.1 has a lock, but an asynchronous request also takes a lock that belongs to a single event loop: from two
loops, one in each thread, requests fail or wait forever. The supervisor of ``airflow dags test`` runs in the task's own
process and removes the channel during a request, on every version.

The channel is not a public API. ``tests/unit/delivery/test_supervisor_channel.py`` fails on an Airflow that changes it,
or moves or renames it; 3.0.0 alone has another one, and a test of its own (``test_supervisor_of_3_0_0.py``).
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

# For the whole process, and never removed: an abandoned send may outlive the delivery. Reentrant, because a signal
# handler (``on_kill``) may make a request during a request of the same thread.
_one_request = threading.RLock()
_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class AbandonedDeliveryError(RuntimeError):
    """A thread made a request to Airflow after its delivery had ended."""


def serialize_requests() -> bool:
    """
    Make the threads of this task send their requests to its supervisor one at a time. Further calls change nothing.

    :return: whether several threads may make requests to Airflow at all. If not, only one may run at a time.
    """
    channel = _channel()
    if channel is None:  # Airflow 2, or no task: each call has its own database session, or reads the environment.
        return True
    if not callable(getattr(type(channel), "send", None)):
        return False
    if _is_in_process(channel):
        _replace_send(type(channel), _one_at_a_time, _rejecting_abandoned)
        return False
    _replace_send(type(channel), _one_at_a_time)
    _replace_asend(type(channel))
    return True


def abandon(thread: threading.Thread) -> None:
    """
    Leave a thread running that nobody waits for any more, so that it cannot block Airflow's own thread.

    When this returns, no request of the thread is in progress where one would block the requests of others.
    """
    with _one_request:
        _abandoned.add(thread)


def _channel() -> Any:
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(task_runner, "SUPERVISOR_COMMS", None)


def _is_in_process(channel: Any) -> bool:
    # Detected by the attributes that it lacks, so that only one thread at a time uses an unknown kind of channel.
    return not hasattr(channel, "socket")


def _replace_send(kind: type, *wrappers: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    send = kind.send  # type: ignore[attr-defined]
    with _one_request:
        if getattr(send, "one_at_a_time", False):
            return
        for wrapper in reversed(wrappers):
            send = wrapper(send)
        send.one_at_a_time = True
        kind.send = send  # type: ignore[attr-defined]


def _replace_asend(kind: type) -> None:
    """Make asynchronous requests, from any event loop, go through the synchronous method in another thread."""
    if not hasattr(kind, "asend"):
        return

    async def asend(channel: Any, message: Any) -> Any:
        return await asyncio.to_thread(channel.send, message)

    kind.asend = asend


def _one_at_a_time(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _one_request:
            return send(*args, **kwargs)

    return wrapped


def _rejecting_abandoned(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() in _abandoned:
            raise AbandonedDeliveryError("This delivery has ended and makes no more requests to Airflow.")
        return send(*args, **kwargs)

    return wrapped
