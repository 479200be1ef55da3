"""The agent's doors: its own listener, behind which each token is one stream, once (ADR 0011, :mod:`zun.interfaces.streams`).

One asyncio loop in one thread carries every terminal and every followed log, so that a thousand idle ones hold no thread. Archives are
moved by a few threads, since engines take and give them so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from zun import errors
from zun.interfaces.streams import DOOR_SECONDS, OPEN, Door, Wire, refusal

LOG = logging.getLogger(__name__)

_PIECE = 65_536
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 128
#: seconds that a stranger has to show his token, and a stream's end has to be noticed by the one who reads
_HANDSHAKE = 10.0
_FAREWELL = 2.0
#: connections that have shown no token yet, besides the streams
_STRANGERS = 64
#: engine calls that open streams at a time, and archives that are moved at a time
_OPENERS, _MOVERS = 8, 16


@dataclass(frozen=True, slots=True)
class Passage:
    """What is behind a door once somebody has come through. ``patience`` is for how many seconds the stream goes on after his end; None:
    his end is the end. ``left`` is called when it is over."""

    wire: Wire
    patience: float | None = None
    left: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Reading:
    """Pieces that go out, made when the door was."""

    pieces: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Writing:
    """What takes the pieces that come in."""

    take: Callable[[Iterator[bytes]], None]


Way = Passage | Reading | Writing


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A door through which nobody has come yet."""

    enter: Callable[[], Way]
    forget: Callable[[], None]


