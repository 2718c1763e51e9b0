"""The AWS requests of a triggerer's watches: one client for equal arguments, one at a time, within the limit."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.idle.shared_requests import shared_requests
from tests.helpers.scripted_sagemaker import Clock

ONE, OTHER = ClientKey.of("one", None, None, None), ClientKey.of("other", None, None, None)


class Clients:
    """Notes which clients were made and closed, and how many requests ran at once."""

    def __init__(self) -> None:
        self.made: list[str | None] = []
        self.closed = 0
        self.running = self.most = 0

    def connect(self, key: ClientKey) -> Any:
        self.made.append(key.aws_conn_id)
        return SimpleNamespace(close=self.close, key=key.aws_conn_id)

    def close(self) -> None:
        self.closed += 1

    def send(self, hook: Any) -> Any:
        self.running += 1
        self.most = max(self.most, self.running)
        self.running -= 1
        return hook.key


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    clients = Clients()
    monkeypatch.setattr(ClientKey, "connect", lambda key: clients.connect(key))
    return clients


def test_watches_with_equal_arguments_share_a_client_until_the_last_one_ends(clients: Clients, clock: Clock) -> None:
    async def watch(key: ClientKey) -> Any:
        async with shared_requests(key, clock) as request:
            return [await request(clients.send) for _ in range(3)]

    async def all_of_them() -> Any:
        return await asyncio.gather(*(watch(key) for key in (ONE, ONE, OTHER, ONE)))

    assert asyncio.run(all_of_them()) == [["one"] * 3, ["one"] * 3, ["other"] * 3, ["one"] * 3]
    assert sorted(map(str, clients.made)) == ["one", "other"]
    assert (clients.closed, clients.most) == (2, 1)


def test_the_requests_stay_within_the_limit(clients: Clients, clock: Clock) -> None:
    began = clock.now

    async def watch() -> None:
        async with shared_requests(ONE, clock) as request:
            await request(clients.send)

    async def many() -> None:
        await asyncio.gather(*(watch() for _ in range(105)))

    asyncio.run(many())
    assert 19 <= (clock.now - began).total_seconds() <= 21.5


def test_a_failed_request_ends_one_look_and_not_the_client(clients: Clients, clock: Clock) -> None:
    def fail(_: Any) -> Any:
        raise SageMakerUnavailable("research", "AWS is throttling.")

    async def watch() -> Any:
        async with shared_requests(ONE, clock) as request:
            with pytest.raises(SageMakerUnavailable):
                await request(fail)
            return await request(clients.send)

    assert asyncio.run(watch()) == "one"
    assert (clients.made, clients.closed) == (["one"], 1)
