"""
The reverse proxy in front of the JupyterLabs: a port for each notebook instance, and a check of each request.

One connection carries one request: everything after the head is forwarded unread, including websockets. A connection
ends with its session, or when its notebook instance is no longer InService.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_sagemaker_presign.local.jupyter.access import Reply, authorize, check, error_response
from airflow_sagemaker_presign.local.jupyter.byte_relay import relay, send_reply
from airflow_sagemaker_presign.local.jupyter.identity import NOTEBOOK_HEADER
from airflow_sagemaker_presign.local.jupyter.labs import JupyterLabs
from airflow_sagemaker_presign.local.jupyter.process import JupyterFailed, JupyterProcess
from airflow_sagemaker_presign.local.jupyter.request_head import BadRequest, RequestHead
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import LinkRefused, NotebookSession, PresignedTokens
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import NotebookState

LOG = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
MAX_HEAD = 64 * 1024
HEAD_SECONDS = 60
SETTLE_SECONDS = 0.2
"""Seconds between two checks of sessions and notebook instances, in the machine's time."""
_DID_NOT_START = "The JupyterLab of this notebook instance did not start; see the log of the local SageMaker."

Result = TypeVar("Result")


@dataclass(eq=False)
class _ForwardedRequest:
    """A request that is being forwarded."""

    task: asyncio.Task[Any]
    session: NotebookSession
    period: int


@dataclass(eq=False)
class _Site:
    """A notebook instance's port, connections and JupyterLab."""

    arn: str
    port: int
    active_requests: set[_ForwardedRequest] = field(default_factory=set)
    lab: asyncio.Task[JupyterProcess] | None = None
    lab_period: int = 0
    ending: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]


