"""
The notebooks of the idling benchmark, in a separate process: SageMaker's mint and Describe, and a Jupyter server each.

All are at one address; each answer comes after 50 ms and is counted.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.polling_server import http

ANSWER_AFTER = 0.05
TOKEN = "benchmark-token-" + "0123456789abcdef" * 4
COOKIE = "benchmark-cookie-" + "0123456789abcdef" * 4


class Server:
    """HTTP/1.1; what is asked of AWS keeps its connection open, what is asked of a notebook need not."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, str]] = []
        self.port = 0

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        print(self.port, flush=True)
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:])}
                await reader.readexactly(int(headers.get("content-length", 0)))
                path = head[0].split(" ")[1]
                if path == "/benchmark":
                    writer.write(http(200, {"requests": self.requests}))
                else:
                    await asyncio.sleep(ANSWER_AFTER)
                    writer.write(self._answer(path, headers))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, headers: dict[str, str]) -> bytes:
        what = headers.get("x-amz-target", "").rpartition(".")[2] or path.partition("?")[0]
        self.requests.append((time.time(), what))
        if what == "CreatePresignedNotebookInstanceUrl":
            return http(200, {"AuthorizedUrl": f"http://127.0.0.1:{self.port}/?authToken={TOKEN}"})
        if what == "/":
            cookie = f"Set-Cookie: session={COOKIE}; HttpOnly; Path=/\r\nLocation: /lab\r\n"
            return http(302, {}, cookie)
        if headers.get("cookie") != f"session={COOKIE}":
            return http(403, {})
        if what == "/api/kernels":
            now = datetime.now(UTC).isoformat()
            return http(200, [{"name": "python3", "execution_state": "busy", "last_activity": now}])
        return http(200, [])


def counted(requests: list[Any]) -> Counter[str]:
    """Count requests by what they ask."""
    return Counter(what for _, what in requests)


if __name__ == "__main__":
    sys.exit(asyncio.run(Server().serve()))
