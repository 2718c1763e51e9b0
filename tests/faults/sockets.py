"""A server on loopback whose connections a test breaks below HTTP."""

from __future__ import annotations

import contextlib
import itertools
import math
import socket
import threading
from collections.abc import Callable, Iterator

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(serve: Serve, connections: float = math.inf) -> Iterator[int]:
    """Run a server that treats every connection the same way, and ignores those beyond a number; yield its port."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def serve_all() -> None:
            served = 0
            while served < connections and not done.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    served += 1
                    connection.settimeout(5)
                    with connection:
                        serve(connection)

        thread = threading.Thread(target=serve_all)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(10)
    assert not thread.is_alive()


def take_request(connection: socket.socket) -> None:
    """Read it to its end: closing a socket with something unread in it is a reset."""
    with connection.makefile("rb") as stream:
        lines = list(itertools.takewhile(lambda line: line not in (b"\r\n", b""), iter(stream.readline, None)))
        lengths = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")]
        stream.read(sum(lengths))
