"""An SMTP server on loopback that stores mails in the inbox, with scripted faults."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from airflow_sagemaker_presign.local.inbox.faults import SmtpFault
from airflow_sagemaker_presign.local.inbox.mailbox import Inbox

LOOPBACK = "127.0.0.1"


class _WarningsOnly(logging.Filter):
    # At lower levels, aiosmtpd logs each line of a mail's body, which contains a presigned URL.
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


class _Handler:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = self._inbox.smtp.take(SmtpFault.REJECT_RECIPIENT, SmtpFault.GREYLIST)
        if fault is SmtpFault.REJECT_RECIPIENT:
            return "550 5.1.1 Recipient address rejected: user unknown"
        if fault is SmtpFault.GREYLIST:
            return "451 4.7.1 Greylisted, please try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: _Server, session: Session, envelope: Envelope) -> str:
        fault = self._inbox.smtp.take(SmtpFault.DROP_AFTER_DATA, SmtpFault.HANG_AFTER_DATA)
        content = envelope.content
        self._inbox.receive_mail(
            envelope.mail_from or "",
            envelope.rcpt_tos,
            content if isinstance(content, bytes) else (content or "").encode(),
            acknowledged=fault is None,
        )
        if fault is SmtpFault.DROP_AFTER_DATA:
            server.drop()
        if fault is not None:
            # Until the client gives up, or the server ends: both cancel this.
            await asyncio.Event().wait()
        return "250 2.0.0 OK: accepted by the local inbox"


class _Server(SMTP):
    def __init__(self, inbox: Inbox, handler: _Handler) -> None:
        super().__init__(
            handler,
            hostname="localhost",
            enable_SMTPUTF8=True,
            # A login is accepted but not required, so that a connection with a password works unchanged.
            authenticator=lambda *_: AuthResult(success=True),
            auth_require_tls=False,
        )
        self._inbox = inbox

    def drop(self) -> None:
        """Close the connection without a reply."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def smtp_DATA(self, arg: str) -> None:
        if self._inbox.smtp.take(SmtpFault.DROP_BEFORE_DATA):
            self.drop()
            return
        await super().smtp_DATA(arg)


class _RejectConnection(asyncio.Protocol):
    """Rejects a connection with a 554 or a reset."""

    def __init__(self, fault: SmtpFault) -> None:
        self._fault = fault

    def connection_made(self, transport: Any) -> None:
        if self._fault is SmtpFault.REJECT_AT_CONNECT:
            transport.write(b"554 5.7.1 No SMTP service here\r\n")
            transport.close()
            return
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


class SmtpServer:
    """
    The server, in a thread with an event loop of its own.

    :param inbox: where mails go, and the script of faults.
    :param bound: a socket bound to loopback.
    """

    def __init__(self, inbox: Inbox, bound: socket.socket) -> None:
        self._inbox = inbox
        self._socket: socket.socket | None = bound
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="local-smtp", daemon=True)
        self._running = threading.Event()
        self._quiet = _WarningsOnly()
        self.port: int = bound.getsockname()[1]

    def start(self) -> None:
        """Start to listen."""
        logging.getLogger("mail.log").addFilter(self._quiet)
        self._thread.start()
        self._running.wait()

    def pause(self) -> None:
        """Stop listening, so that connections are refused until ``resume``."""
        self._call(self._close_listener())

    def resume(self) -> None:
        """Listen again, on the same port."""
        self._call(self._listen())

    def stop(self) -> None:
        """Stop the server and close all connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        logging.getLogger("mail.log").removeFilter(self._quiet)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.call_soon(self._running.set)
        self._loop.run_forever()
        self._loop.run_until_complete(self._close_listener())
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> None:
        if self._socket is None:
            self._listener = await self._loop.create_server(self._protocol, LOOPBACK, self.port)
        else:
            self._listener = await self._loop.create_server(self._protocol, sock=self._socket)
            self._socket = None

    async def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _protocol(self) -> asyncio.BaseProtocol:
        fault = self._inbox.smtp.take(SmtpFault.RESET_AT_CONNECT, SmtpFault.REJECT_AT_CONNECT)
        return _RejectConnection(fault) if fault else _Server(self._inbox, _Handler(self._inbox))
