"""Daemons in the nodes: started with their configuration, waited for until they are well, found again, ended by their number."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cloud.nodes import Node
from cloud.world import World, write_private
from tools import processes
from tools.progress import Trouble

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that runs in a node. ``files`` are written before it starts, closed to others; ``ready`` says whether it is well."""

    name: str
    node: Node
    command: Sequence[str]
    ready: Callable[[], bool]
    files: Mapping[Path, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def start(world: World, daemon: Daemon) -> bool:
    """See that it runs, with this configuration, and is well. Returns whether it had to be started. Raises Trouble with its last words."""
    mark = _file(daemon, "mark")
    wanted = _fingerprint(daemon)
    if pid(daemon.node, daemon.name) is not None:
        if mark.exists() and mark.read_text() == wanted and daemon.ready():
            return False
        stop(daemon.node, daemon.name)
    for path, text in daemon.files.items():
        write_private(path, text)
    log = log_of(world, daemon)
    command = daemon.node.command(*daemon.command)
    process = processes.start(command, log, _file(daemon, "pid"), {**variables(world, daemon.node), **daemon.environment})
    _wait(daemon, process, log)
    mark.write_text(wanted)
    return True


def pid(node: Node, name: str) -> int | None:
    """The number of a daemon as this machine counts, or None when it does not run."""
    starter = _starter(node, name)
    if starter is None:
        return None
    # What enters the node stays as the parent of what it has started there, and may not have noticed yet that it has ended.
    return next((child for child in processes.descendants(starter) if processes.alive(child)), None)


def stop(node: Node, name: str, patience: float = 5) -> None:
    """End a daemon; not running is as good."""
    starter, daemon = _starter(node, name), pid(node, name)
    if daemon is not None:
        below = processes.descendants(daemon)
        processes.end(daemon, patience)
        processes.kill([child for child in below if processes.alive(child)])
    if starter is not None:
        processes.end(starter, 5)
    (node.folder / "daemons" / f"{name}.pid").unlink(missing_ok=True)


def started_at(daemons: Iterable[tuple[Node, str]]) -> datetime:
    """When the last of these daemons was started (UTC)."""
    marks = (node.folder / "daemons" / f"{name}.mark" for node, name in daemons)
    return datetime.fromtimestamp(max(mark.stat().st_mtime for mark in marks), UTC)


def names(node: Node) -> list[str]:
    """The daemons that were started in this node."""
    return sorted(file.stem for file in (node.folder / "daemons").glob("*.pid"))


def resident(node: Node) -> int:
    """The bytes of memory that all processes of the node have for themselves, and their shares of what they have in common."""
    return sum(_proportional(number) for number in members(node))


def members(node: Node) -> list[int]:
    """The numbers of all processes of the node, as this machine counts; those in containers are not among them."""
    init = node.init
    if init is None:
        return []
    mark = Path("/proc", str(init), "ns/pid").readlink()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "ns/pid").readlink() == mark:
                    found.append(int(entry.name))
    return found


def _proportional(number: int) -> int:
    with suppress(OSError):
        for line in Path("/proc", str(number), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def variables(world: World, node: Node) -> dict[str, str]:
    """The environment of what runs for the cloud: nothing of the caller's own settings, no proxy, and ``sudo`` does what it is told."""
    return {
        "PATH": f"{world.folder}/bin:{world.venv}/bin:{_PATH}",
        "HOME": str(node.folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }


def listens(address: str, port: int) -> Callable[[], bool]:
    """A ``ready`` that asks whether somebody takes calls there."""

    def answer() -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex((address, port)) == 0

    return answer


def log_of(world: World, daemon: Daemon) -> Path:
    """Where its output goes."""
    return world.logs / f"{daemon.node.name}-{daemon.name}.log"


def tail(log: Path, lines: int = 25) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(it has written nothing)"


def run(world: World, name: str, *command: str, environment: Mapping[str, str] | None = None, timeout: float = 300) -> None:
    """Run a program of the cloud's on the controller to its end, its output in a log of that name. Raises Trouble with its last words."""
    log = world.logs / f"{name}.log"
    with log.open("ab") as output:
        done = subprocess.run(
            world.controller.command(*command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            cwd="/",
            env={**variables(world, world.controller), **(environment or {})},
            timeout=timeout,
        )
    if done.returncode != 0:
        raise Trouble(f"{name} failed. The end of {log}:\n{tail(log)}")


def _wait(daemon: Daemon, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    # In this order: what a dead one has left behind may still answer in its place.
    while process.poll() is not None or not daemon.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Trouble(f"{daemon.name} on {daemon.node.name} does not come up. The end of {log}:\n{tail(log)}")
        time.sleep(0.1)


def _starter(node: Node, name: str) -> int | None:
    file = node.folder / "daemons" / f"{name}.pid"
    try:
        number = int(file.read_text())
        arguments = Path("/proc", str(number), "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return None
    # The number may be somebody else's by now.
    return number if processes.alive(number) and Path(arguments[0]).name == "nsenter" and str(node.init) in arguments else None


def _file(daemon: Daemon, kind: str) -> Path:
    folder = daemon.node.folder / "daemons"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{daemon.name}.{kind}"


def _fingerprint(daemon: Daemon) -> str:
    parts = [list(daemon.command), sorted(daemon.environment.items()), sorted((str(path), text) for path, text in daemon.files.items())]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def shim(world: World) -> None:
    """Everything here is root already, so ``sudo`` needs only to run what it is given."""
    folder = world.folder / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "sudo"
    program.write_text('#!/bin/sh\nexec "$@"\n')
    program.chmod(0o755)
