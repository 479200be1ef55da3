"""Streams: bytes that go in and out of containers for as long as somebody is there, and the doors through which they leave a host.

A runtime gives a :class:`Wire` to what an engine streams. An agent lets somebody else at it through a :class:`Door`: an address and a token
that is good for one connection, within :data:`DOOR_SECONDS`. On that connection the caller sends the token and a newline; the agent answers
:data:`OPEN`, or a :func:`refusal` and hangs up. From then on it is the stream and nothing else, both ways, each with an end of its own
(half-close). A reader who is hung up on without an end (a reset) knows that something is missing; a writer of an archive reads, after his
end, whether it has arrived, in the form of the first answer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from zun import errors
from zun.interfaces import faults

#: for how long a door waits for whoever it was made for
DOOR_SECONDS = 30.0
#: the answer "it is yours", and how a refusal begins; both are lines
OPEN = b"+\n"
REFUSED = b"-"
#: no line of this protocol is longer, in bytes
LONGEST_LINE = 16_384


@dataclass(frozen=True, slots=True)
class Wire:
    """A stream of an engine: what is written to ``sock`` goes in, what is read comes out once ``decode`` has seen it, in order.

    ``decode`` is stateful and of one reader; it may answer nothing and give more later. Closing ``sock`` gives the stream up.
    """

    sock: socket.socket
    decode: Callable[[bytes], bytes]


class PathStat(msgspec.Struct, frozen=True, kw_only=True):
    """What is at a path of a container. ``mode`` is in the engine's numbers, ``mtime`` in RFC 3339."""

    name: str
    size: int
    mode: int
    mtime: str
    link_target: str = ""


class Streaming(Protocol):
    """What an engine streams. Part of :class:`zun.interfaces.runtime.Runtime`, and raises as that does; a Wire is the caller's to close."""

    def attach(self, uuid: str) -> Wire:
        """What the container's first process reads and writes from now on; nothing that it has written before. Its end is the
        container's."""

    def exec_create(self, uuid: str, command: list[str], tty: bool) -> str:
        """Make a command ready to be run in the container, with a terminal or without. Returns its id, 64 hexadecimal digits."""

    def exec_start(self, uuid: str, exec_id: str) -> Wire:
        """Run it: what it reads and writes. Raises NoSuchExec for one that is not of this container, or has been started before."""

    def exec_end(self, uuid: str, exec_id: str) -> None:
        """End it, with all that it has started, because nobody reads it any more. Ended already, or never started, is success."""

    def resize(self, uuid: str, height: int, width: int) -> None:
        """Give the container's terminal a size, in characters. It may be called as soon as :meth:`attach` may."""

    def exec_resize(self, uuid: str, exec_id: str, height: int, width: int) -> None:
        """Give the terminal of a command a size. Raises NoSuchExec for one that is not of this container, or does not run."""

    def follow(
        self,
        uuid: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        timestamps: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> Wire:
        """The log as :meth:`logs` has it, and what is written from then on. It ends when the container does, at once if it does not run."""

    def read_archive(self, uuid: str, path: str) -> tuple[PathStat, Iterator[bytes]]:
        """What is at a path, and a tar archive of it, in pieces; the iterator has a ``close``. The container need not run.

        Raises NoSuchPath. The pieces may raise EngineUnavailable or EngineError: what came before is not all.
        """

    def write_archive(self, uuid: str, path: str, pieces: Iterator[bytes]) -> None:
        """Unpack a tar archive at a path, which is a directory there. What ``pieces`` raises ends it and is raised; what has been unpacked
        before that stays. The container need not run.

        Raises NoSuchPath, and InvalidArchive for what is no tar archive or cannot be unpacked there.
        """


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream can be had, once. Who holds it holds the stream: its token is shown to nobody."""

    host: str
    port: int
    token: str

    def __repr__(self) -> str:
        return f"Door(host={self.host!r}, port={self.port!r}, token=***)"


class ArchiveDoor(msgspec.Struct, frozen=True, kw_only=True):
    """A door to an archive, and what it is of."""

    door: Door
    stat: PathStat


class Doors(Protocol):
    """The way through doors, for threads."""

    def connect(self, door: Door) -> socket.socket:
        """The stream behind a door: a connected socket that blocks. Raises what the agent refuses it with, RpcUnavailable when nobody
        listens."""


def refusal(error: errors.ZunError) -> bytes:
    """The line that says no."""
    return REFUSED + msgspec.json.encode(faults.of(error))[: LONGEST_LINE - 2] + b"\n"


def refused(line: bytes) -> errors.ZunError | None:
    """What a line of an agent says: None is yes."""
    if line == OPEN:
        return None
    try:
        return faults.error(msgspec.json.decode(line.removeprefix(REFUSED), type=faults.Fault))
    except msgspec.DecodeError:
        return errors.ZunError(reason="the host's agent answered in a way that is not understood")
