"""Moves bytes between a browser and a JupyterLab."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from pathlib import Path

from airflow_sagemaker_presign.local.jupyter.access import Reply

_PIECE = 64 * 1024


async def relay(head: bytes, socket_path: Path, reader: StreamReader, writer: StreamWriter) -> None:
    """
    Relay bytes in both directions until one side has finished.

    :param head: the head of the request, for JupyterLab.
    :param socket_path: the socket on which JupyterLab listens.
    :param reader: what the client sends.
    :param writer: what the client gets.
    """
    jupyter_reader, jupyter_writer = await asyncio.open_unix_connection(str(socket_path))
    jupyter_writer.write(head)
    there = asyncio.create_task(_copy(reader, jupyter_writer))
    back = asyncio.create_task(_copy(jupyter_reader, writer))
    try:
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        there.cancel()
        back.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        jupyter_writer.transport.abort()
        writer.close()


async def send_reply(reply: Reply, method: str, reader: StreamReader, writer: StreamWriter) -> None:
    """
    Send a response, and read what the client still sends: closing earlier could reset the connection.

    :param reply: the response.
    :param method: the request's method.
    :param reader: what the client sends.
    :param writer: what the client gets.
    """
    writer.write(reply.write(method))
    await writer.drain()
    writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while await reader.read(_PIECE):
                pass


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
