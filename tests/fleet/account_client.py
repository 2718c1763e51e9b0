"""The fleet's side of the account's process."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any


class AccountProcess:
    """Start it with ``with``; it ends with the block, and with this process however that ends."""

    def __enter__(self) -> AccountProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fleet.account"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addresses: dict[str, Any] = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def prepare(self, notebooks: dict[str, float]) -> None:
        self._ask("prepare", notebooks)

    def progress(self, run_id: str) -> tuple[int, int]:
        """Count the notebooks that were started, and the recipients that have a link."""
        answer = self._ask("progress", run_id)
        return answer["started"], answer["arrived"]

    def record(self, run_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("record", run_id)
        return answer

    def _ask(self, what: str, *values: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"what": what, "with": values}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The account's process ended by itself; what it said is above.")
        return json.loads(line)
