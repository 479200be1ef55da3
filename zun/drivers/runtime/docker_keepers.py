"""What an engine that died has left of a container: the keeper of a life that Docker knows nothing of.

Containerd has a process for each container, its keeper ("shim"), which outlives it and Docker. Docker that ends in the middle of a start
forgets that start; the keeper stays, with a container that was never begun, or one that runs. Docker then calls the container ended,
refuses to start it for as long as the keeper lives, after a restart of its own as well, and has no call that ends a keeper; ``rm --force``
leaves it behind. Seen with Docker 20.10.24 over containerd 1.6.20, as 500 "task <id>: already exists" and 500 "id already in use".

Neither status nor error code tells this refusal from others, and its words are not read: what tells it is the keeper, a process that the
kernel shows. Where the engine's processes are not in our PID namespace, there is none to be seen, and the refusal stands.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from zun import errors
from zun.drivers.runtime.docker_exec import descendants

LOG = logging.getLogger(__name__)

#: seconds in which the keeper of a life that has ended as it should is gone, and one that was killed, too
_LAST_MOMENTS = 2.0
_DEATH = 10.0
#: seconds in which containerd begins to clean up after a keeper that was killed: a start in the middle of that spoils it
_SETTLING = 1.0
_PAUSE = 0.05

_PROC = Path("/proc")
#: how containerd calls every keeper (containerd's runtime v2, "shim authoring"): so named, as far as the kernel keeps a name, and with the
#: container's id after ``-id``
_NAME, _OPTION = b"containerd-shim", b"-id"
#: and so is what makes a keeper, and what cleans up after one: it ends by itself
_ERRANDS = frozenset({b"start", b"delete"})
#: the most that is read of a command line, in bytes
_LONGEST = 4096


def keepers(engine_id: str) -> list[int]:
    """The processes that keep this container."""
    return [pid for pid, words in _called(engine_id) if not _ERRANDS.intersection(words)]


def end(engine_id: str, idle: Callable[[], bool], *, grace: float = _LAST_MOMENTS) -> bool:
    """End the keepers of a container that the engine says does not run, and all that they keep, and wait until containerd has cleaned up.
    Returns whether there were any that did not go by themselves, in ``grace`` seconds.

    ``idle`` is asked just before: whether the engine says so still. Only what was there before that is ended: what comes later is of a
    start that somebody has begun since. Raises EngineError for a keeper that is there after that, too.
    """
    if _gone(lambda: keepers(engine_id), grace):
        return False
    forgotten = set(keepers(engine_id))
    if not idle():
        return False
    for pid in forgotten:
        LOG.warning("the engine has forgotten what process %d keeps of container %s: both are ended", pid, engine_id)
        _end(pid, engine_id)
    if not _gone(lambda: forgotten.intersection(keepers(engine_id)), _DEATH):
        raise errors.EngineError(
            reason="an earlier life of it, which the engine has forgotten, keeps it from starting, and cannot be ended by the agent: "
            f"the host's operator may end process {', '.join(map(str, sorted(forgotten)))}"
        )
    time.sleep(_SETTLING)
    _gone(lambda: list(_called(engine_id)), _DEATH)
    return True


def _called(engine_id: str) -> Iterator[tuple[int, list[bytes]]]:
    """The processes whose command line says that they see to this container, and the words of that. What a container calls one of its
    own processes is not heard: those are in a PID namespace further in."""
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # The name first: it is short, whoever gave it, and most are not looked at any closer.
                if entry.joinpath("comm").read_bytes().strip() != _NAME:
                    continue
                with entry.joinpath("cmdline").open("rb") as line:
                    words = line.read(_LONGEST).split(b"\0")
                if (_OPTION, engine_id.encode()) in pairwise(words) and not _further_in(entry):
                    yield int(entry.name), words


def _further_in(entry: Path) -> bool:
    """Whether a process has a number of its own in a PID namespace inside of ours (``NSpid`` in proc_pid_status(5))."""
    lines = entry.joinpath("status").read_bytes().splitlines()
    return any(line.startswith(b"NSpid:") and len(line.split()) > 2 for line in lines)


def _gone(what: Callable[[], Collection[Any]], longest: float) -> bool:
    """Whether there is nothing of it left, in ``longest`` seconds."""
    until = time.monotonic() + longest
    while what():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


def _end(pid: int, engine_id: str) -> None:
    """Each is held by a file descriptor, and looked at again, before it is ended: a number may be another process's by now."""
    with contextlib.ExitStack() as stack:
        held = {}
        for each in (pid, *descendants(pid)):
            with contextlib.suppress(OSError):
                held[each] = os.pidfd_open(each)
                stack.callback(os.close, held[each])
        if pid not in keepers(engine_id):
            return
        same = {pid, *descendants(pid)}
        for each, handle in held.items():
            with contextlib.suppress(OSError):
                if each in same:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
