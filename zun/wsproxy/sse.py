"""What happens in a project, as it happens: server-sent events (ADR 13)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import msgspec
from aiohttp import web

from zun import errors
from zun.domain.event import Event
from zun.domain.stream import StreamKind
from zun.interfaces.rpc import Happened
from zun.wsproxy.app import PROXY, Proxy

LOG = logging.getLogger(__name__)

#: events that are asked for at a time; seconds between two looks for what nobody has called out; of silence, on a stream; and that a client
#: may take nothing of what is there for him
PART, LOOK_EVERY, HEARTBEAT, PATIENCE = 200, 3.0, 15.0, 60.0
#: milliseconds after which a client whose stream has ended asks for another; and what a token may hold
_AGAIN, _LONGEST = 1000, 128


class EventStreams:
    """Every stream of events of a proxy. A stream sleeps until its project has news; streams that ask the same are told by one call."""

    def __init__(
        self,
        shown: Callable[[Event], dict[str, Any]],
        *,
        look_every: float = LOOK_EVERY,
        heartbeat: float = HEARTBEAT,
        patience: float = PATIENCE,
    ) -> None:
        """``shown`` makes the JSON form of an event; times in seconds."""
        self._shown = shown
        self._look_every, self._heartbeat, self._patience = look_every, heartbeat, patience
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: Counter[str] = Counter()
        #: how often a project had news, and who waits for the next
        self._news: Counter[str] = Counter()
        self._waiting: dict[str, asyncio.Event] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._asking: dict[tuple[Any, ...], asyncio.Task[tuple[Happened, bytes]]] = {}

    def tell(self, projects: Collection[str]) -> None:
        """These projects have news; from any thread, at any time, and never waits."""
        loop = self._loop
        if loop is not None and projects:
            with contextlib.suppress(RuntimeError):  # the proxy has ended meanwhile
                loop.call_soon_threadsafe(self._wake, tuple(projects))

    def _wake(self, projects: Collection[str]) -> None:
        for project in projects:
            if self._open[project]:
                self._news[project] += 1
                self._waiting.pop(project, asyncio.Event()).set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """``GET /events?token=``: what happens, until either side ends it. Raises Unauthorized, TooManyStreams."""
        proxy = request.app[PROXY]
        token = request.query.get("token", "")
        if not 0 < len(token) <= _LONGEST:
            raise errors.Unauthorized
        grant = await proxy.redeem(token, None, None)
        if grant.kind is not StreamKind.EVENTS:
            raise errors.Unauthorized
        async with proxy.counted(grant.project_id):
            with self._watched(proxy, grant.project_id):
                asked = msgspec.convert(grant.arguments, Asked)
                headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
                response = web.StreamResponse(headers=headers)
                await response.prepare(request)
                connection = request.transport.get_extra_info("socket") if request.transport else None
                if connection is not None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                try:
                    await self._tell_all(proxy, response, grant.project_id, asked)
                except errors.ZunError as error:
                    # It has begun, so nothing else can be answered; the client comes again.
                    LOG.warning("a stream of events was ended: %s", error)
                except TimeoutError:
                    LOG.info("a stream of events of project %s was cut off: its client takes nothing", grant.project_id)
                    if request.transport is not None:
                        request.transport.abort()
        return response

    async def _write(self, response: web.StreamResponse, text: bytes) -> None:
        """Wait until the client has room for it. Raises TimeoutError for one who takes nothing: he comes again with his cursor."""
        async with asyncio.timeout(self._patience):
            await response.write(text)

    async def _tell_all(self, proxy: Proxy, response: web.StreamResponse, project: str, asked: Asked) -> None:
        """Each write waits until the client has room for it, so of one who is slow nothing is held but a part."""
        cursor, told = asked.cursor, None
        await self._write(response, f"retry: {_AGAIN}\n\n".encode())
        while True:
            seen = self._news[project]
            found, text = await self._ask(proxy, project, seen, cursor, asked.filters)
            cursor = found.cursor
            if text:
                await self._write(response, text)
                told = found.events[-1].cursor if found.events else cursor
            if told is None:
                # Who is cut off before the first event goes on from here too.
                told = cursor
                await self._write(response, f"id: {cursor}\n\n".encode())
            while not found.more and not await self._news_of(project, seen):
                # The cursor goes on although the filters let nothing through, so that it does not grow old.
                await self._write(response, b": still here\n\n" if told == cursor else f": still here\nid: {cursor}\n\n".encode())
                told = cursor

    async def _news_of(self, project: str, seen: int) -> bool:
        """Wait until a project has news since ``seen``; false when nothing has been heard for as long as a client should wait."""
        if self._news[project] != seen:
            return True
        try:
            async with asyncio.timeout(self._heartbeat):
                await self._waiting.setdefault(project, asyncio.Event()).wait()
        except TimeoutError:
            return False
        return True

    async def _ask(
        self, proxy: Proxy, project: str, seen: int, cursor: int | None, filters: dict[str, list[str]]
    ) -> tuple[Happened, bytes]:
        """What happened, and how that is written. Streams that stand at one place have one call: ``seen`` says that it began after
        the news."""
        key = (project, seen, cursor, msgspec.json.encode(filters, order="deterministic"))
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(self._found(proxy, project, cursor, filters))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _found(self, proxy: Proxy, project: str, cursor: int | None, filters: dict[str, list[str]]) -> tuple[Happened, bytes]:
        while True:
            try:
                found: Happened = await proxy.ask(proxy.streams.events, project, cursor, PART, filters)
            except errors.ServiceUnavailable:
                await asyncio.sleep(self._look_every)
                continue
            return found, b"".join(self._written(found))

    def _written(self, found: Happened) -> Iterator[bytes]:
        if found.reset:
            yield f'id: {found.cursor}\nevent: reset\ndata: {{"cursor":{found.cursor}}}\n\n'.encode()
        for event in found.events:
            # JSON has no line break in it.
            yield f"id: {event.cursor}\nevent: {event.what}\ndata: ".encode() + msgspec.json.encode(self._shown(event)) + b"\n\n"

    # -- what nobody has called out: written by another process, or at a moment when nobody listened ---

    @contextlib.contextmanager
    def _watched(self, proxy: Proxy, project: str) -> Iterator[None]:
        """While the block lasts, a stream of the project is open."""
        self._loop = asyncio.get_running_loop()
        self._open[project] += 1
        if project not in self._looking:
            self._looking[project] = asyncio.ensure_future(self._look(proxy, project))
        try:
            yield
        finally:
            self._open[project] -= 1
            if not self._open[project]:
                self._looking.pop(project).cancel()
                for kept in (self._open, self._news, self._waiting):
                    kept.pop(project, None)

    async def _look(self, proxy: Proxy, project: str) -> None:
        """One question for all the streams of a project."""
        last: int | None = None
        while True:
            with contextlib.suppress(errors.ZunError):
                found: Happened = await proxy.ask(proxy.streams.events, project, None, 1, {})
                if found.cursor != last:
                    last = found.cursor
                    self._wake([project])
            await asyncio.sleep(self._look_every)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a ticket for events. Without a cursor: from now on."""

    cursor: int | None = None
    filters: dict[str, list[str]] = {}
