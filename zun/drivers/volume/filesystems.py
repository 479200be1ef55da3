"""File systems on block devices, by the commands of the host (util-linux and the makers of file systems). Needs root."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

#: seconds that a command may take; a file system of terabytes is made in a few, but not on every storage
_PATIENCE = 60
_PATIENCE_MAKING = 600

_MIB = 1 << 20

#: what blkid answers where it finds nothing, and where it finds more than one thing
_NOTHING, _AMBIGUOUS = 2, 8

#: Nobody gets more rights by a program on a volume, and nobody finds a device there. A file system that is damaged is not written.
_OPTIONS = "nosuid,nodev"

_MAKERS = {
    "ext2": ("mkfs.ext2", "-q", "-F"),
    "ext3": ("mkfs.ext3", "-q", "-F"),
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}


class HostFilesystems:
    """Implements :class:`zun.drivers.volume.host.Filesystems`."""

    def kind(self, device: str) -> str | None:
        """See the Protocol. Raises OSError too where several signatures contradict each other."""
        done = _run("blkid", "--probe", "--match-tag", "TYPE", "--output", "value", device, also=(_NOTHING,))
        return done.stdout.decode(errors="replace").strip() or None

    def is_blank(self, device: str) -> bool:
        """See the Protocol."""
        if _run("blkid", "--probe", device, also=(_NOTHING, _AMBIGUOUS)).returncode != _NOTHING:
            return False
        with Path(device).open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            for begin in (0, max(0, size - _MIB)):
                file.seek(begin)
                if any(file.read(_MIB)):
                    return False
        return True

    def make(self, device: str, kind: str) -> None:
        """See the Protocol."""
        _run(*_MAKERS[kind], device, patience=_PATIENCE_MAKING)

    def is_mounted(self, place: Path) -> bool:
        """See the Protocol."""
        return os.path.ismount(place)

    def mount(self, device: str, place: Path, kind: str, *, read_only: bool) -> None:
        """See the Protocol."""
        _run("mount", "-t", kind, "-o", f"{_OPTIONS},{'ro' if read_only else 'rw'}", device, str(place))

    def make_writable(self, place: Path) -> None:
        """See the Protocol."""
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            _run("mount", "-o", "remount,rw", str(place))

    def unmount(self, place: Path) -> None:
        """See the Protocol."""
        _run("umount", str(place))


def _run(*command: str, also: tuple[int, ...] = (), patience: float = _PATIENCE) -> subprocess.CompletedProcess[bytes]:
    """Run it; ``also`` are the answers other than 0 that are none of failure. Raises OSError."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - our own words and a path
    try:
        output, complaint = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired as late:
        # Nobody waits for its end: what hangs in dead storage dies when that comes back.
        process.kill()
        raise OSError(f"{command[0]} did not end within {patience:g} s") from late
    done = subprocess.CompletedProcess(command, process.returncode, output, complaint)
    if done.returncode and done.returncode not in also:
        said = done.stderr.decode(errors="replace").strip()[:500]
        raise OSError(said or f"{command[0]} answered {done.returncode}")
    return done