class DoorKeeper:
    """Makes doors and lets whoever holds their token through. At most ``most`` doors and streams at a time; a stream over which nothing
    moves may stay, an archive over which nothing moves for ``stall`` seconds ends."""

    def __init__(self, listen: str, port: int = 0, *, most: int = 4096, stall: float = 300.0) -> None:
        self._listen, self._port, self._most, self._stall = listen, port, most, stall
        self._lock = threading.Lock()
        self._waiting: dict[bytes, _Waiting] = {}
        self._open = self._strangers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._channels: set[socket.socket] = set()

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen. Raises OSError that names the address."""
        family = socket.AF_INET6 if ":" in self._listen else socket.AF_INET
        try:
            listening = socket.create_server((self._listen, self._port), family=family, backlog=1024)
        except OSError as error:
            raise OSError(f"the agent cannot listen for streams on {self._listen}, port {self._port}: {error.strerror or error}") from error
        listening.setblocking(False)
        self._port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening, ready)), name="agent-doors", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self, timeout: float = 10.0) -> None:
        """Close every door and every stream; may be repeated."""
        with self._lock:
            loop, thread, waiting = self._loop, self._thread, list(self._waiting.values())
            self._loop = None
            self._waiting.clear()
        for each in waiting:
            each.forget()
        if loop is None or self._ending is None or thread is None:
            return
        loop.call_soon_threadsafe(self._ending.set)
        thread.join(timeout)

    # -- doors -----------------------------------------------------------------------------------

    def make(self, enter: Callable[[], Way], forget: Callable[[], None] = lambda: None) -> Door:
        """A door. ``enter`` is called when somebody comes through, in a thread, and may raise; ``forget`` if nobody comes in time.

        Raises TooManyStreams, EngineUnavailable where the agent does not listen.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        mark = _mark(token.encode())
        with self._lock:
            if self._loop is None:
                raise errors.EngineUnavailable(reason="its agent is ending")
            if len(self._waiting) + self._open >= self._most:
                raise errors.TooManyStreams(limit=self._most)
            self._waiting[mark] = _Waiting(enter, forget)
            self._loop.call_soon_threadsafe(self._loop.call_later, DOOR_SECONDS, self._expire, mark)
        return Door(host=self._listen, port=self._port, token=token)

    def _expire(self, mark: bytes) -> None:
        with self._lock:
            waiting = self._waiting.pop(mark, None)
        if waiting is not None and self._loop is not None:
            self._loop.run_in_executor(None, waiting.forget)

    # -- whoever comes ---------------------------------------------------------------------------

    async def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        openers, movers = ThreadPoolExecutor(_OPENERS, "agent-doors-open"), ThreadPoolExecutor(_MOVERS, "agent-doors-move")
        loop.set_default_executor(openers)
        guests: set[asyncio.Task[None]] = set()
        ready.set()

        async def admit() -> None:
            while True:
                try:
                    channel, _ = await loop.sock_accept(listening)
                except OSError as error:  # as when there are no descriptors left: somebody will leave
                    LOG.warning("no stream can be let in: %s", error)
                    await asyncio.sleep(1)
                    continue
                if self._strangers >= _STRANGERS:
                    channel.close()
                    continue
                guest = loop.create_task(self._welcome(channel, movers))
                guests.add(guest)
                guest.add_done_callback(guests.discard)

        admitting = loop.create_task(admit())
        await self._ending.wait()
        admitting.cancel()
        listening.close()
        for guest in guests:
            guest.cancel()
        for channel in self._channels:  # threads that move archives over them wake up
            _end(channel)
        await asyncio.gather(admitting, *guests, return_exceptions=True)
        movers.shutdown(wait=False, cancel_futures=True)

    async def _welcome(self, channel: socket.socket, movers: ThreadPoolExecutor) -> None:
        """Somebody has come: see his token, and let him through or not."""
        loop = asyncio.get_running_loop()
        channel.setblocking(False)
        waiting = None
        self._strangers += 1
        try:
            waiting = await self._recognised(channel)
        finally:
            self._strangers -= 1
            if waiting is None:
                channel.close()
        if waiting is None:
            return
        self._open += 1
        self._channels.add(channel)
        try:
            way = await self._entered(channel, waiting)
            if isinstance(way, Passage):
                await _passed(channel, way)
            elif way is not None:
                channel.settimeout(self._stall)
                moving: Callable[[], None] = (lambda: _read(channel, way)) if isinstance(way, Reading) else (lambda: _write(channel, way))
                await loop.run_in_executor(movers, moving)
        except OSError as error:
            LOG.debug("a stream was broken off: %s", error)
        except Exception:
            LOG.exception("a stream failed")
        finally:
            self._open -= 1
            self._channels.discard(channel)
            channel.close()

    async def _recognised(self, channel: socket.socket) -> _Waiting | None:
        """What the token opens, which it does once. A wrong one is told nothing but that it is wrong."""
        loop = asyncio.get_running_loop()
        line = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_HANDSHAKE):
                # Byte by byte: what comes after the token is the stream's.
                while not line.endswith(b"\n") and len(line) <= _LONGEST_TOKEN and (more := await loop.sock_recv(channel, 1)):
                    line += more
                with self._lock:
                    waiting = self._waiting.pop(_mark(line.removesuffix(b"\n")), None) if line.endswith(b"\n") else None
                if waiting is None:
                    await loop.sock_sendall(channel, refusal(errors.Unauthorized()))
                return waiting
        return None

    async def _entered(self, channel: socket.socket, waiting: _Waiting) -> Way | None:
        loop = asyncio.get_running_loop()
        entering = loop.run_in_executor(None, waiting.enter)
        try:
            way = await asyncio.shield(entering)
        except errors.ZunError as error:
            await loop.sock_sendall(channel, refusal(error))
            return None
        except asyncio.CancelledError:
            entering.add_done_callback(_given_up)
            raise
        except Exception as error:
            LOG.exception("a door could not be opened")
            await loop.sock_sendall(channel, refusal(errors.ZunError(reason=f"{type(error).__name__} behind a door")))
            return None
        try:
            await loop.sock_sendall(channel, OPEN)
        except BaseException:
            _close(way)
            raise
        return way


# -- streams --------------------------------------------------------------------------------------


