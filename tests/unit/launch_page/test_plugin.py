"""How the api-server comes by the launch page's app."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from airflow_sagemaker_presign.launch_page import plugin


def test_all_first_requests_at_once_share_one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    answered: list[str] = []

    def make_app() -> Any:
        name = f"app {len(made)}"
        made.append(name)
        time.sleep(0.05)

        async def app(*_: Any) -> None:
            answered.append(name)

        return app

    async def requests() -> None:
        launch_page: Any = plugin.LaunchPageApp()
        await asyncio.gather(*(launch_page({}, None, None) for _ in range(50)))

    monkeypatch.setattr(plugin, "_make_app", make_app)
    asyncio.run(requests())
    assert made == ["app 0"]
    assert answered == ["app 0"] * 50
