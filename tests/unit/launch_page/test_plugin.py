"""How the api-server comes by the launch page's app."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.launch_page import plugin
from airflow_sagemaker_presign.links import LAUNCH_PAGE_PREFIX


@pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")
def test_links_lead_to_where_the_page_is() -> None:
    (app,) = plugin.SageMakerNotebookLaunchPagePlugin.fastapi_apps
    assert app["url_prefix"] == LAUNCH_PAGE_PREFIX


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
