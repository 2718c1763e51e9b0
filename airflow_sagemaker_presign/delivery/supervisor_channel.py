"""
What differs between Airflow versions: whether several threads of a task may talk to Airflow at the same time.

In Airflow 3 a task asks its supervisor for connections, variables and XComs, and tells it what to mask, through one
channel: a request is written, and the next answer is read. Before 3.2.1 nothing keeps two threads from reading each
other's answers (3.2.0 has a lock, but around the writing only); a length read from the middle of a text makes the task
allocate gigabytes. Since then there is a lock, but those who ask asynchronously take one of a single event loop
besides: from two loops, one in each thread, they fail or wait for ever. The supervisor of ``airflow dags test``, which
runs in the task's own process, takes the channel away for as long as a request lasts, on every version.

The channel is not a public API. ``tests/unit/delivery/test_supervisor_channel.py`` fails on the Airflow that changes
it.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

# Of the whole process and never taken off again: a send that was left behind may outlive the delivery. Reentrant,
# because a signal's handler (``on_kill``) may ask for something amid a request of the same thread.
_one_request = threading.RLock()
_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class AbandonedDeliveryError(RuntimeError):
    """A thread asks Airflow for something after its delivery has ended."""


def serialize_requests() -> bool:
    """
    Have the threads of this task talk to its supervisor one at a time. Calling it again makes no difference.

    :return: whether several threads may talk to Airflow at all. If not, only one may be at work at a time.
    """
    channel = _channel()
    if channel is None:  # Airflow 2, or no task: a database session, or the environment, for each call.
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
    Let a thread go on whose work nobody waits for any more, without ever being in the way of Airflow's own thread.

    When this returns, no request of the thread is under way where one would keep others from Airflow.

    :param thread: the thread.
    """
    with _one_request:
        _abandoned.add(thread)


def _channel() -> Any:
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(task_runner, "SUPERVISOR_COMMS", None)


def _is_in_process(channel: Any) -> bool:
    # Judged by what it lacks, so that an unknown kind of channel is used by one thread at a time.
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
    """Let whoever asks asynchronously, from whichever event loop, ask as all others do, in a thread beside it."""
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
            raise AbandonedDeliveryError("This delivery has ended: nothing more is asked of Airflow for it.")
        return send(*args, **kwargs)

    return wrapped
