"""The first process of a node: makes the node's namespaces, and stays so that they stay. When it is killed, all in the node ends with it.

``init.py NAME FOLDER``: prints the process number of the node once it is ready, and goes on in the background. ``FOLDER/hosts``, if it is
there, becomes the node's ``/etc/hosts``. What is written to ``/etc`` and ``/opt`` in the node is seen there alone, and goes when it goes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x04000000, 0x20000000, 0x40000000
#: Folders of the machine that the node changes for itself alone.
_OWN = ("/etc", "/opt")
#: Folders of the node's own ``/run`` that programs expect there.
_RUN = ("lock", "netns", "openvswitch")


def main(arguments: Sequence[str]) -> int:
    """Make the node, tell its number, and leave it behind."""
    name, folder = arguments[0], Path(arguments[1])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWPID | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "namespaces for a node cannot be made here")
    reader, writer = os.pipe()
    node = os.fork()
    if node == 0:
        os.close(reader)
        _furnish(name, folder)
        os.write(writer, b"ready")
        _stay(writer)
    os.close(writer)
    if os.read(reader, 5) != b"ready":
        return 1
    print(node)
    return 0


def _furnish(name: str, folder: Path) -> None:
    """What makes it look like a machine of its own: name, processes, devices of its network, runtime files."""
    socket.sethostname(name)
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "proc", "proc", "/proc")
    # A fresh sysfs shows this node's interfaces; the control groups below it are the machine's.
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")
    Path("/run/cgroup").mkdir()
    _run("mount", "--rbind", "/sys/fs/cgroup", "/run/cgroup")
    _run("mount", "-t", "sysfs", "sysfs", "/sys")
    _run("mount", "--rbind", "/run/cgroup", "/sys/fs/cgroup")
    _run("umount", "--lazy", "/run/cgroup")
    for each in _RUN:
        Path("/run", each).mkdir()
    for each in _OWN:
        if not folder.is_relative_to(each):
            _overlay(Path(each))
    if (folder / "hosts").exists():
        Path("/etc/hosts").write_text((folder / "hosts").read_text())
    _run("ip", "link", "set", "lo", "up")


def _overlay(over: Path) -> None:
    """Engines write keys and make folders in places that no option moves."""
    upper, work = (Path("/run/changes", over.name, part) for part in ("upper", "work"))
    upper.mkdir(parents=True)
    work.mkdir()
    _run("mount", "-t", "overlay", "-o", f"lowerdir={over},upperdir={upper},workdir={work}", over.name, str(over))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _stay(writer: int) -> None:
    """Reap what loses its parent, and do nothing else for ever."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(writer)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
