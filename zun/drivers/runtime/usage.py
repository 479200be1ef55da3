"""What a container uses, read from the kernel's control groups and network counters by way of one of its processes.

Not from Docker: its own numbers come once a second, and 20.10 has none at all for a container whose sandbox was made without a network of
Docker's (ADR 0003). This reads version 1, version 2 and both at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zun.interfaces.runtime import Stats

#: between the two readings that a processor load is made of, in seconds
_GAP = 0.2


def measure(pid: int, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> Stats:
    """What the container of this process uses. Raises OSError when the process ends meanwhile or cannot be seen."""
    groups = _Groups.of(pid, root, proc)
    first, begun = groups.cpu_nanoseconds(), time.monotonic_ns()
    time.sleep(_GAP)
    used, passed = groups.cpu_nanoseconds() - first, time.monotonic_ns() - begun
    received, sent = net_counters(proc.joinpath(str(pid), "net/dev").read_text())
    read, written = groups.block_bytes()
    return Stats(
        cpu_percent=round(max(0.0, used / passed * 100), 2),
        memory_used=groups.memory_used(),
        memory_limit=min(groups.memory_limits(), default=0) or _all_memory(proc),
        block_read=read,
        block_written=written,
        net_received=received,
        net_sent=sent,
    )


def net_counters(table: str) -> tuple[int, int]:
    """Bytes received and sent, from the kernel's ``/proc/<pid>/net/dev``, the loopback left out."""
    received = sent = 0
    for line in table.splitlines()[2:]:
        name, _, counters = line.partition(":")
        columns = counters.split()
        if name.strip() != "lo" and len(columns) >= 9:
            received, sent = received + int(columns[0]), sent + int(columns[8])
    return received, sent


@dataclass(frozen=True, slots=True)
class _Groups:
    """The control groups of one process. The three directories are one on version 2."""

    memory: Path
    cpu: Path
    block: Path
    unified: bool

    @classmethod
    def of(cls, pid: int, root: Path, proc: Path) -> _Groups:
        """From ``/proc/<pid>/cgroup`` (cgroups(7)): lines of ``<number>:<controllers>:<path>``."""
        names: dict[str, str] = {}
        for line in proc.joinpath(str(pid), "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            names.update(dict.fromkeys(controllers.split(","), path.lstrip("/")))
        if root.joinpath("cgroup.controllers").exists():
            group = root / names[""]
            return cls(group, group, group, unified=True)
        memory, cpu, block = (root / name / names[name] for name in ("memory", "cpuacct", "blkio"))
        return cls(memory, cpu, block, unified=False)

    def cpu_nanoseconds(self) -> int:
        if self.unified:
            return _table(self.cpu / "cpu.stat")["usage_usec"] * 1000
        return int((self.cpu / "cpuacct.usage").read_text())

    def memory_used(self) -> int:
        """What the kernel would give back at need is not counted, as Docker's command line does."""
        total = int((self.memory / ("memory.current" if self.unified else "memory.usage_in_bytes")).read_text())
        return max(0, total - _table(self.memory / "memory.stat").get("inactive_file" if self.unified else "total_inactive_file", 0))

    def memory_limits(self) -> Iterator[int]:
        """Its limit and those of the groups around it, in bytes, as far as there are any."""
        if not self.unified:
            limit = _table(self.memory / "memory.stat")["hierarchical_memory_limit"]
            if limit < 1 << 60:  # the kernel's way to say "none"
                yield limit
            return
        for group in (self.memory, *self.memory.parents):
            file = group / "memory.max"
            if not file.exists():
                return
            if (text := file.read_text().strip()) != "max":
                yield int(text)

    def block_bytes(self) -> tuple[int, int]:
        """Bytes read from and written to block devices."""
        read = written = 0
        if self.unified:
            for line in (self.block / "io.stat").read_text().splitlines():
                pairs = dict(pair.split("=") for pair in line.split()[1:])
                read, written = read + int(pairs.get("rbytes", 0)), written + int(pairs.get("wbytes", 0))
            return read, written
        for line in (self.block / "blkio.throttle.io_service_bytes").read_text().splitlines():
            words = line.split()
            if len(words) == 3:
                read += int(words[2]) if words[1] == "Read" else 0
                written += int(words[2]) if words[1] == "Write" else 0
        return read, written


def _table(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}


def _all_memory(proc: Path) -> int:
    first = proc.joinpath("meminfo").read_text().splitlines()[0]
    return int(first.split()[1]) << 10
