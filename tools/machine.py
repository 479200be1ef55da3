"""What an engine changes on a machine beyond its packages, remembered before and restored after."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tools import host_network

#: Folders that the distribution's engine fills and its removal may leave.
_FOLDERS = ("/var/lib/docker", "/var/lib/containerd", "/etc/docker", "/etc/containerd", "/run/docker", "/run/containerd")
_GROUP = "docker"


def remember() -> dict[str, Any]:
    """What is here now."""
    return {
        "folders": [folder for folder in _FOLDERS if Path(folder).exists()],
        "group": _group_exists(),
        "network": host_network.remember(),
    }


def restore(before: dict[str, Any]) -> None:
    """Take away the folders and the group that came with an engine which is uninstalled by now."""
    for folder in _FOLDERS:
        if folder not in before["folders"]:
            unmount_below(Path(folder))
            shutil.rmtree(folder, ignore_errors=True)
    if not before["group"] and _group_exists():
        subprocess.run(["groupdel", _GROUP], capture_output=True, check=False)


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted in ``folder``, the innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in points if point.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def remove_groups(ours: Callable[[str], bool], root: Path = Path("/sys/fs/cgroup")) -> None:
    """Remove the empty control groups whose name is ours, with those in them, in every hierarchy."""
    # Others make and remove groups meanwhile, so what is not there any more is not missed.
    for parent, folders, _ in os.walk(root):
        for name in filter(ours, folders):
            for group, _, _ in os.walk(Path(parent, name), topdown=False):
                with suppress(OSError):
                    Path(group).rmdir()


def _group_exists() -> bool:
    try:
        grp.getgrnam(_GROUP)
    except KeyError:
        return False
    return True
