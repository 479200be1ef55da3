"""What the engine answers: whole, or read as it comes."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec

from zun import errors

#: The most that is held in memory of one line of a stream, in bytes. An engine in its right mind does not come near it.
LONGEST_LINE = 8 << 20
#: what a connection to an engine that is gone, or going, raises
TROUBLE = (OSError, http.client.HTTPException)

_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine answered: an HTTP status and, decoded, its JSON (None where there was no body)."""

    status: int
    data: Any

    @property
    def ok(self) -> bool:
        """Whether it is a yes. 304 is one: "it is so already"."""
        return self.status < 300 or self.status == 304

    @property
    def message(self) -> str:
        """The engine's own sentence in a refusal."""
        if isinstance(self.data, dict) and isinstance(self.data.get("message"), str):
            return str(self.data["message"]).strip()
        return f"HTTP status {self.status}"


class Stream:
    """An answer that is read as it comes, on a connection of its own. Close it, or leave its ``with`` block."""

    def __init__(
        self,
        forget: Callable[[Stream], None],
        channel: socket.socket,
        response: http.client.HTTPResponse,
        deadline: float | None,
        idle: float | None = None,
    ) -> None:
        self._forget, self._channel, self._response, self._deadline, self._idle = forget, channel, response, deadline, idle
        self.status = response.status
        self.content_type = response.getheader("Content-Type") or ""

    def header(self, name: str) -> str:
        """A header of the answer; empty where there is none."""
        return self._response.getheader(name) or ""

    def read(self) -> bytes:
        """The next piece, empty at the end. Raises TimeoutError at the deadline, EngineUnavailable when the engine is gone."""
        try:
            self._channel.settimeout(left(self._deadline) if self._idle is None else self._idle)
            return next_piece(self._response)
        except TimeoutError:
            raise
        except (*TROUBLE, ValueError) as error:
            raise errors.EngineUnavailable(reason=told(error)) from error

    def lines(self) -> Iterator[bytes]:
        """Its lines, without their ends. Raises EngineUnavailable for one that is longer than anything that an engine has to say."""
        rest = b""
        while piece := self.read():
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line for line in whole if line.strip())
            if len(rest) > LONGEST_LINE:
                raise errors.EngineUnavailable(reason="it sends a line without an end")
        if rest.strip():
            yield rest

    def answer(self) -> Answer:
        """The whole body at once: for a refusal."""
        return Answer(self.status, decoded(b"".join(iter(self.read, b""))))

    def wake(self) -> None:
        """End whatever read is under way, in whatever thread."""
        end(self._channel)

    def close(self) -> None:
        """Give the connection up; the engine stops what it does for it alone."""
        self._forget(self)
        self._response.close()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def next_piece(response: http.client.HTTPResponse) -> bytes:
    """The next piece of a body, empty at its end. Raises IncompleteRead where the engine hung up before that, which ``read1`` does not."""
    piece = response.read1(_PIECE)
    if not piece and response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return piece


def end(channel: socket.socket) -> None:
    """End whatever is read or written on it, in whatever thread."""
    with contextlib.suppress(OSError):  # it has ended by itself
        channel.shutdown(socket.SHUT_RDWR)


def decoded(body: bytes) -> Any:
    """The JSON in a body; text that is none counts as a message, so that no answer of a proxy or a dying engine is an error here."""
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {"message": body[:1000].decode("utf-8", "replace")}


def left(deadline: float | None) -> float | None:
    """Seconds until the deadline, never so few that the socket would stop blocking."""
    return None if deadline is None else max(0.001, deadline - time.monotonic())


def told(error: Exception) -> str:
    """Why the engine could not be asked, in words."""
    return "no answer in time" if isinstance(error, TimeoutError) else (str(error) or type(error).__name__)
