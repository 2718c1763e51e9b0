"""The launch page's Airflow plugin (entry point ``airflow.plugins``). Every Airflow process imports it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE, AirflowPlugin

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class LaunchPageApp:
    """The launch page's ASGI app, created by the first request: only the api-server ever needs it."""

    def __init__(self) -> None:
        self._app: AsgiApp | None = None
        self._making = asyncio.Lock()

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Handle a request."""
        app = self._app or await self._get_app()
        await app(scope, receive, send)

    async def _get_app(self) -> AsgiApp:
        # Concurrent first requests share one app, since each app has AWS clients of its own.
        async with self._making:
            if self._app is None:
                # Off the event loop: it imports boto3.
                self._app = await asyncio.to_thread(_make_app)
            return self._app


def _make_app() -> AsgiApp:
    from airflow_sagemaker_presign.launch_page.app import create_app

    return create_app()


class SageMakerNotebookLaunchPagePlugin(AirflowPlugin):
    """
    Mount the launch page in the api-server.

    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
    """

    name = "sagemaker_notebook_launch_page"
    # The prefix is links.LAUNCH_PAGE_PREFIX: every process of Airflow would pay for the imports of that module.
    fastapi_apps: list[dict[str, Any]] = (
        [{"app": LaunchPageApp(), "url_prefix": "/sagemaker-notebooks", "name": "SageMaker notebook launch page"}]
        if HAS_LAUNCH_PAGE
        else []
    )
