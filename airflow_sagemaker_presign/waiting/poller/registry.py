"""The pollers of this process: one for each client key and kind of workspace, in each running event loop."""

from __future__ import annotations

import asyncio
import weakref

from airflow_sagemaker_presign.compat import conf
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.waiting.poller.poller import StatusPoller
from airflow_sagemaker_presign.waiting.state_machine import WaitState
from airflow_sagemaker_presign.workspaces.base import Workspace

REQUESTS_PER_SECOND = 5.0
"""The default of the option ``requests_per_second`` in the section ``sagemaker_presign`` of Airflow's configuration."""

_Key = tuple[ClientKey, type[Workspace]]
_POLLERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, StatusPoller]] = weakref.WeakKeyDictionary()


async def wait_for(
    client_key: ClientKey, wait: WaitState, poll_interval: float, runtime: Runtime = RUNTIME
) -> WaitState:
    """
    Wait for a workspace in the poller that all waits of the same client key and kind share; return the final state.

    AWS limits the requests of an account per API operation; a shared poller sends one request for many waits.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    kind = type(wait.workspace)
    key = client_key, kind
    poller = pollers.get(key)
    if poller is None:
        poller = pollers[key] = StatusPoller(
            kind, client_key.connect, requests_per_second(), on_end=lambda: pollers.pop(key, None), runtime=runtime
        )
    return await poller.wait_for(wait, poll_interval)


def requests_per_second() -> float:
    """Return the limit of requests for a client key, from Airflow's configuration."""
    per_second: float = conf.getfloat("sagemaker_presign", "requests_per_second", fallback=REQUESTS_PER_SECOND)
    return per_second
