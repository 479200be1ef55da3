"""What Docker and the kernel tell of the host: facts for the inventory, abilities of this engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zun import errors
from zun.drivers.runtime import docker_read
from zun.drivers.runtime.cgroup import SandboxGroups
from zun.interfaces.runtime import Capabilities, ContainerSpec, HostFacts

Json = Mapping[str, Any]

#: storage drivers that give every container a quota of its own, wherever they run
_QUOTA_DRIVERS = frozenset({"devicemapper", "btrfs", "zfs"})
_MOUNTS = Path("/proc/self/mountinfo")


def facts(info: Json) -> HostFacts:
    """The host, from ``GET /info``; the disk is the file system that the engine's root directory is on."""
    try:
        disk = shutil.disk_usage(info.get("DockerRootDir", "/")).total >> 30
    except OSError:
        disk = 0  # the engine's directory is out of our sight
    return docker_read.facts(info, disk, disk_quota(info, _mounts()))


def capabilities(info: Json, groups: SandboxGroups) -> Capabilities:
    """What this engine can do, from ``GET /info`` and the control group file system."""
    return Capabilities(
        disk_quota=disk_quota(info, _mounts()),
        sandbox_limits=info.get("CgroupDriver") == "cgroupfs" and groups.usable(),
        cpuset=bool(info.get("CPUSet", True)),
        cpu_limit=bool(info.get("CpuCfsQuota", True)),
    )


def check(spec: ContainerSpec, capabilities: Callable[[], Capabilities]) -> None:
    """Raises EngineError for what Docker would leave out with no more than a warning, because this kernel cannot do it."""
    if spec.cpuset and not capabilities().cpuset:
        raise errors.EngineError(reason="this host cannot hold a container to some of its cores: its kernel or engine has no cpusets")
    if spec.cpu_limit and not capabilities().cpu_limit:
        raise errors.EngineError(reason="this host cannot limit the use of its cores: its kernel or engine has no CFS quotas")


def disk_quota(info: Json, mountinfo: str) -> bool:
    """Whether a container's disk can be limited: some storage drivers always can; overlay2 on xfs mounted with project quotas."""
    driver = info.get("Driver")
    if driver in _QUOTA_DRIVERS:
        return True
    status = {pair[0]: pair[1] for pair in info.get("DriverStatus") or () if len(pair) == 2}
    if driver != "overlay2" or status.get("Backing Filesystem") != "xfs":
        return False
    return bool({"pquota", "prjquota"} & _options(info.get("DockerRootDir", ""), mountinfo))


def _options(directory: str, mountinfo: str) -> set[str]:
    """The mount options of the file system that a directory is on (proc(5): after " - ": type, source, options)."""
    best, found = "", set[str]()
    for line in mountinfo.splitlines():
        mount, _, rest = line.partition(" - ")
        point = mount.split()[4]
        within = directory == point or directory.startswith(point.rstrip("/") + "/")
        if within and len(point) >= len(best):
            best, found = point, set(rest.split()[2].split(",")) | set(mount.split()[5].split(","))
    return found


def _mounts() -> str:
    try:
        return _MOUNTS.read_text()
    except OSError:
        return ""
