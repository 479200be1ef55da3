"""The stream proxy: one port, one thread with its own asyncio loop. No database, no engine: it asks conductors for what a ticket is good
for, and goes through the doors of agents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from zun import errors
from zun.interfaces.rpc import Grant, Streams

LOG = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: calls to the conductors at a time, seconds that streams have to end when the proxy does, and bytes of a request line or header
_ASKING, _FAREWELL, _LONGEST_LINE = 8, 2.0, 8_190


@dataclass(slots=True)
class Proxy:
    """What the handlers of streams work with. ``scheme`` is ws or wss: how clients reach the proxy."""

    streams: Streams
    scheme: str = "ws"
    origins: Collection[str] = ()
    ping_interval: float = 30.0
    max_streams: int = 4096
    max_streams_per_project: int = 2048
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_ASKING, "wsproxy-ask"))
    _open: Counter[str] = field(default_factory=Counter)

    async def ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call that waits, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, call, *arguments)

    async def redeem(self, token: str, container_uuid: str | None, exec_id: str | None) -> Grant:
        """What a ticket is good for. Raises Unauthorized, TooManyStreams, and what the container's host answers."""
        if self._open.total() >= self.max_streams:
            raise errors.TooManyStreams(limit=self.max_streams)
        grant: Grant = await self.ask(self.streams.redeem, token, container_uuid, exec_id)
        return grant

    @contextlib.asynccontextmanager
    async def counted(self, project_id: str) -> AsyncIterator[None]:
        """While the block lasts, one more stream of the project is open. Raises TooManyStreams."""
        if self._open.total() >= self.max_streams or self._open[project_id] >= self.max_streams_per_project:
            raise errors.TooManyStreams(limit=min(self.max_streams, self.max_streams_per_project))
        self._open[project_id] += 1
        try:
            yield
        finally:
            self._open[project_id] -= 1
            self._open += Counter()


#: where handlers find the :class:`Proxy`: ``request.app[PROXY]``
PROXY = web.AppKey("proxy", Proxy)


@dataclass(frozen=True, slots=True)
class Path:
    """A row of the proxy's table: what is answered at a path, to GET."""

    path: str
    handler: Handler


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What fails is told in the form of the API's errors, and nothing of a ticket that is worth nothing."""
    try:
        return await handler(request)
    except errors.ZunError as error:
        status, code, text = error.status, error.code(), str(error)
        if status >= 500:
            LOG.warning("a stream could not be opened: %s", error)
    except web.HTTPException as error:
        status, code, text = error.status, "container.", error.reason
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        # Not with its trace: that of a library may name what was sent.
        LOG.error("a stream failed: %s", type(error).__name__)
        status, code, text = 500, "container.", "Internal Server Error"
    told = {"request_id": "", "code": code, "status": status, "title": text, "detail": text, "links": []}
    return web.Response(status=status, body=msgspec.json.encode({"errors": [told]}), content_type="application/json")


def make_app(proxy: Proxy, paths: Sequence[Path]) -> web.Application:
    """The application: a table of paths, each answered to GET."""
    app = web.Application(middlewares=[_told], client_max_size=_LONGEST_LINE)
    app[PROXY] = proxy
    for row in paths:
        app.router.add_get(row.path, row.handler, allow_head=False)
    return app


class StreamServer:
    """The proxy on a bound socket, in a thread with its own loop."""

    def __init__(self, proxy: Proxy, paths: Sequence[Path], listening: socket.socket) -> None:
        self._proxy, self._paths, self._listening = proxy, paths, listening
        self._thread = threading.Thread(target=self._run, name="wsproxy", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    def start(self) -> None:
        """Serve."""
        self._thread.start()
        self._ready.wait()

    def stop(self, timeout: float = 10.0) -> None:
        """Close every stream, within a few seconds; what they were of goes on. May be repeated."""
        if self._loop is not None and self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(timeout)
        self._listening.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()  # who waits for a proxy that could not begin finds its trace in the log

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        silent = logging.getLogger(f"{__name__}.server")
        # It tells of requests that it cannot read with their first line, in which there may be a token; what fails here is told by _told.
        silent.disabled = True
        runner = web.AppRunner(
            make_app(self._proxy, self._paths),
            access_log=None,  # it would have the query in it, and that has the token
            logger=silent,
            handler_cancellation=True,
            shutdown_timeout=_FAREWELL,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            keepalive_timeout=15.0,
        )
        await runner.setup()
        await web.SockSite(runner, self._listening, backlog=1024).start()
        self._ready.set()
        await self._ending.wait()
        await runner.cleanup()
        self._proxy.threads.shutdown(wait=False, cancel_futures=True)


def listen(host: str, port: int) -> socket.socket:
    """The proxy's socket. Raises OSError that names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as cause:
        raise OSError(f"the stream proxy cannot listen on {host}, port {port}: {cause.strerror or cause}") from cause
