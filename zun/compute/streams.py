"""What the agent answers of streams: doors to them, and the sizes of terminals. The second half of :class:`zun.compute.ask.Ask`."""

from __future__ import annotations

from datetime import datetime

from zun import errors
from zun.compute.doors import DoorKeeper, Passage, Reading, Writing
from zun.interfaces.runtime import Runtime
from zun.interfaces.streams import ArchiveDoor, Door

#: Seconds that a command goes on whose input has ended and whose output may still be read.
EXEC_PATIENCE = 10.0


class AskStreams:
    """Opens streams of containers. Nothing of the engine is seen through a door but the one stream."""

    _runtime: Runtime
    _doors: DoorKeeper | None

    def open_attach(self, container_uuid: str) -> Door:
        """A door to what the container's first process reads and writes."""
        return self._keeper().make(lambda: Passage(self._runtime.attach(container_uuid)))

    def exec_create(self, container_uuid: str, command: list[str], tty: bool) -> str:
        """Make a command ready to be run in the container."""
        return self._runtime.exec_create(container_uuid, command, tty)

    def open_exec(self, container_uuid: str, exec_id: str) -> Door:
        """A door to that command: it is run when somebody comes through, and ended when he goes."""
        return self._keeper().make(
            lambda: Passage(
                self._runtime.exec_start(container_uuid, exec_id),
                patience=EXEC_PATIENCE,
                left=lambda: self._runtime.exec_end(container_uuid, exec_id),
            )
        )

    def resize(self, container_uuid: str, height: int, width: int) -> None:
        """Give the container's terminal a size."""
        self._runtime.resize(container_uuid, height, width)

    def exec_resize(self, container_uuid: str, exec_id: str, height: int, width: int) -> None:
        """Give the terminal of a command a size."""
        self._runtime.exec_resize(container_uuid, exec_id, height, width)

    def open_follow(
        self, container_uuid: str, stdout: bool, stderr: bool, timestamps: bool, tail: int | None, since: datetime | None
    ) -> Door:
        """A door to the container's log, and to what is written from now on."""

        def enter() -> Passage:
            log = self._runtime.follow(container_uuid, stdout=stdout, stderr=stderr, timestamps=timestamps, tail=tail, since=since)
            return Passage(log)

        return self._keeper().make(enter)

    def open_read(self, container_uuid: str, path: str) -> ArchiveDoor:
        """A door to a tar archive of what is at a path. Raises NoSuchPath."""
        keeper = self._keeper()
        stat, pieces = self._runtime.read_archive(container_uuid, path)
        way, close = Reading(pieces), getattr(pieces, "close", lambda: None)
        try:
            return ArchiveDoor(door=keeper.make(lambda: way, close), stat=stat)
        except errors.ZunError:
            close()
            raise

    def open_write(self, container_uuid: str, path: str) -> Door:
        """A door for a tar archive that is unpacked at a path as it comes."""
        return self._keeper().make(lambda: Writing(lambda pieces: self._runtime.write_archive(container_uuid, path, pieces)))

    def _keeper(self) -> DoorKeeper:
        if self._doors is None:
            raise errors.NotOffered(field="stream", why="this host's agent has no listener for streams.")
        return self._doors
