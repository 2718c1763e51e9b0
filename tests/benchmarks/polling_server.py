"""
A SageMaker for the polling benchmark, in a separate process: serves List and Describe after 50 ms and records them.

The local SageMaker of this project is moto, whose own CPU time at 200 requests a second would dominate the measurement.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from email.utils import formatdate
from typing import Any

from tests.helpers import simulated_account
from tests.helpers.simulated_account import BEGINNING, Change, Notebook

ANSWER_AFTER = 0.05
THROTTLED = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})


class Account:
    """The simulated account, with plans in seconds since the epoch, notes on what it was asked, and a limit on that."""

    def __init__(self, plans: dict[str, list[tuple[float, str]]], allowed: float | None) -> None:
        self.allowed = allowed
        self.requests: list[tuple[float, str, bool]] = []
        self.reported: set[str] = set()
        self.all_reported_at: float | None = None
        self.waited_for = {name for name in plans if not name.startswith("other-")}
        self.connections = 0
        self._tokens, self._filled_at = allowed or 0.0, time.time()
        self._simulated = simulated_account.Account()
        self.plan(plans)

    def plan(self, plans: dict[str, list[tuple[float, str]]]) -> None:
        for name, plan in plans.items():
            changes = [Change(at - BEGINNING, status) for at, status in plan]
            self._simulated.notebooks[name] = Notebook([(-math.inf, changes)])

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        now = time.time()
        refused = not self._allows(now)
        self.requests.append((now, operation, refused))
        if refused:
            return THROTTLED
        answer = self._simulated.answer(operation, asked, "KEY1", now - BEGINNING)
        self.reported.update(row["NotebookInstanceName"] for row in answer.get("NotebookInstances", [answer]))
        if self.all_reported_at is None and self.waited_for <= self.reported:
            self.all_reported_at = now
        return 200, answer

    def _allows(self, now: float) -> bool:
        if self.allowed is None:
            return True
        self._tokens = min(self.allowed, self._tokens + (now - self._filled_at) * self.allowed)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Server:
    """HTTP/1.1 with connections that stay open, as AWS has it, and a path for the benchmark itself."""

    def __init__(self) -> None:
        self.account = Account({}, None)

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted: Account | None = None
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if head[0].startswith("POST /benchmark"):
                    status, answer = 200, self._benchmark(json.loads(body or b"{}"))
                else:
                    if counted is not self.account:
                        counted = self.account
                        counted.connections += 1
                    await asyncio.sleep(ANSWER_AFTER)
                    target = headers["x-amz-target"].rpartition(".")[2]
                    status, answer = self.account.answer(target, json.loads(body or b"{}"))
                writer.write(http(status, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _benchmark(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "plans" in asked:
            self.account = Account(asked["plans"], asked.get("allowed"))
        self.account.plan(asked.get("change", {}))
        account = self.account
        answer = {"connections": account.connections, "all_reported_at": account.all_reported_at}
        return {**answer, "requests": account.requests} if asked.get("requests") else answer


def http(status: int, answer: Any, headers: str = "") -> bytes:
    """Write a response with a JSON body."""
    body = json.dumps(answer).encode()
    reason = "OK" if status == 200 else "Bad Request"
    kind = f"x-amzn-ErrorType: {answer['__type']}\r\n" if "__type" in answer else ""
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/x-amz-json-1.1\r\n{kind}{headers}"
        f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


if __name__ == "__main__":
    sys.exit(asyncio.run(Server().serve()))
