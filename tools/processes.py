"""Processes in the background: start them, find them again, end them. Only ever ours: each names a folder of ours in its command line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def start(command: Sequence[str], log: Path, pid_file: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a program that outlives us. Its output goes to ``log``, its number to ``pid_file``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=None if environment is None else dict(environment),
        )
    pid_file.write_text(f"{process.pid}\n")
    return process


def naming(folder: Path) -> dict[int, list[str]]:
    """Command lines by process number: those with an argument that is, or lies in, or is set to something in ``folder``; not our own."""
    return {pid: arguments for pid, arguments in _all() if pid != os.getpid() and any(_within(argument, folder) for argument in arguments)}


def _within(argument: str, folder: Path) -> bool:
    value = argument.rpartition("=")[2].removeprefix("unix://")
    return value == str(folder) or value.startswith(f"{folder}/")


def _all() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, the nearest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


def alive(pid: int) -> bool:
    """Whether any thread of the process exists and is no zombie.

    The first one is a zombie as soon as it has ended; what the others do and what the process has open, its sockets too, lasts until they
    have all ended.
    """
    try:
        threads = list((Path("/proc") / str(pid) / "task").iterdir())
    except OSError:
        return False
    return any(_runs(thread) for thread in threads)


def _runs(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def end(pid: int, patience: float) -> bool:
    """Ask the process to end; after ``patience`` seconds make it. Returns whether asking was enough."""
    _signal(pid, signal.SIGTERM)
    if _gone(pid, patience):
        return True
    _signal(pid, signal.SIGKILL)
    _gone(pid, 5)
    return False


def kill(pids: Sequence[int]) -> None:
    """End the processes without asking."""
    for pid in pids:
        _signal(pid, signal.SIGKILL)
    for pid in pids:
        _gone(pid, 5)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(pid: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)
    return True
