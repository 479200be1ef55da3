"""What a container writes, as it writes it (microversion 1.41)."""

from __future__ import annotations

from aiohttp import web

from zun import errors
from zun.domain.stream import StreamKind
from zun.wsproxy import doors
from zun.wsproxy.app import PROXY

#: bytes that are passed on at a time, and that a token or a uuid may have
_PIECE, _LONGEST = 65_536, 128


async def serve(request: web.Request) -> web.StreamResponse:
    """``GET /logs?token=&uuid=``: until the container's life ends, or the client goes. Raises Unauthorized, TooManyStreams."""
    proxy = request.app[PROXY]
    token, uuid = request.query.get("token", ""), request.query.get("uuid", "")
    if not (0 < len(token) <= _LONGEST and 0 < len(uuid) <= _LONGEST):
        raise errors.Unauthorized
    grant = await proxy.redeem(token, uuid, None)
    if grant.kind is not StreamKind.LOGS or grant.door is None:
        raise errors.Unauthorized
    async with proxy.counted(grant.project_id):
        reader, writer = await doors.connect(grant.door)
        try:
            headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            # Each write waits until the client has room for it: of one who is slow nothing is held but a piece.
            while piece := await reader.read(_PIECE):
                await response.write(piece)
        finally:
            writer.transport.abort()
    return response
