"""The way through an agent's doors, for the proxy's loop (:mod:`zun.interfaces.streams` says what is said there)."""

from __future__ import annotations

import asyncio
import socket

from zun import errors
from zun.interfaces.streams import LONGEST_LINE, Door, refused

#: seconds that an agent has to answer, and bytes that are held of what a client is too slow for
PATIENCE = 30.0
HELD = 65_536


async def connect(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The stream behind a door. Raises what the agent refuses it with, RpcUnavailable when nobody listens."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(door.host, door.port, limit=max(HELD, LONGEST_LINE))
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            writer.write(door.token.encode() + b"\n")
            refusal = refused(await reader.readline())
    except BaseException as error:
        # Who asked may be gone meanwhile, too: a stream that nobody reads must not stay open for that.
        if writer is not None:
            writer.transport.abort()
        if isinstance(error, OSError | ValueError):
            raise errors.RpcUnavailable(target=f"{door.host}:{door.port}", seconds=PATIENCE) from error
        raise
    if refusal is not None:
        writer.transport.abort()
        raise refusal
    return reader, writer
