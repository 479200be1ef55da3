"""The official client attaches and runs commands with terminals, in a terminal."""

from __future__ import annotations

import os
import pty
import select
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
    """The client at a person's terminal."""

    def __init__(self, service: Aio, *words: str) -> None:
        if not OPENSTACK.exists():
            absent("python-openstackclient is not installed")
        self._ours, theirs = pty.openpty()
        environment = os.environ | {"OS_CLIENT_CONFIG_FILE": str(service.clouds), "TERM": "xterm"}
        command = [str(OPENSTACK), "--os-cloud", "zun", "appcontainer", *words]
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def listens(self) -> None:
        """Until the client has made the terminal raw: it throws away what was typed before."""
        eventually(lambda: not termios.tcgetattr(self._ours)[3] & termios.ECHO, "the client reads the terminal")

    def until(self, expected: str) -> None:
        """Until it shows ``expected``."""
        end = time.monotonic() + PATIENCE
        while expected not in self.shown:
            assert time.monotonic() < end, self.shown
            ready, _, _ = select.select([self._ours], [], [], 1)
            if ready:
                try:
                    self.shown += os.read(self._ours, 4096).decode("utf-8", "replace")
                except OSError:
                    assert expected in self.shown, self.shown
                    return

    def ended(self) -> int:
        """The exit code, once it has ended by itself; what it shows meanwhile is read, or it would wait for us."""
        while self._process.poll() is None:
            ready, _, _ = select.select([self._ours], [], [], 0.1)
            if ready:
                try:
                    self.shown += os.read(self._ours, 4096).decode("utf-8", "replace")
                except OSError:
                    break
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        os.close(self._ours)


@pytest.fixture
def shell(service: Aio) -> Iterator[str]:
    uuid = service.create("sh", name="shell", interactive=True, tty=True)
    service.wait(uuid, "Running")
    yield uuid
    service.delete(f"/containers/{uuid}", params={"force": True})
    service.wait_gone(uuid)


def test_exec_interactive(service: Aio, shell: str) -> None:
    terminal = Terminal(service, "exec", "--interactive", "shell", "sh")
    try:
        terminal.until("# ")
        terminal.type("echo $((6*7))-done\n")
        terminal.until("42-done")
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
    finally:
        terminal.close()
    assert service.show(shell)["status"] == "Running"


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
