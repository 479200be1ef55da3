"""Files in and out of containers: archives go between the API and a host's agent, and are nowhere whole."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator

from zun import errors
from zun.conductor.verbs import Verbs
from zun.domain.container import Container
from zun.interfaces.streams import LONGEST_LINE, Doors, PathStat, refused

_PIECE = 65_536


class Outgoing:
    """The pieces of an archive on its way to whoever reads it. Ends with its last piece, or with :meth:`close`."""

    def __init__(self, channel: socket.socket, largest: int, over: Callable[[], None]) -> None:
        self._channel, self._left, self._over = channel, largest, over

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._channel.recv(_PIECE)
            self._left -= len(piece)
            if self._left < 0:
                raise errors.ArchiveTooLarge
        except OSError as error:
            self.close()
            raise errors.ArchiveBrokenOff from error
        except errors.ArchiveTooLarge:
            self.close()
            raise
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """Give it up; may be repeated."""
        self._channel.close()
        over, self._over = self._over, lambda: None
        over()


class Archives:
    """Reads and writes archives of containers. At most ``most`` move at a time; none that is read has more than ``largest`` bytes."""

    def __init__(self, verbs: Verbs, doors: Doors, *, largest: int, most: int) -> None:
        self._verbs, self._doors, self._largest = verbs, doors, largest
        self._free = threading.BoundedSemaphore(most)

    def read(self, container: Container, path: str) -> tuple[PathStat, Outgoing]:
        """What is at a path, and a tar archive of it. Raises NoSuchPath, ArchiveTooLarge, HostNotUp; the pieces raise ArchiveTooLarge
        and ArchiveBrokenOff."""
        with self._slot() as keep:
            opened = self._verbs.agent(container, "get_archive").open_read(container.uuid, path)
            channel = self._doors.connect(opened.door)
            if opened.stat.size > self._largest:
                channel.close()
                raise errors.ArchiveTooLarge
            return opened.stat, Outgoing(channel, self._largest, keep())

    def write(self, container: Container, path: str, pieces: Iterable[bytes]) -> None:
        """Unpack a tar archive at a path. Raises NoSuchPath, InvalidArchive, ArchiveBrokenOff, HostNotUp, and what ``pieces`` do."""
        with self._slot():
            channel = self._doors.connect(self._verbs.agent(container, "put_archive").open_write(container.uuid, path))
            with channel:
                try:
                    _send(channel, pieces)
                    refusal = refused(_line(channel))
                except OSError as error:
                    raise errors.ArchiveBrokenOff from error
                except BaseException:
                    # An end would say that this is all; a reset says that it is not.
                    channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    raise
            if refusal is not None:
                raise refusal

    @contextlib.contextmanager
    def _slot(self) -> Iterator[Callable[[], Callable[[], None]]]:
        """One of those that may move. It is free again after the block, unless it was kept: then when what was answered is called."""
        if not self._free.acquire(blocking=False):
            raise errors.TooManyArchives
        kept = False

        def keep() -> Callable[[], None]:
            nonlocal kept
            kept = True
            return self._free.release

        try:
            yield keep
        finally:
            if not kept:
                self._free.release()


def _send(channel: socket.socket, pieces: Iterable[bytes]) -> None:
    """Send it all; an agent that has hung up has said why before."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            channel.sendall(piece)
        channel.shutdown(socket.SHUT_WR)


def _line(channel: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\n") and len(found) < LONGEST_LINE and (more := channel.recv(LONGEST_LINE)):
        found += more
    if not found:
        raise ConnectionResetError
    return found
