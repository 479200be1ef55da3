"""Places that the containers of one sandbox share: folders of the host, on its disk or in its memory, that live as long as the sandbox."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox

#: the folder is open to whoever a container runs as; nobody else gets as far as to it
_OPEN, _CLOSED = 0o777, 0o700

#: seconds that mount and umount may take
_PATIENCE = 30

_MIB = 1 << 20

WHY_CINDER = "this deployment has no volume service (Cinder); only volumes of type 'empty' can be made."
WHY_SIZE = "the size of a volume on the host's disk cannot be limited here; that of one with medium 'Memory' can."
MEMORY = "Memory"


class Mounts(Protocol):
    """The part of the kernel that makes a folder a place in memory."""

    def is_mounted(self, folder: Path) -> bool:
        """Whether something is mounted there."""

    def mount(self, folder: Path, size: int) -> None:
        """Mount a file system in memory of at most ``size`` bytes. Raises OSError."""

    def unmount(self, folder: Path) -> None:
        """Take it away, with all that is in it. Raises OSError."""


class KernelMounts:
    """Implements :class:`Mounts` by the commands of the host; needs root."""

    def is_mounted(self, folder: Path) -> bool:
        """Whether something is mounted there."""
        return os.path.ismount(folder)

    def mount(self, folder: Path, size: int) -> None:
        """A tmpfs that holds no programs of another user's rights and no devices."""
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0777,nosuid,nodev", "zun", str(folder))

    def unmount(self, folder: Path) -> None:
        """Take it away."""
        _run("umount", str(folder))


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603 - our own words and a number
    except subprocess.TimeoutExpired as late:
        raise OSError(f"{command[0]} did not end within {_PATIENCE} s") from late
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace").strip()[:500] or f"{command[0]} failed")


class SharedPlaces:
    """The shared volumes of all sandboxes of a host, below one folder. A volume's place is named by its number, never by its tenant."""

    def __init__(self, folder: Path, mounts: Mounts) -> None:
        self._folder = folder
        self._mounts = mounts

    def refuse(self, sandbox: Sandbox, containers: Sequence[Container]) -> None:
        """Raises NotOffered or InvalidValue for what cannot be."""
        for number, volume in enumerate(sandbox.volumes):
            if volume["type"] != "empty":
                raise errors.NotOffered(field=f"spec.volumes[{number}].{volume['type']}", why=WHY_CINDER)
            if volume.get("size") and volume.get("medium") != MEMORY:
                raise errors.NotOffered(field="volumes", why=WHY_SIZE)
        check_mounts(sandbox, containers)

    def attach(self, sandbox: Sandbox) -> dict[str, str]:
        """Make what is not there; what is there stays as its containers have left it. Raises OSError."""
        places = enumerate(sandbox.volumes)
        return {volume["name"]: str(self._made(sandbox, number, volume)) for number, volume in places if volume["type"] == "empty"}

    def detach(self, owner: str) -> None:
        """Remove the places of the sandbox of this uuid. Raises OSError for one that cannot be removed."""
        home = self._folder / owner
        for place in home.iterdir() if home.is_dir() else ():
            while self._mounts.is_mounted(place):
                self._mounts.unmount(place)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(home)

    def _made(self, sandbox: Sandbox, number: int, volume: dict[str, Any]) -> Path:
        home = self._folder / sandbox.uuid
        place = home / str(number)
        for folder, mode in ((self._folder, _CLOSED), (home, _CLOSED), (place, _OPEN)):
            if not folder.exists():
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(mode)
        if volume.get("medium") == MEMORY and not self._mounts.is_mounted(place):
            self._mounts.mount(place, int(volume.get("size") or sandbox.memory * _MIB))
        return place


def check_mounts(sandbox: Sandbox, containers: Sequence[Container]) -> None:
    """Raises InvalidValue for volumes that cannot be told apart, and for mounts of what the sandbox does not have or at a place that is
    taken."""
    names = [volume["name"] for volume in sandbox.volumes]
    if len(set(names)) < len(names):
        raise errors.InvalidValue(field="volumes", rule="must not have two volumes of the same name")
    for container in containers:
        _check_mounts_of(container, names)


def _check_mounts_of(container: Container, names: Sequence[str]) -> None:
    taken = {mount["destination"] for mount in container.mounts}
    for mount in container.volume_mounts:
        if mount["volume"] not in names:
            raise errors.InvalidValue(field="volume_mounts", rule=f"the capsule has no volume {mount['volume']!r}")
        if mount["destination"] in taken:
            raise errors.InvalidValue(field="volume_mounts", rule=f"two mounts cannot have the same destination {mount['destination']!r}")
        taken.add(mount["destination"])
