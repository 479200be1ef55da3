"""What the engine in memory streams. Each stream has a thread of its own, which ends with it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import posixpath
import select
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from zun import errors
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime.fake_engine import ALIVE, Exec, FakeEngine, Program, Thing
from zun.interfaces.streams import PathStat, Wire

E = EngineState
_PIECE = 65_536
_QUICK = Program(ends=0)


class FakeStreams:
    """The part of the fake that streams. What it stands on is made by :class:`~zun.drivers.runtime.fake.FakeRuntime`."""

    _engine: FakeEngine
    _closed: bool
    _call: Callable[..., AbstractContextManager[None]]
    _need: Callable[..., Thing]
    _sandbox: Callable[[str], Thing | None]

    # -- terminals -------------------------------------------------------------------------------

    def attach(self, uuid: str) -> Wire:
        """Its program, if that echoes; and its end."""
        with self._call("attach", uuid):
            found = self._need(uuid, E.RUNNING)
            return self._talk(found.program, lambda: found.state in ALIVE, lambda piece: self._written(found, piece))

    def resize(self, uuid: str, height: int, width: int) -> None:
        """Nothing is drawn here."""
        with self._call("resize", uuid):
            self._need(uuid, E.RUNNING)

    def exec_create(self, uuid: str, command: Sequence[str], tty: bool) -> str:
        """A command that waits."""
        with self._call("exec_create", uuid):
            found = self._need(uuid, E.RUNNING)
            exec_id = f"{self._engine.number():064x}"
            found.execs[exec_id] = Exec(self._engine.programs.get(tuple(command), _QUICK))
            return exec_id

    def exec_start(self, uuid: str, exec_id: str) -> Wire:
        """It runs: it writes, and echoes if its program does."""
        with self._call("exec_start", uuid):
            found = self._need(uuid, E.RUNNING)
            made = self._made(found, exec_id, "waits to be run")
            if made.running is not None:
                raise errors.NoSuchExec(exec_id=exec_id, id=uuid, what="waits to be run")
            made.running = True
            wire = self._talk(made.program, lambda: bool(made.running) and found.state in ALIVE, lambda piece: None)
            made.running = made.program.ends is None
            return wire

    def exec_end(self, uuid: str, exec_id: str) -> None:
        """It runs no more."""
        with self._call("exec_end", uuid):
            with contextlib.suppress(errors.NoSuchObject, errors.NoSuchExec):
                self._made(self._need(uuid), exec_id, "").running = False
            self._engine.changed.notify_all()

    def exec_resize(self, uuid: str, exec_id: str, height: int, width: int) -> None:
        """Its size is kept."""
        with self._call("exec_resize", uuid):
            made = self._made(self._need(uuid, E.RUNNING), exec_id, "runs")
            if not made.running:
                raise errors.NoSuchExec(exec_id=exec_id, id=uuid, what="runs")
            made.size = (height, width)

    # -- logs ------------------------------------------------------------------------------------

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
        """The log, and what is written from now on."""
        with self._call("follow", uuid):
            found = self._need(uuid)
            wanted = {stream for stream, asked in ((1, stdout), (2, stderr)) if asked}
            old = [line for line in found.log if line[1] in wanted and (since is None or line[0] >= since)]
            first = old if tail is None else old[max(0, len(old) - tail) :]
            seen = len(found.log)
        ours, theirs = socket.socketpair()

        def lines(told: Sequence[tuple[datetime, int, bytes]]) -> bytes:
            return b"".join((at.isoformat().encode() + b"Z " if timestamps else b"") + text for at, _, text in told)

        def tell() -> None:
            nonlocal seen
            with theirs, contextlib.suppress(OSError):
                theirs.sendall(lines(first))
                while True:
                    with self._engine.changed:
                        if len(found.log) <= seen and self._lives(found):
                            self._engine.changed.wait(0.2)
                        fresh, alive = [line for line in found.log[seen:] if line[1] in wanted], self._lives(found)
                        seen = len(found.log)
                    theirs.sendall(lines(fresh))
                    if not alive or _hung_up(theirs):
                        return

        threading.Thread(target=tell, daemon=True).start()
        return Wire(ours, lambda piece: piece)

    # -- archives --------------------------------------------------------------------------------

    def read_archive(self, uuid: str, path: str) -> tuple[PathStat, Iterator[bytes]]:
        """A tar of the file, or of the files in the directory."""
        with self._call("read_archive", uuid):
            found, wanted = self._need(uuid), posixpath.normpath("/" + path.lstrip("/"))
            inside = {name: text for name, text in found.files.items() if name == wanted or name.startswith(wanted.rstrip("/") + "/")}
            if not inside:
                raise errors.NoSuchPath(path=path, id=uuid)
            whole = io.BytesIO()
            with tarfile.open(fileobj=whole, mode="w") as tar:
                for name, text in inside.items():
                    member = tarfile.TarInfo(posixpath.relpath(name, posixpath.dirname(wanted)))
                    member.size = len(text)
                    tar.addfile(member, io.BytesIO(text))
            data = whole.getvalue()
            stat = PathStat(
                name=posixpath.basename(wanted) or "/", size=len(inside.get(wanted, b"")), mode=0o644, mtime="2026-01-01T00:00:00Z"
            )
            return stat, (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))

    def write_archive(self, uuid: str, path: str, pieces: Iterator[bytes]) -> None:
        """What is in the tar becomes files; what would be outside of the directory is within it."""
        data = b"".join(pieces)
        with self._call("write_archive", uuid):
            found, where = self._need(uuid), posixpath.normpath("/" + path.lstrip("/"))
            if not any(name.startswith(where.rstrip("/") + "/") for name in found.files):
                raise errors.NoSuchPath(path=path, id=uuid)
            try:
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    for member in tar.getmembers():
                        content = tar.extractfile(member)
                        if content is not None:
                            found.files[where.rstrip("/") + posixpath.normpath("/" + member.name.lstrip("/"))] = content.read()
            except tarfile.TarError as error:
                raise errors.InvalidArchive(path=path, reason=str(error)) from error

    # -- connections -----------------------------------------------------------------------------

    def dial(self, sandbox_uuid: str, port: int, *, host: str | None = None, timeout: float) -> socket.socket:
        """Whoever listens there has said its say already."""
        with self._call("dial", sandbox_uuid):
            sandbox = self._sandbox(sandbox_uuid)
            if sandbox is None:
                raise errors.NoSuchObject(id=sandbox_uuid, engine="fake")
            if sandbox.state is not E.RUNNING:
                raise errors.NotRunning(id=sandbox_uuid, reason="it is no more")
            within = (each for each in self._engine.things.values() if each.sandbox is sandbox and each.state is E.RUNNING)
            program = next((each.program for each in within if each.program.listens == port), None)
        if program is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        ours, theirs = socket.socketpair()
        ours.settimeout(timeout)
        with theirs:
            theirs.sendall(program.answers)
        return ours

    # -- within ----------------------------------------------------------------------------------

    def _made(self, thing: Thing, exec_id: str, what: str) -> Exec:
        if exec_id not in thing.execs:
            raise errors.NoSuchExec(exec_id=exec_id, id=thing.spec.uuid, what=what or "is known")
        return thing.execs[exec_id]

    def _lives(self, thing: Thing) -> bool:
        return thing.state in ALIVE and self._engine.up and not self._closed

    def _written(self, thing: Thing, piece: bytes) -> None:
        with self._engine.changed:
            thing.log.append((self._engine.clock(), 1, piece))
            self._engine.changed.notify_all()

    def _talk(self, program: Program, alive: Callable[[], bool], write: Callable[[bytes], None]) -> Wire:
        ours, theirs = socket.socketpair()
        said = b"".join(text for _, text in program.writes) if program.ends is not None else b""

        def listen() -> None:
            with contextlib.suppress(OSError):
                theirs.sendall(said)
                while program.ends is None and (piece := theirs.recv(_PIECE)):
                    if program.echoes:
                        write(piece)
                        theirs.sendall(piece)
            if program.ends is not None or program.echoes:  # as with cat, the end of what it reads is its own
                _end(theirs)

        def watch() -> None:
            with self._engine.changed:
                while alive() and self._engine.up and not self._closed and not _hung_up(theirs):
                    self._engine.changed.wait(0.2)
            _end(theirs)
            theirs.close()

        threading.Thread(target=listen, daemon=True).start()
        threading.Thread(target=watch, daemon=True).start()
        return Wire(ours, lambda piece: piece)


def _hung_up(channel: socket.socket) -> bool:
    """Whether nobody is at the other end any more."""
    poll = select.poll()
    poll.register(channel, select.POLLHUP | select.POLLERR)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def _end(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)
