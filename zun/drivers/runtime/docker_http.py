"""Plain HTTP on the engine's unix socket: connections kept, a deadline for every call, the API version agreed on first.

Why not a client library: ADR 0003.
"""

from __future__ import annotations

import http.client
import select
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from zun import errors
from zun.drivers.runtime.docker_answer import TROUBLE, Answer, Stream, decoded, end, left, next_piece, told

#: The API versions that this driver speaks: Docker Engine 20.10 is 1.41; 29 speaks 1.44 to 1.52.
OLDEST = (1, 41)
NEWEST = (1, 51)

#: The most of an answer that is held in memory, in bytes. An engine in its right mind does not come near it.
LARGEST_ANSWER = 256 << 20


_IDLE_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Engine:
    """What the engine tells of itself before anything else."""

    api: tuple[int, int]
    architecture: str


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(self.timeout)
        try:
            made.connect(self._path)
        except BaseException:
            made.close()
            raise
        self.sock = made

    def wake(self) -> None:
        """End whatever read is under way, in whatever thread."""
        if self.sock is not None:
            end(self.sock)

    @property
    def usable(self) -> bool:
        """An idle connection has nothing to say; one that is readable has been closed by the engine."""
        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)


class DockerHttp:
    """The engine behind a unix socket. Safe to use from several threads; each call takes a connection of its own from a small pool."""

    def __init__(self, path: str, timeout: float, largest: int = LARGEST_ANSWER) -> None:
        self._path = path
        self.timeout = timeout
        self._largest = largest
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._streams: set[Stream] = set()
        self._engine: Engine | None = None
        self.closed = False

    # -- calls -----------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """One call. ``timeout`` (seconds) replaces the usual deadline. Raises EngineUnavailable; a refusal is an answer, not an error."""
        return self._exchange(method, self.target(path, query), body, headers, timeout)

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        duration: float | None = None,
        idle: float | None = None,
        waking: Callable[[Callable[[], None]], None] = lambda wake: None,
    ) -> Stream:
        """One call whose answer is read as it comes. The status arrives within ``timeout`` seconds (or the usual deadline), the rest within
        ``duration`` seconds from then, or each piece within ``idle`` seconds, if given. ``waking`` is told what another
        thread may call to end the waiting at any time. Raises EngineUnavailable.
        """
        target = self.target(path, query)
        connection = self._fresh(timeout or self.timeout)
        channel: socket.socket = connection.sock
        waking(connection.wake)
        try:
            _send(connection, method, target, body, headers)
            response = connection.getresponse()
        except TROUBLE as error:
            connection.close()
            raise self._lost(error) from error
        finally:
            self._done_with(connection)
        made = Stream(self.forget, channel, response, None if duration is None else time.monotonic() + duration, idle)
        waking(made.wake)
        with self._lock:
            if not self.closed:
                self._streams.add(made)
                return made
        made.close()
        raise _closed()

    def dial(self) -> socket.socket:
        """A connection for whoever speaks to the engine by himself; each of its steps has the usual deadline. Raises EngineUnavailable."""
        connection = self._fresh(self.timeout)
        self._done_with(connection)
        return connection.sock

    def engine(self) -> Engine:
        """What the engine is; asked once, and again after it was away. Raises EngineError for one that is too old or too new."""
        self._prune()
        known = self._engine
        if known is not None:
            return known
        answer = self._exchange("GET", "/version", None, None, None)
        if not answer.ok:
            raise errors.EngineError(reason=answer.message)
        theirs, least = _version(answer.data["ApiVersion"]), _version(answer.data.get("MinAPIVersion") or "1.0")
        api = min(NEWEST, theirs)
        if api < OLDEST or api < least:
            raise errors.EngineError(reason=f"it speaks API {least[0]}.{least[1]} to {theirs[0]}.{theirs[1]}, which this driver does not")
        self._engine = Engine(api, str(answer.data.get("Arch", "")))
        return self._engine

    # -- life ------------------------------------------------------------------------------------

    def forget(self, stream: Stream) -> None:
        """A stream has ended."""
        with self._lock:
            self._streams.discard(stream)

    def close(self) -> None:
        """Give up every connection, and wake whoever waits for an answer or reads from a stream: he gets EngineUnavailable."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
            waited_for: list[_Connection | Stream] = [*self._busy, *self._streams]
        for connection in idle:
            connection.close()
        for each in waited_for:
            each.wake()

    # -- within ----------------------------------------------------------------------------------

    def target(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """The path as the engine wants it, with the agreed API version before it."""
        api = self.engine().api
        given = urllib.parse.urlencode({key: value for key, value in (query or {}).items() if value is not None})
        return f"/v{api[0]}.{api[1]}{path}" + (f"?{given}" if given else "")

    def _exchange(self, method: str, target: str, body: Any, headers: Mapping[str, str] | None, timeout: float | None) -> Answer:
        deadline = time.monotonic() + (timeout or self.timeout)
        connection = self._take(left(deadline))
        try:
            _send(connection, method, target, body, headers)
            response = connection.getresponse()
            pieces, size = [], 0
            while piece := next_piece(response):
                pieces.append(piece)
                size += len(piece)
                if size > self._largest:
                    raise errors.EngineError(reason=f"its answer to {method} {target.partition('?')[0]} does not end")
                if connection.sock is not None:
                    connection.sock.settimeout(left(deadline))
            # read to its end, but http.client does not always notice: without this the connection cannot be used again
            response.close()
        except TROUBLE as error:
            connection.close()
            raise self._lost(error) from error
        except errors.ZunError:
            connection.close()
            raise
        finally:
            self._done_with(connection)
        self._give_back(connection)
        return Answer(response.status, decoded(b"".join(pieces)))

    def _take(self, timeout: float | None) -> _Connection:
        """A connection for one call; :meth:`_done_with` it afterwards."""
        with self._lock:
            if self.closed:
                raise _closed()
            kept = self._idle.pop() if self._idle else None
            if kept is not None and kept.usable:
                kept.sock.settimeout(timeout)
                self._busy.add(kept)
                return kept
        if kept is not None:
            kept.close()
        return self._fresh(timeout or self.timeout)

    def _fresh(self, timeout: float) -> _Connection:
        made = _Connection(self._path, timeout)
        try:
            made.connect()
        except OSError as error:
            raise self._lost(error) from error
        with self._lock:
            if not self.closed:
                self._busy.add(made)
                return made
        made.close()
        raise _closed()

    def _done_with(self, connection: _Connection) -> None:
        with self._lock:
            self._busy.discard(connection)

    def _prune(self) -> None:
        """An idle connection that the engine has closed says that it was away: it may come back as another one, of another version."""
        with self._lock:
            dropped = any(not connection.usable for connection in self._idle)
        if dropped:
            self._forget_engine()

    def _give_back(self, connection: _Connection) -> None:
        if connection.sock is None:
            return
        with self._lock:
            if not self.closed and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _lost(self, error: Exception) -> errors.EngineUnavailable:
        if not isinstance(error, TimeoutError):
            self._forget_engine()
        return _closed() if self.closed else errors.EngineUnavailable(reason=told(error))

    def _forget_engine(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            self._engine = None
        for connection in idle:
            connection.close()


def _send(connection: _Connection, method: str, target: str, body: Any, headers: Mapping[str, str] | None) -> None:
    given = dict(headers or {})
    if isinstance(body, bytes):
        given["Content-Type"] = "application/x-tar"
    elif body is not None:
        body = msgspec.json.encode(body)
        given["Content-Type"] = "application/json"
    connection.request(method, target, body=body, headers=given)


def _closed() -> errors.EngineUnavailable:
    return errors.EngineUnavailable(reason="this client has been closed")


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)
