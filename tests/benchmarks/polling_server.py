"""
A SageMaker for the polling benchmark, in a process of its own: lists and describes, after 50 ms, and takes notes.

The local SageMaker of this project is moto, whose own work at 200 requests a second would be what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

ANSWER_AFTER = 0.05
THROTTLED = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
ARN = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/"


class Account:
    """Notebook instances, each with the moments from which on it has which status; and a limit on requests."""

    def __init__(self, plans: dict[str, list[tuple[float, str]]], allowed: float | None) -> None:
        self.plans = plans
        self.names = sorted(plans)
        self.allowed = allowed
        self.requests: list[tuple[float, str, bool]] = []
        self.told: set[str] = set()
        self.told_all_at: float | None = None
        self.waited_for = {name for name in plans if not name.startswith("other-")}
        self.connections = 0
        self._tokens, self._filled_at = allowed or 0.0, time.time()

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        now = time.time()
        refused = not self._allows(now)
        self.requests.append((now, operation, refused))
        if refused:
            return THROTTLED
        answers: dict[str, Callable[[dict[str, Any], float], dict[str, Any]]] = {
            "DescribeNotebookInstance": self._describe,
            "ListNotebookInstances": self._list,
        }
        return 200, answers[operation](asked, now)

    def _allows(self, now: float) -> bool:
        if self.allowed is None:
            return True
        self._tokens = min(self.allowed, self._tokens + (now - self._filled_at) * self.allowed)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _describe(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        return self._row(asked["NotebookInstanceName"], now)

    def _list(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        after, status, token = (asked.get(key) for key in ("LastModifiedTimeAfter", "StatusEquals", "NextToken"))
        chosen = []
        for name in self.names:
            at, current = self._current(name, now)
            if (after is None or at > after) and status in (None, current) and (token is None or name > token):
                chosen.append(name)
        most = asked.get("MaxResults", 10)
        page: dict[str, Any] = {"NotebookInstances": [self._row(name, now) for name in chosen[:most]]}
        if len(chosen) > most:
            page["NextToken"] = chosen[most - 1]
        return page

    def _current(self, name: str, now: float) -> tuple[float, str]:
        plan = self.plans[name]
        return next((change for change in reversed(plan) if change[0] <= now), plan[0])

    def _row(self, name: str, now: float) -> dict[str, Any]:
        at, status = self._current(name, now)
        self.told.add(name)
        if self.told_all_at is None and self.waited_for <= self.told:
            self.told_all_at = now
        return {
            "NotebookInstanceName": name,
            "NotebookInstanceArn": f"{ARN}{name}",
            "NotebookInstanceStatus": status,
            "Url": f"{name}.notebook.us-east-1.sagemaker.aws",
            "InstanceType": "ml.t3.medium",
            "CreationTime": self.plans[name][0][0],
            "LastModifiedTime": at,
        }


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
                writer.write(_http(status, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _benchmark(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "plans" in asked:
            self.account = Account(asked["plans"], asked.get("allowed"))
        self.account.plans.update(asked.get("change", {}))
        account = self.account
        answer = {"connections": account.connections, "told_all_at": account.told_all_at}
        return {**answer, "requests": account.requests} if asked.get("requests") else answer


def _http(status: int, answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode()
    reason = "OK" if status == 200 else "Bad Request"
    kind = f"x-amzn-ErrorType: {answer['__type']}\r\n" if "__type" in answer else ""
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/x-amz-json-1.1\r\n{kind}"
        f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


if __name__ == "__main__":
    sys.exit(asyncio.run(Server().serve()))
