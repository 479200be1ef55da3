"""Attach and interactive exec: a websocket on the one side, a door on the other (REST contract, section 17)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import socket

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from zun import errors
from zun.domain.stream import StreamKind
from zun.wsproxy import doors, origin
from zun.wsproxy.app import PROXY, Proxy

LOG = logging.getLogger(__name__)

#: bytes of the largest frame that a client may send, and of those that it is sent
LARGEST_FRAME, PIECE = 1_048_576, 32_768
BINARY, BASE64 = "binary", "base64"
#: what a query may hold: no token and no id is longer
_LONGEST = 128
#: a peer that is gone without a word is noticed by its kernel's silence, whether or not the program there reads: in seconds, and times
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))


async def serve(request: web.Request) -> web.StreamResponse:
    """``GET /?token=&uuid=[&exec_id=]``: carry the stream until either side ends it. Raises what refuses the upgrade."""
    proxy = request.app[PROXY]
    if not origin.allowed(request.headers, proxy.scheme, proxy.origins):
        raise errors.PolicyNotAuthorized(rule="a stream from this origin")
    chosen = _subprotocol(request)
    client = web.WebSocketResponse(
        protocols=(chosen,) if chosen else (), max_msg_size=LARGEST_FRAME * 4 // 3 + 4, compress=False, timeout=2.0
    )
    if not client.can_prepare(request):
        raise web.HTTPBadRequest(reason="This is for websockets.")
    token, container, exec_id = (request.query.get(name, "") for name in ("token", "uuid", "exec_id"))
    if not (token and container) or max(map(len, (token, container, exec_id))) > _LONGEST:
        raise errors.Unauthorized
    grant = await proxy.redeem(token, container, exec_id or None)
    if grant.door is None or grant.kind not in (StreamKind.ATTACH, StreamKind.EXEC):
        raise errors.Unauthorized
    async with proxy.counted(grant.project_id):
        reader, writer = await doors.connect(grant.door)
        what = f"{grant.kind} of container {container}"
        LOG.info("%s: a stream begins", what)
        try:
            await client.prepare(request)
            _keep_alive(client)
            await _carried(proxy, client, reader, writer, chosen)
        finally:
            # Not closed but cut: whoever is gone waits for nothing, and a reader who is no more is what ends a command.
            writer.transport.abort()
            LOG.info("%s: its stream has ended", what)
    return client


def _subprotocol(request: web.Request) -> str | None:
    """The one to speak, of those that are offered: binary if it can be."""
    offered = {each.strip() for header in request.headers.getall("Sec-WebSocket-Protocol", []) for each in header.split(",")}
    return next((each for each in (BINARY, BASE64) if each in offered), None)


def _keep_alive(client: web.WebSocketResponse) -> None:
    connection = client.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


async def _carried(
    proxy: Proxy, client: web.WebSocketResponse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chosen: str | None
) -> None:
    """Carry both ways until one ends. Who reads slowly slows the other down; nothing more is held than a few pieces."""
    outward = asyncio.ensure_future(_outward(client, reader, chosen))
    inward = asyncio.ensure_future(_inward(client, writer, chosen))
    pinging = asyncio.ensure_future(_ping(client, proxy.ping_interval))
    try:
        await asyncio.wait({outward, inward}, return_when=asyncio.FIRST_COMPLETED)
        if outward.done() and not client.closed:
            broken = outward.exception() is not None
            with contextlib.suppress(ConnectionError):
                await client.close(code=WSCloseCode.GOING_AWAY if broken else WSCloseCode.OK)
        elif inward.done() and not client.closed:
            await client.close(code=WSCloseCode.GOING_AWAY)
    finally:
        for each in (outward, inward, pinging):
            each.cancel()
        await asyncio.gather(outward, inward, pinging, return_exceptions=True)


async def _outward(client: web.WebSocketResponse, reader: asyncio.StreamReader, chosen: str | None) -> None:
    while piece := await reader.read(PIECE):
        if chosen == BASE64:
            await client.send_str(base64.b64encode(piece).decode())
        else:
            await client.send_bytes(piece)


async def _inward(client: web.WebSocketResponse, writer: asyncio.StreamWriter, chosen: str | None) -> None:
    async for message in client:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            return
        piece = _plain(message, chosen)
        if piece is None:
            await client.close(code=WSCloseCode.UNSUPPORTED_DATA)
            return
        writer.write(piece)
        await writer.drain()


def _plain(message: WSMessage, chosen: str | None) -> bytes | None:
    """What a frame of the client carries; None for what cannot be."""
    data = message.data.encode("utf-8", "replace") if isinstance(message.data, str) else bytes(message.data)
    if chosen != BASE64:
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return None


async def _ping(client: web.WebSocketResponse, every: float) -> None:
    """Nobody is cut off for not answering: a person may have stopped his terminal."""
    while True:
        await asyncio.sleep(every)
        await client.ping()
