"""Compute hosts and the services on them (REST contract, sections 11 and 12)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from zun.domain.model import Entity, Field, Version
from zun.domain.resources import Resources

COMPUTE = "zun-compute"
DEFAULT_ZONE = "nova"


class DrainState(enum.StrEnum):
    """What is being done about the containers of a host that is taken out of service, or is back."""

    #: they are stopped, and what would run all the same is stopped again, until somebody enables the host
    DRAINING = "draining"
    #: those that the drain has stopped are started again
    RESTARTING = "restarting"


class Service(Entity, frozen=True, kw_only=True):
    """A process of ours on some host, as its heartbeats tell."""

    host: Annotated[str, Field(doc="where it runs", shown=True, length=255, index=True)]
    binary: Annotated[str, Field(doc="which process it is", shown=True, length=64)]
    availability_zone: Annotated[str, Field(doc="the zone that it is in", shown=True, length=255)] = DEFAULT_ZONE
    disabled: Annotated[bool, Field(doc="gets no new work", shown=True)] = False
    disabled_reason: Annotated[str | None, Field(doc="why", shown=True, length=255)] = None
    forced_down: Annotated[bool, Field(doc="counts as down whatever it says", shown=True)] = False
    last_seen_up: Annotated[datetime | None, Field(doc="its last heartbeat", shown=True)] = None
    report_count: Annotated[int, Field(doc="its heartbeats", shown=True)] = 0
    epoch: Annotated[str | None, Field(doc="the life of the process", length=36)] = None
    heard: Annotated[int, Field(doc="the newest report of that life that has been written down")] = 0
    drain_state: Annotated[DrainState | None, Field(doc="whether its host is drained, or what was stopped is started again", length=16)] = (
        None
    )
    drain_deadline: Annotated[
        datetime | None,
        Field(doc="when the containers of the host that is drained must have been stopped", shown=True, shown_since=Version(1, 41)),
    ] = None
    drain_id: Annotated[str | None, Field(doc="the last drain, which marks what it has stopped", length=36)] = None


def is_up(service: Service, now: datetime, service_down_time: int) -> bool:
    """Whether the service has been heard of in the last ``service_down_time`` seconds and no operator says otherwise."""
    heard = service.last_seen_up or service.created_at
    return not service.forced_down and heard is not None and abs(now - heard) <= timedelta(seconds=service_down_time)


#: Since when a process would have heard of a host without a break, if that had said anything; None while it would not.
Hearing = Callable[[], datetime | None]


def always() -> datetime | None:
    """The hearing of who takes what is written of a host for all that there is to know."""
    return datetime.min


class Standing(enum.Enum):
    """What a process knows of a service."""

    UP = "up"
    #: nothing is heard of it; but nothing could have been heard for long enough to say that it is down
    SILENT = "silent"
    DOWN = "down"


def standing(service: Service, now: datetime, service_down_time: int, hearing: datetime | None) -> Standing:
    """What somebody may say of the service who has heard hosts since ``hearing`` without a break. Who is deaf calls nobody down, and who
    hears again waits for ``service_down_time`` seconds; only the operator's word holds at once."""
    if service.forced_down:
        return Standing.DOWN
    if is_up(service, now, service_down_time):
        return Standing.UP
    if hearing is None or abs(now - hearing) <= timedelta(seconds=service_down_time):
        return Standing.SILENT
    return Standing.DOWN


class Host(Entity, frozen=True, kw_only=True):
    """A compute host: what it has (counted by its agent) and how far that may be overcommitted."""

    hostname: Annotated[str, Field(doc="its name", shown=True, length=255, unique=True)]
    mem_total: Annotated[int, Field(doc="MiB", shown=True)] = 0
    cpus: Annotated[int, Field(doc="cores", shown=True)] = 0
    disk_total: Annotated[int, Field(doc="GiB", shown=True)] = 0
    disk_quota_supported: Annotated[bool, Field(doc="whether disks of containers can be bounded", shown=True)] = False
    total_containers: Annotated[int, Field(doc="containers in the engine, ours and others'", shown=True)] = 0
    architecture: Annotated[str, Field(doc="of its processors", shown=True, length=32)] = ""
    os_type: Annotated[str, Field(doc="such as linux", shown=True, length=32)] = ""
    os: Annotated[str, Field(doc="its system", shown=True, length=64)] = ""
    kernel_version: Annotated[str, Field(doc="of its kernel", shown=True, length=128)] = ""
    labels: Annotated[dict[str, str], Field(doc="of its engine", shown=True)] = {}
    runtimes: Annotated[list[str], Field(doc="OCI runtimes of its engine", shown=True)] = []
    enable_cpu_pinning: Annotated[bool, Field(doc="whether cores can be given to one container alone", shown=True)] = False
    cpu_dedicated_set: Annotated[
        list[int], Field(doc="cores that are given away, each to one container", shown=True, shown_since=Version(1, 41))
    ] = []
    cpu_shared_set: Annotated[
        list[int], Field(doc="cores that all other containers use; empty: all of them", shown=True, shown_since=Version(1, 41))
    ] = []
    numa_topology: Annotated[list[list[int]], Field(doc="the cores of each of its NUMA nodes; empty where that is not known")] = []
    cpu_allocation_ratio: Annotated[float, Field()] = 16.0
    ram_allocation_ratio: Annotated[float, Field()] = 1.5
    reserved_memory: Annotated[int, Field(doc="MiB kept for the host itself")] = 0
    reserved_cpus: Annotated[int, Field(doc="shared cores kept for the host itself")] = 0
    reserved_disk: Annotated[int, Field(doc="GiB kept for images")] = 0
    shared_with_nova: Annotated[bool, Field(doc="Nova has instances on it, and says in Placement what it has")] = False


def capacity(host: Host) -> Resources:
    """What the host's sandboxes may take together. Only shared cores may be given out several times over."""
    shared = len(host.cpu_shared_set) if host.cpu_shared_set or host.cpu_dedicated_set else host.cpus
    return Resources(
        cpu=max(0, shared - host.reserved_cpus) * host.cpu_allocation_ratio,
        memory=int((host.mem_total - host.reserved_memory) * host.ram_allocation_ratio),
        disk=max(0, host.disk_total - host.reserved_disk),
        pcpu=len(host.cpu_dedicated_set),
    )
