"""The official client attaches and runs commands with terminals, in a terminal."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import absent
from tests.service.aio import PATIENCE, Aio, eventually

OPENSTACK = Path(sys.executable).with_name("openstack")


class Terminal:
    """The client at a person's terminal, which has 24 lines of 80 characters."""

    def __init__(self, service: Aio, *words: str) -> None:
        if not OPENSTACK.exists():
            absent("python-openstackclient is not installed")
        self._run(service, str(OPENSTACK), "--os-cloud", "zun", "appcontainer", *words)

    @classmethod
    def of(cls, service: Aio, program: str, *words: str) -> Terminal:
        """Another program of the same client."""
        made = cls.__new__(cls)
        made._run(service, str(OPENSTACK.with_name(program)), *words)
        return made

    def _run(self, service: Aio, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        self._has(24, 80)
        environment = os.environ | {"OS_CLIENT_CONFIG_FILE": str(service.clouds), "TERM": "xterm"}
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def _has(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, lines: int, columns: int) -> None:
        """As somebody pulls at the corner of the window; the client hears of it as it would from its shell."""
        self._has(lines, columns)
        self._process.send_signal(signal.SIGWINCH)

    def listens(self) -> None:
        """Until the client has made the terminal raw: it throws away what was typed before."""
        eventually(lambda: not termios.tcgetattr(self._ours)[3] & termios.ECHO, "the client reads the terminal")

    def until(self, expected: str) -> None:
        """Until it shows ``expected``."""
        end = time.monotonic() + PATIENCE
        while expected not in self.shown:
            assert time.monotonic() < end, self.shown
            assert self.read() or expected in self.shown, self.shown

    def read(self) -> bool:
        """See what there is to see for a moment; False if the terminal is no more."""
        ready, _, _ = select.select([self._ours], [], [], 1)
        try:
            self.shown += os.read(self._ours, 4096).decode("utf-8", "replace") if ready else ""
        except OSError:
            return False
        return True

    def ended(self) -> int:
        """The exit code, once it has ended by itself; what it shows meanwhile is read, or it would wait for us."""
        while self._process.poll() is None and self.read():
            pass
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        os.close(self._ours)


@pytest.fixture
def shell(service: Aio) -> Iterator[str]:
    uuid = service.create("sh", name="shell", interactive=True, tty=True)
    try:
        service.wait(uuid, "Running")
        yield uuid
    finally:
        service.delete(f"/containers/{uuid}", params={"force": True})
        service.wait_gone(uuid)


def sized(terminal: Terminal, size: str) -> None:
    """The terminal of the container gets the size, some time after the client has heard of it."""
    times = itertools.count()

    def there() -> bool:
        asked = next(times)
        terminal.type(f"stty size; echo asked-$(({asked}))\n")
        terminal.until(f"asked-{asked}")
        return size in terminal.shown

    eventually(there, f"the terminal in the container has {size}")


def test_exec_interactive(service: Aio, shell: str) -> None:
    terminal = Terminal(service, "exec", "--interactive", "shell", "sh")
    try:
        terminal.until("# ")
        terminal.type("echo $((6*7))-done\n")
        terminal.until("42-done")
        terminal.type("stty size\n")
        terminal.until("24 80")
        terminal.resize(33, 111)
        sized(terminal, "33 111")
        terminal.type("exit\n")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_attach(service: Aio, shell: str) -> None:
    terminal = Terminal(service, "attach", "shell")
    try:
        terminal.until("connected to shell")
        terminal.listens()
        terminal.type("\n")
        terminal.until("# ")
        terminal.type("echo $((6*7))-done\n")
        terminal.until("42-done")
        terminal.type("stty size\n")
        terminal.until("24 80")
        terminal.resize(50, 132)
        sized(terminal, "50 132")
    finally:
        terminal.close()
    assert service.show(shell)["status"] == "Running"


def test_the_escape_does_not_end_the_session(service: Aio, shell: str) -> None:
    # A fault of the client: it compares bytes with text, so its own "~." goes to the container as it was typed.
    terminal = Terminal(service, "attach", "shell")
    try:
        terminal.until("connected to shell")
        terminal.listens()
        terminal.type("\n~.\n")
        terminal.until("~.: not found")
    finally:
        terminal.close()


def test_run_interactive(service: Aio) -> None:
    terminal = Terminal(service, "run", "--interactive", "--name", "visit", "--cpu", "0.1", "--memory", "32", "busybox", "sh")
    try:
        terminal.until("connected to")
        terminal.listens()
        terminal.type("\n")
        terminal.until("# ")
        terminal.type("echo $((6*7))-done\n")
        terminal.until("42-done")
        terminal.type("exit\n")
        assert terminal.ended() == 0
    finally:
        terminal.close()
        service.delete("/containers/visit", params={"force": True})
    service.wait_gone("visit")
