"""What the driver needs of its host: that it reaches the storage, and that it mounts. Who does it is os-brick and the host's own commands
(:mod:`zun.drivers.volume.brick`, :mod:`zun.drivers.volume.filesystems`), or a fake in tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Connector(Protocol):
    """The way from this host to the storage. All raise VolumeFailed."""

    def properties(self) -> dict[str, Any]:
        """What the storage must know of this host."""

    def connect(self, volume_id: str, connection: Mapping[str, Any]) -> str:
        """Have the volume as a block device; may be repeated. Returns the device's path."""

    def disconnect(self, volume_id: str, connection: Mapping[str, Any]) -> None:
        """Take the device away; may be repeated."""


class Filesystems(Protocol):
    """What is on block devices, and where it is mounted. All raise OSError."""

    def kind(self, device: str) -> str | None:
        """The file system that is there, by its signature; None where there is none."""

    def is_blank(self, device: str) -> bool:
        """Whether nothing was ever written there, as far as signatures of any kind, and the first and last MiB, tell."""

    def make(self, device: str, kind: str) -> None:
        """Make a file system, whatever is there. Only for a device that was blank."""

    def is_mounted(self, place: Path) -> bool:
        """Whether something is mounted there."""

    def mount(self, device: str, place: Path, kind: str, *, read_only: bool) -> None:
        """Mount what is on the device; the place is there."""

    def make_writable(self, place: Path) -> None:
        """What is mounted there can be written from now on, if it could not."""

    def unmount(self, place: Path) -> None:
        """Take it off, written to the last byte."""
