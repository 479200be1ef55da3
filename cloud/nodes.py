"""Nodes: the machines of the cloud, each with a network, mounts, processes and a name of its own, all in one kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import processes
from tools.progress import Trouble

_INIT = Path(__file__).parent / "inside" / "init.py"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: ``address`` is its own in the management network, ``underlay`` in that of the tunnels, "" where it has none."""

    name: str
    folder: Path
    address: str
    underlay: str = ""

    @property
    def init(self) -> int | None:
        """The number of its first process; None when it is not up."""
        file = self.folder / "init.pid"
        number = int(file.read_text()) if file.exists() else 0
        return number if number and _is_init(number, self.folder) else None

    @property
    def netns(self) -> str:
        """The path of its network namespace. Raises Trouble when it is not up."""
        return f"/proc/{self._number()}/ns/net"

    def command(self, *arguments: str) -> list[str]:
        """What runs ``arguments`` in this node. Raises Trouble when it is not up."""
        return ["nsenter", "--target", str(self._number()), "--mount", "--uts", "--net", "--pid", "--", *arguments]

    def run(self, *arguments: str, check: bool = True, given: str | None = None, timeout: float = 120) -> str:
        """Run a program here to its end; its output. Raises Trouble when it takes longer than ``timeout``
        seconds, or fails and ``check`` says that it must not."""
        source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        try:
            done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=timeout, **source)
        except subprocess.TimeoutExpired as cause:
            raise Trouble(f"on {self.name}, '{' '.join(arguments)}' was not done after {timeout:.0f} seconds") from cause
        if check and done.returncode != 0:
            raise Trouble(f"on {self.name}, '{' '.join(arguments)}' failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
        return str(done.stdout)

    def start(self) -> bool:
        """See that the node is up. Returns whether it had to be made; then it is empty, whatever its folder holds."""
        if self.init is not None:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [sys.executable, "-I", str(_INIT), self.name, str(self.folder)]
        made = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=variables)
        if made.returncode != 0:
            raise Trouble(f"the node {self.name} cannot be made:\n{made.stderr.strip()[-1500:]}")
        (self.folder / "init.pid").write_text(made.stdout)
        return True

    def _number(self) -> int:
        number = self.init
        if number is None:
            raise Trouble(f"the node {self.name} is not up")
        return number


def inits_below(folder: Path) -> list[int]:
    """The first processes of all nodes whose folders lie in ``folder``, those that nobody remembers included."""
    return [pid for pid, arguments in processes.naming(folder).items() if str(_INIT) in arguments]


def _is_init(number: int, folder: Path) -> bool:
    try:
        arguments = Path("/proc", str(number), "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return processes.alive(number) and str(_INIT) in arguments and str(folder) in arguments


def forget(node: Node) -> None:
    """Remove what a node has left in its folder, so that the next one of that name begins empty."""
    shutil.rmtree(node.folder, ignore_errors=True)
