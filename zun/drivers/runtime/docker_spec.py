"""What Docker is asked to make: the bodies of ``POST /containers/create``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zun.domain import cpuset as cpusets
from zun.drivers.runtime import labels
from zun.drivers.runtime.pause import image as pause
from zun.interfaces.runtime import ContainerSpec, SandboxSpec

Json = dict[str, Any]

_MIB = 1 << 20
_SECOND = 1_000_000_000
#: the weight of one core, and the least that the kernel takes
_SHARES, _LEAST_SHARES = 1024, 2
#: what a ceiling on the use of cores is counted in, and the least that the kernel takes (microseconds)
_PERIOD, _LEAST_QUOTA = 100_000, 1_000


@dataclass(frozen=True, slots=True)
class Guards:
    """What keeps one container from filling its host. ``pids`` processes and threads; a log of ``log_files`` files of ``log_size`` MiB
    each. 0 is no limit, for the log the engine's own."""

    pids: int = 4096
    log_size: int = 100
    log_files: int = 2

    def host_config(self) -> Json:
        """In Docker's terms."""
        found: Json = {"PidsLimit": self.pids} if self.pids else {}
        if self.log_size:
            found["LogConfig"] = {"Type": "json-file", "Config": {"max-size": f"{self.log_size}m", "max-file": str(self.log_files)}}
        return found


def sandbox_name(uuid: str) -> str:
    """The engine's name for a sandbox; it keeps two processes from making it twice."""
    return f"zun-sandbox-{uuid}"


def container_name(uuid: str, revision: int) -> str:
    """The engine's name for a container. A rebuild's new one stands beside the old one, so it needs another name."""
    return f"zun-{uuid}-{revision}" if revision else f"zun-{uuid}"


def joined(pause_id: str) -> str:
    """Docker's word for a namespace that is another container's."""
    return f"container:{pause_id}"


def sandbox(spec: SandboxSpec, deployment: str, cgroup_parent: str | None) -> Json:
    """The pause container: it may do nothing but wait, and lends its namespaces.

    A sandbox without a network is made with networking disabled: it gets a network namespace all the same, and Docker saves two
    executions of itself that ``--network none`` costs.
    """
    host: Json = {
        "IpcMode": "shareable",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "LogConfig": {"Type": "none"},
    }
    if spec.runtime:
        host["Runtime"] = spec.runtime
    if cgroup_parent:
        host["CgroupParent"] = cgroup_parent
    body: Json = {
        "Image": pause.REFERENCE,
        "Labels": labels.write(deployment, labels.Mark(spec.uuid, None, 0)),
        "HostConfig": host,
    }
    if spec.hostname:
        body["Hostname"] = spec.hostname
    if spec.network == "none":
        body["NetworkDisabled"] = True
    return body


def container(spec: ContainerSpec, deployment: str, pause_id: str, cgroup_parent: str | None, memory_swap: int, disk_quota: bool) -> Json:
    """A container in its sandbox's network and IPC namespaces; its PID namespace is its own unless it shares. Docker restarts nothing."""
    host: Json = {
        "NetworkMode": joined(pause_id),
        "IpcMode": joined(pause_id),
        "Privileged": spec.privileged,
        "Mounts": [{"Type": "bind", "Source": bind.source, "Target": bind.destination, "ReadOnly": bind.read_only} for bind in spec.binds],
        **limits(spec.cpu or None, spec.memory or None, memory_swap, spec.cpuset or None),
        **ceiling(spec.cpu_limit),
    }
    if spec.share_process_namespace:
        host["PidMode"] = joined(pause_id)
    if spec.disk and disk_quota:
        host["StorageOpt"] = {"size": f"{spec.disk}G"}
    if spec.runtime:
        host["Runtime"] = spec.runtime
    if cgroup_parent:
        host["CgroupParent"] = cgroup_parent
    body: Json = {
        "Image": spec.image,
        "Labels": labels.write(deployment, labels.Mark(spec.sandbox_uuid, spec.uuid, spec.revision), spec.labels),
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "OpenStdin": spec.interactive,
        "Tty": spec.tty,
        "HostConfig": host,
    }
    # What is not given is the image's own.
    given = {"Cmd": spec.command, "Entrypoint": spec.entrypoint, "WorkingDir": spec.workdir, "Healthcheck": _health(spec.healthcheck)}
    body.update({key: value for key, value in given.items() if value})
    return body


def limits(cpu: float | None, memory: int | None, memory_swap: int, cpuset: Sequence[int] | None = None) -> Json:
    """Limits in Docker's terms; what is None stays as it is. ``memory_swap`` (MiB) is memory and swap together; -1 is no limit and 0 is
    Docker's own rule, twice the memory."""
    found: Json = {}
    if cpuset is not None:
        found["CpusetCpus"] = cpusets.text(cpuset)
    if cpu is not None:
        found["CpuShares"] = shares(cpu)
    if memory is not None:
        found["Memory"] = memory * _MIB
        found["MemorySwap"] = swap_limit(memory, memory_swap)
    return found


def ceiling(cpu_limit: float) -> Json:
    """The most of all cores that may be used, in Docker's terms: so long in each period. (Its ``NanoCpus`` are the same, but are refused
    where they are more than the host has.)"""
    if not cpu_limit:
        return {}
    return {"CpuPeriod": _PERIOD, "CpuQuota": max(_LEAST_QUOTA, round(cpu_limit * _PERIOD))}


def swap_limit(memory: int, memory_swap: int) -> int:
    """What may be used of memory and swap together, in bytes (-1: no limit), where so much memory (MiB) may be used."""
    swap = memory_swap or 2 * memory
    return -1 if swap < 0 else max(swap, memory) * _MIB


def shares(cpu: float) -> int:
    """The kernel's weight for so many cores."""
    return max(_LEAST_SHARES, round(_SHARES * cpu))


def _health(check: Json) -> Json | None:
    """A health check in Docker's terms: seconds become nanoseconds. Without a test it is the image's own test, at another pace."""
    found: Json = {"Test": ["CMD-SHELL", check["test"]]} if check.get("test") else {}
    for ours, theirs, unit in (("interval", "Interval", _SECOND), ("timeout", "Timeout", _SECOND), ("retries", "Retries", 1)):
        if check.get(ours) is not None:
            found[theirs] = int(check[ours]) * unit
    return found or None