class NotebookReverseProxy:
    """
    Listens for all notebook instances, in a thread of its own.

    :param labs: the JupyterLabs to which it forwards.
    :param tokens: checks links and sessions.
    :param look_up: returns the state of a notebook instance by its ARN; None when it no longer exists.
    """

    def __init__(
        self, labs: JupyterLabs, tokens: PresignedTokens, look_up: Callable[[str], NotebookState | None]
    ) -> None:
        self._labs = labs
        self._tokens = tokens
        self._look_up = look_up
        self._sites: dict[str, _Site] = {}
        self._servers: list[asyncio.Server] = []
        self._settling = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-proxy", daemon=True)
        self._ticks: asyncio.Task[None] | None = None
        self._running = False

    def start(self) -> None:
        """Start the proxy; ports are opened on demand."""
        self._thread.start()
        self._running = True
        self._run(self._start_ticks())

    def stop(self) -> None:
        """Close all connections and ports, and end the JupyterLabs."""
        self._run(self._close())
        self._running = False
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._labs.stop()

    def host_of(self, arn: str) -> str:
        """
        Return host and port of a notebook instance, which stay the same.

        :param arn: the notebook instance.
        """
        site = self._sites.get(arn) or self._run(self._open(arn))
        return f"{LOOPBACK}:{site.port}"

    def lab_of(self, arn: str) -> JupyterProcess:
        """
        Return the JupyterLab of a notebook instance; it is started if nobody has opened it yet.

        :param arn: the notebook instance.
        :raises ValueError: when it is not InService.
        :raises JupyterFailed: when it does not start.
        """
        return self._run(self._lab_of(arn))

    def settle(self) -> None:
        """Wait until all connections are closed that a change of time or status has invalidated."""
        # The clock may be advanced after the proxy was stopped.
        if self._running:
            self._run(self._settle())

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start_ticks(self) -> None:
        self._ticks = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self._settle()
            except Exception:  # Keep checking, since nothing else closes sessions that have ended.
                LOG.exception("The proxy could not check its notebook instances.")

    async def _close(self) -> None:
        if self._ticks is not None:
            self._ticks.cancel()
        for server in self._servers:
            server.close()
        active_requests = [forwarded for site in self._sites.values() for forwarded in site.active_requests]
        await _cancel(active_requests)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _open(self, arn: str) -> _Site:
        if arn not in self._sites:
            bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            bound.bind((LOOPBACK, 0))
            site = self._sites[arn] = _Site(arn, bound.getsockname()[1])
            serve = lambda reader, writer: self._serve(site, reader, writer)  # noqa: E731
            self._servers.append(await asyncio.start_server(serve, sock=bound, limit=MAX_HEAD))
        return self._sites[arn]

    async def _settle(self) -> None:
        async with self._settling:
            for site in list(self._sites.values()):
                if site.active_requests or site.lab:
                    await self._settle_site(site, self._look_up(site.arn))

    async def _settle_site(self, site: _Site, state: NotebookState | None) -> None:
        await _cancel([forwarded for forwarded in site.active_requests if not self._is_valid(site, forwarded, state)])
        if state is None or state.status != "InService" or state.period != site.lab_period:
            self._end_lab(site)

    def _end_lab(self, site: _Site) -> None:
        if site.lab is not None and site.lab.done():
            lab, site.lab = site.lab, None
            if lab.exception() is None:
                site.ending = asyncio.create_task(asyncio.to_thread(self._labs.end, lab.result()))

    def _is_valid(self, site: _Site, forwarded: _ForwardedRequest, state: NotebookState | None) -> bool:
        try:
            check(forwarded.session, site.name, state, self._tokens)
        except LinkRefused:
            return False
        return state is not None and state.period == forwarded.period

    async def _serve(self, site: _Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self._respond(site, reader, writer)
        finally:
            writer.close()

    async def _respond(self, site: _Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            raw = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            request = RequestHead.read(raw)
        except (BadRequest, asyncio.LimitOverrunError):
            await send_reply(Reply(400), "GET", reader, writer)
            return
        state = self._look_up(site.arn)
        decision = authorize(request, site.name, site.port, state, self._tokens)
        if isinstance(decision, Reply):
            await send_reply(decision, request.method, reader, writer)
            return
        assert state is not None
        refused = await self._forward(site, decision, state, request, reader, writer)
        if refused is not None:
            await send_reply(refused, request.method, reader, writer)

    async def _forward(
        self,
        site: _Site,
        session: NotebookSession,
        state: NotebookState,
        request: RequestHead,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Reply | None:
        """Relay in both directions until one side has finished; return an error response if that is not possible."""
        try:
            lab = await self._lab(site, state)
        except (JupyterFailed, RuntimeError) as error:
            LOG.error("The JupyterLab of %s did not start. %s", site.name, error)
            return error_response(request, _DID_NOT_START, 503)
        # The start took seconds: check again.
        now = self._look_up(site.arn)
        decision = authorize(request, site.name, site.port, now, self._tokens)
        if isinstance(decision, Reply):
            return decision
        assert now is not None
        head = request.forwarded({NOTEBOOK_HEADER: site.name})
        task = asyncio.create_task(relay(head, lab.socket_path, reader, writer))
        forwarded = _ForwardedRequest(task, session, now.period)
        site.active_requests.add(forwarded)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            site.active_requests.discard(forwarded)
        return None

    async def _lab_of(self, arn: str) -> JupyterProcess:
        site = await self._open(arn)
        state = self._look_up(arn)
        if state is None or state.status != "InService":
            status = f"its status is {state.status}" if state else "it was deleted"
            raise ValueError(f"{site.name} is not InService: {status}.")
        return await self._lab(site, state)

    async def _lab(self, site: _Site, state: NotebookState) -> JupyterProcess:
        if site.lab is not None and site.lab_period != state.period:
            # It was still starting when its notebook instance stopped.
            await asyncio.wait({site.lab})
            await self._settle()
        if site.lab is not None and site.lab.done() and not site.lab.exception() and not site.lab.result().runs():
            self._end_lab(site)  # It has ended by itself.
        if site.ending is not None:
            await asyncio.shield(site.ending)
        if site.lab is None:
            site.lab = asyncio.create_task(asyncio.to_thread(self._labs.open, site.region, site.name))
            site.lab_period = state.period
        lab = site.lab
        try:
            return await asyncio.shield(lab)
        except (JupyterFailed, RuntimeError):
            # The next one may try again.
            site.lab = None if site.lab is lab else site.lab
            raise


async def _cancel(active_requests: list[_ForwardedRequest]) -> None:
    for forwarded in active_requests:
        forwarded.task.cancel()
    await asyncio.gather(*(forwarded.task for forwarded in active_requests), return_exceptions=True)
