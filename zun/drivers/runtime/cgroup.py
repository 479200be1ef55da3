"""A control group around a whole sandbox, for its limits: its containers get it as parent.

Only where the engine manages control groups as plain directories (Docker's driver "cgroupfs"), on version 1, version 2 or both at once.
"""

from __future__ import annotations

import errno
import time
from pathlib import Path

from zun.drivers.runtime.docker_spec import shares, swap_limit

_MIB = 1 << 20
#: how long the kernel may take to let go of a group whose last process has just ended, in seconds
_PATIENCE = 2.0


class SandboxGroups:
    """The groups ``/zun-<deployment>/<sandbox uuid>`` under one control group file system."""

    def __init__(self, deployment: str, root: Path = Path("/sys/fs/cgroup"), memory_swap: int = -1) -> None:
        self._root = root
        self._memory_swap = memory_swap
        self._parent = f"zun-{deployment}"

    def usable(self) -> bool:
        """Whether limits on memory and processor can be set here by this process."""
        if self._unified():
            controllers = self._root.joinpath("cgroup.controllers").read_text().split()
            return {"cpu", "memory"} <= set(controllers) and _writable(self._root)
        return all(_writable(self._root / name) for name in ("cpu", "memory"))

    def path(self, uuid: str) -> str:
        """The group's name, as the engine wants it."""
        return f"/{self._parent}/{uuid}"

    def ensure(self, uuid: str, cpu: float, memory: int) -> str:
        """Make the group and set its limits (cores, MiB; 0 is none). Returns its name. Raises OSError."""
        if self._unified():
            group = self._root / self._parent / uuid
            group.mkdir(parents=True, exist_ok=True)
            for above in (self._root, self._root / self._parent, group):
                above.joinpath("cgroup.subtree_control").write_text("+cpu +memory")
        else:
            for name in ("memory", "cpu"):
                self._root.joinpath(name, self._parent, uuid).mkdir(parents=True, exist_ok=True)
        self.limit(uuid, cpu, memory)
        return self.path(uuid)

    def limit(self, uuid: str, cpu: float, memory: int) -> None:
        """Set the limits of a group (0 leaves one as it is); nothing where there is no group. Raises OSError."""
        together = swap_limit(memory, self._memory_swap)
        if self._unified():
            group = self._root / self._parent / uuid
            if memory and group.is_dir():
                group.joinpath("memory.max").write_text(str(memory * _MIB))
                _write(group / "memory.swap.max", "max" if together < 0 else str(together - memory * _MIB))
            if cpu and group.is_dir():
                group.joinpath("cpu.weight").write_text(str(weight(cpu)))
            return
        group = self._root / "memory" / self._parent / uuid
        if memory and group.is_dir():
            _hold(group / "memory.limit_in_bytes", memory * _MIB, group / "memory.memsw.limit_in_bytes", together)
        group = self._root / "cpu" / self._parent / uuid
        if cpu and group.is_dir():
            group.joinpath("cpu.shares").write_text(str(shares(cpu)))

    def remove(self, uuid: str) -> None:
        """Remove the group wherever the engine made it; none there is success. Raises OSError while processes are in it."""
        hierarchies = (
            [self._root] if self._unified() else [path for path in self._root.iterdir() if path.is_dir() and not path.is_symlink()]
        )
        for hierarchy in hierarchies:
            _remove(hierarchy / self._parent / uuid)

    def _unified(self) -> bool:
        return self._root.joinpath("cgroup.controllers").exists()


def weight(cpu: float) -> int:
    """Version 2's weight for so many cores, by the kernel's and runc's own rule from version 1's shares."""
    return 1 + ((min(shares(cpu), 262_144) - 2) * 9999) // 262_142


def _write(file: Path, value: str) -> None:
    """Set a limit that kernels without swap accounting do not know."""
    if file.exists():
        file.write_text(value)


def _hold(file: Path, limit: int, with_swap: Path, together: int) -> None:
    """Set both limits of version 1, of which the first is never above the second: the second comes first where it would be in the way."""
    in_the_way = with_swap.exists() and int(with_swap.read_text()) < limit
    if in_the_way:
        with_swap.write_text(str(together))
    file.write_text(str(limit))
    if not in_the_way:
        _write(with_swap, str(together))


def _remove(group: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            for below in [path for path in group.iterdir() if path.is_dir()] if group.is_dir() else []:
                _remove(below)
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _writable(path: Path) -> bool:
    """Whether a group can be made here: asked by making one, since file modes tell nothing of a read-only mount."""
    probe = path / f"zun-probe-{time.monotonic_ns()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True
