"""Which poller serves which waits: one for each client key and kind of workspace, in each running event loop."""

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
    Wait with all others of the same client key and kind of workspace. AWS limits requests for each API operation.

    :param client_key: whom AWS sees.
    :param wait: what the wait knows so far.
    :param poll_interval: seconds within which a change is noticed in the usual range.
    :param runtime: the time.
    :return: what it knows at the end.
    :raises WorkspaceError: the class that says why the goal will not be reached.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    kind = type(wait.workspace)
    key = client_key, kind
    poller = pollers.get(key)
    if poller is None:
        per_second = conf.getfloat("sagemaker_presign", "requests_per_second", fallback=REQUESTS_PER_SECOND)
        poller = pollers[key] = StatusPoller(
            kind, client_key.connect, per_second, on_end=lambda: pollers.pop(key, None), runtime=runtime
        )
    return await poller.wait_for(wait, poll_interval)
