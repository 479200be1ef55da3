"""Docker's answers that come by and by: logs and news, as iterators that give their connection back whatever their reader does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, Self, TypeVar

import msgspec

from zun import errors
from zun.drivers.runtime import docker_read
from zun.drivers.runtime.docker_answer import Stream
from zun.interfaces.runtime import EngineEvent

T = TypeVar("T")

_REMEMBERED = 100


class Flow(Generic[T]):
    """An iterator over a stream. The connection ends with the last item, with :meth:`close`, or when nobody holds the iterator any more:
    a generator alone would keep it for ever if its reader gave up before the first item."""

    def __init__(self, stream: Stream, items: Generator[T, None, None]) -> None:
        self._stream, self._items = stream, items

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return next(self._items)
        except BaseException:
            self._stream.close()
            raise

    def close(self) -> None:
        """Give the connection back; may be repeated."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._stream.close()


def log(stream: Stream, *, terminal: bool) -> Flow[bytes]:
    """The pieces of a log; only one of a container without a terminal says which stream they came from, and that is taken out."""

    def pieces() -> Generator[bytes, None, None]:
        raw = iter(stream.read, b"")
        try:
            yield from raw if terminal else docker_read.payloads(raw)
        except TimeoutError as error:
            raise errors.EngineUnavailable(reason="its log could not be read to the end in time; ask with tail or since") from error

    return Flow(stream, pieces())


def archive(stream: Stream) -> Flow[bytes]:
    """The pieces of an archive. Raises EngineUnavailable where the engine hangs up or stops in the middle of it."""

    def pieces() -> Generator[bytes, None, None]:
        try:
            yield from iter(stream.read, b"")
        except TimeoutError as error:
            raise errors.EngineUnavailable(reason="it has stopped in the middle of an archive") from error

    return Flow(stream, pieces())


def news(stream: Stream, closed: Callable[[], bool]) -> Flow[EngineEvent]:
    """The events that are ours. Ends after the client was ``closed``; raises EngineUnavailable when the engine goes away."""

    def events() -> Generator[EngineEvent, None, None]:
        # What happens just as somebody begins to listen, Docker tells twice: as past, and as present.
        told: deque[object] = deque(maxlen=_REMEMBERED)
        try:
            for line in stream.lines():
                news = _decoded(line)
                mark = (news.get("timeNano"), news.get("Action"), news.get("Actor", {}).get("ID"))
                if mark not in told and (event := docker_read.event(news)):
                    told.append(mark)
                    yield event
        except errors.EngineUnavailable:
            if not closed():
                raise
        if not closed():
            raise errors.EngineUnavailable(reason="its stream of events has ended")

    return Flow(stream, events())


def _decoded(line: bytes) -> docker_read.Json:
    try:
        return msgspec.json.decode(line, type=dict)
    except msgspec.DecodeError as error:
        raise errors.EngineUnavailable(reason=f"it sends events that are no JSON objects: {error}") from error
