"""A process that has imported the service and gives birth to as many as are asked for.

Four fifths of what a start costs the processor is imports, which are the same each time; the tests of this folder begin some two hundred
services. What is born is a process of its own, in a session of its own, which runs ``main`` from its first line and ends as any other does.
"""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Child:
    """A process that was born here; of what :class:`subprocess.Popen` does, what tests need."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._ended: int | None = None

    def poll(self) -> int | None:
        """Its exit code if it has ended; the negative number of the signal that has ended it."""
        return self._ended if self._ended is not None or not self._over(0) else self._reap()

    def wait(self, seconds: float) -> int:
        """Its exit code once it has ended. Raises TimeoutExpired."""
        if self._ended is None and not self._over(seconds):
            raise subprocess.TimeoutExpired(f"process {self.pid}", seconds)
        return self._ended if self._ended is not None else self._reap()

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def _over(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._handle, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def _reap(self) -> int:
        self._ended = int(self._nursery.ask({"reap": self.pid}))
        os.close(self._handle)
        return self._ended


class Nursery:
    """The other end of that process. It ends with the last of its callers."""

    def __init__(self) -> None:
        # The folder says whose it is, to those who look for what is left of a run (tools/processes.py); so it does for its children.
        command = [sys.executable, "-m", __name__, tempfile.gettempdir()]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True)
        self._turn = threading.Lock()

    def bear(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> Child:
        """``tests.service.dying`` with these arguments."""
        return Child(self, int(self.ask({"bear": list(arguments), "log": str(log), "environment": dict(environment)})))

    def ask(self, wish: Mapping[str, Any]) -> str:
        """A line for a line."""
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None and answering is not None
        with self._turn:
            asking.write(json.dumps(wish).encode() + b"\n")
            asking.flush()
            answer = answering.readline().decode()
        assert answer, "the process that gives birth to services has ended"
        return answer


@functools.cache
def nursery() -> Nursery:
    """This process's."""
    return Nursery()


def main() -> int:
    """Do what is asked on standard input, a line each, until nobody asks any more. A child returns from here with its own exit code."""
    from tests.service import dying

    # Who forks with threads has a child in which locks may be held by nobody.
    assert threading.active_count() == 1
    for line in sys.stdin.buffer:
        wish = json.loads(line)
        if "reap" in wish:
            answer = os.waitstatus_to_exitcode(os.waitpid(wish["reap"], 0)[1])
        elif not (answer := os.fork()):
            return dying.run(_born(wish))
        print(answer, flush=True)
    return 0


def _born(wish: Mapping[str, Any]) -> list[str]:
    """Make this process one like those that a shell starts; its arguments."""
    os.setsid()
    log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log), os.close(nothing)
    os.environ.clear()
    os.environ.update(wish["environment"])
    return list(wish["bear"])


if __name__ == "__main__":
    sys.exit(main())