async def _passed(channel: socket.socket, way: Passage) -> None:
    """Carry a stream both ways until it ends; a slow reader slows the writer down."""
    engine = way.wire.sock
    engine.setblocking(False)
    inward = asyncio.ensure_future(_carry(channel, engine, lambda piece: piece))
    outward = asyncio.ensure_future(_carry(engine, channel, way.wire.decode))
    try:
        await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
        if not outward.done() and inward.exception() is None and way.patience is not None:
            with contextlib.suppress(OSError):
                engine.shutdown(socket.SHUT_WR)
            await asyncio.wait({outward}, timeout=way.patience)
        if outward.done() and outward.exception() is None:
            # Closed with something unread, it would be reset, and the last words with it.
            inward.cancel()
            with contextlib.suppress(OSError, TimeoutError):
                channel.shutdown(socket.SHUT_WR)
                async with asyncio.timeout(_FAREWELL):
                    await _drained(channel)
    finally:
        for each in (inward, outward):
            each.cancel()
        await asyncio.gather(inward, outward, return_exceptions=True)
        engine.close()
        await _quietly(asyncio.get_running_loop().run_in_executor(None, way.left))


async def _carry(source: socket.socket, sink: socket.socket, decode: Callable[[bytes], bytes]) -> None:
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(source, _PIECE):
        if plain := decode(piece):
            await loop.sock_sendall(sink, plain)


async def _drained(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while await loop.sock_recv(channel, _PIECE):
        pass


async def _quietly(what: asyncio.Future[Any] | Coroutine[Any, Any, Any]) -> None:
    """Wait for it, but not for long, and only tell of its failure."""
    try:
        await asyncio.wait_for(asyncio.shield(what), _HANDSHAKE / 2)
    except Exception as error:
        LOG.warning("the end of a stream failed: %s", error or type(error).__name__)


# -- archives, in threads -------------------------------------------------------------------------


def _read(channel: socket.socket, way: Reading) -> None:
    """Send what there is; a reader who gets less than all is hung up on, so that he knows."""
    try:
        for piece in way.pieces:
            channel.sendall(piece)
        channel.shutdown(socket.SHUT_WR)
        channel.settimeout(_FAREWELL)
        with contextlib.suppress(OSError):
            channel.recv(1)
    except (errors.ZunError, OSError) as error:
        LOG.warning("an archive was broken off: %s", error)
        _reset(channel)
    finally:
        _close(way)


def _write(channel: socket.socket, way: Writing) -> None:
    """Take what comes, and say whether it has arrived."""
    try:
        way.take(_received(channel))
        answer = OPEN
    except errors.ZunError as error:
        answer = refusal(error)
    except Exception as error:
        LOG.exception("an archive could not be taken")
        answer = refusal(errors.ZunError(reason=f"{type(error).__name__} behind a door"))
    with contextlib.suppress(OSError):
        channel.sendall(answer)
        channel.shutdown(socket.SHUT_WR)
        # What is still on its way here is nobody's any more; unread, it would take the answer with it.
        channel.settimeout(_FAREWELL)
        while channel.recv(_PIECE):
            pass


def _received(channel: socket.socket) -> Iterator[bytes]:
    try:
        while piece := channel.recv(_PIECE):
            yield piece
    except OSError as error:
        raise errors.ArchiveBrokenOff() from error


# -- sockets --------------------------------------------------------------------------------------


def _mark(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _close(way: Way) -> None:
    """Give up what is behind a door through which nobody goes any more."""
    if isinstance(way, Passage):
        way.wire.sock.close()
        way.left()
    elif isinstance(way, Reading):
        close = getattr(way.pieces, "close", None)
        if close is not None:
            close()


def _given_up(entering: asyncio.Future[Way]) -> None:
    if not entering.cancelled() and entering.exception() is None:
        _close(entering.result())


def _reset(channel: socket.socket) -> None:
    """Close it so that the other side gets an error in place of an end."""
    with contextlib.suppress(OSError):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        channel.close()


def _end(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)
