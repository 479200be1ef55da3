"""The proxy's way through an agent's doors: what it makes of those who say no, say nothing, or are not there, and of a client that goes."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from zun import errors
from zun.interfaces.streams import OPEN, Door, refusal
from zun.wsproxy import doors


async def answered(answer: bytes | None, ask):
    """What ``ask`` makes of an agent that answers so (None: never), and whether its connection was closed afterwards."""
    closed = asyncio.Event()

    async def agent(reader, writer):
        await reader.readline()
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        closed.set()
        writer.close()

    server = await asyncio.start_server(agent, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        return await ask(Door(host=host, port=port, token="of-the-tests"), closed)
    finally:
        server.close()


def test_an_open_door_is_a_stream():
    async def ask(door, closed):
        _, writer = await doors.connect(door)
        writer.transport.abort()
        await asyncio.wait_for(closed.wait(), 10)

    asyncio.run(answered(OPEN, ask))


@pytest.mark.parametrize(
    ("answer", "raised"),
    [(refusal(errors.Unauthorized()), errors.Unauthorized), (b"what?\n", errors.ZunError), (b"x" * 200_000, errors.RpcUnavailable)],
    ids=["no", "not understood", "without end"],
)
def test_whoever_says_anything_else_is_left(answer, raised):
    async def ask(door, closed):
        with pytest.raises(raised):
            await doors.connect(door)
        await asyncio.wait_for(closed.wait(), 10)

    asyncio.run(answered(answer, ask))


def test_a_client_that_goes_while_the_agent_is_silent_leaves_nothing_open():
    async def ask(door, closed):
        asking = asyncio.ensure_future(doors.connect(door))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(closed.wait(), 10)

    asyncio.run(answered(None, ask))


def test_nobody_there_is_no_answer():
    with pytest.raises(errors.RpcUnavailable):
        asyncio.run(doors.connect(Door(host="127.0.0.1", port=9, token="of-the-tests")))
