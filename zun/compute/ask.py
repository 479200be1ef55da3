"""What the agent answers while the caller waits. Implements :class:`zun.interfaces.rpc.Agent`."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from zun import errors
from zun.compute.doors import DoorKeeper
from zun.compute.streams import AskStreams
from zun.interfaces.images import Images
from zun.interfaces.rpc import Whole
from zun.interfaces.runtime import ExecResult, FoundImage, ProcessList, Runtime, Stats


class Ask(AskStreams):
    """Looks inside containers. No question waits for the work on a sandbox, and none changes a status."""

    def __init__(
        self,
        runtime: Runtime,
        poke: Callable[[], None],
        *,
        execute_timeout: float,
        log_limit: int,
        output_limit: int,
        images: Mapping[str, Images] | None = None,
        doors: DoorKeeper | None = None,
    ) -> None:
        self._runtime = runtime
        self._images = images or {}
        self._doors = doors
        self._poke = poke
        self._execute_timeout = execute_timeout
        self._log_limit = log_limit
        self._output_limit = output_limit

    def look(self) -> None:
        """There is work."""
        self._poke()

    def logs(self, container_uuid: str, stdout: bool, stderr: bool, timestamps: bool, tail: int | None, since: datetime | None) -> bytes:
        """The container's log; of one that is longer than the bound, the newest part, and a line that says so."""
        pieces = self._runtime.logs(container_uuid, stdout=stdout, stderr=stderr, timestamps=timestamps, tail=tail, since=since)
        return newest(pieces, self._log_limit)

    def execute(self, container_uuid: str, command: list[str]) -> ExecResult:
        """Run a command in the container and wait for its end."""
        return self._runtime.execute(container_uuid, command, timeout=self._execute_timeout, limit=self._output_limit)

    def top(self, container_uuid: str, ps_args: str | None) -> ProcessList:
        """The container's processes."""
        return self._runtime.top(container_uuid, ps_args)

    def stats(self, container_uuid: str) -> Stats:
        """What the container uses just now."""
        return self._runtime.stats(container_uuid)

    def update(self, container_uuid: str, cpu: float | None, memory: int | None, cpuset: list[int] | None, whole: Whole | None) -> None:
        """Change the container's limits, the cores that it has to itself, and then the limits of its sandbox."""
        self._runtime.update(container_uuid, cpu, memory, cpuset)
        if whole is not None:
            self._runtime.limit_sandbox(whole.sandbox_uuid, whole.cpu, whole.memory)

    def end(self, container_uuid: str) -> None:
        """End the container at once. Whoever waits for its end has it then."""
        with contextlib.suppress(errors.NotRunning, errors.NoSuchObject):
            self._runtime.kill(container_uuid, "KILL")

    def search_images(self, driver: str, term: str, exact: bool) -> list[FoundImage]:
        """Images whose names have the term in them, or are it."""
        if driver not in self._images:
            raise errors.NotOffered(field="image_driver", why=f"this host has no image driver '{driver}'.")
        return self._images[driver].search(term, exact, None)


def newest(pieces: Iterable[bytes], limit: int) -> bytes:
    """The pieces joined; where they are more than ``limit`` bytes, the last ones, behind a line that says how much is left out."""
    kept: deque[bytes] = deque()
    size = dropped = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        while size - len(kept[0]) >= limit:
            dropped += len(kept[0])
            size -= len(kept.popleft())
    text = b"".join(kept)
    if not dropped:
        return text
    return b"[%d earlier bytes are left out here: ask with tail or since]\n" % dropped + text
