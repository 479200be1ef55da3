"""Compute hosts and the services on them (REST contract, sections 11 and 12)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from zun.domain.model import Entity, Field
from zun.domain.resources import Resources

COMPUTE = "zun-compute"
DEFAULT_ZONE = "nova"


class Service(Entity, frozen=True, kw_only=True):
    """A process of ours on some host, as its heartbeats tell."""

    host: Annotated[str, Field(shown=True, length=255, index=True)]
    binary: Annotated[str, Field(shown=True, length=64)]
    availability_zone: Annotated[str, Field(shown=True, length=255)] = DEFAULT_ZONE
    disabled: Annotated[bool, Field(shown=True)] = False
    disabled_reason: Annotated[str | None, Field(shown=True, length=255)] = None
    forced_down: Annotated[bool, Field(shown=True)] = False
    last_seen_up: Annotated[datetime | None, Field(shown=True)] = None
    report_count: Annotated[int, Field(shown=True)] = 0
    epoch: Annotated[str | None, Field(doc="the life of the process", length=36)] = None


def is_up(service: Service, now: datetime, service_down_time: int) -> bool:
    """Whether the service has been heard of in the last ``service_down_time`` seconds and no operator says otherwise."""
    heard = service.last_seen_up or service.created_at
    return not service.forced_down and heard is not None and abs(now - heard) <= timedelta(seconds=service_down_time)


class Host(Entity, frozen=True, kw_only=True):
    """A compute host: what it has (counted by its agent) and how far that may be overcommitted."""

    hostname: Annotated[str, Field(shown=True, length=255, unique=True)]
    mem_total: Annotated[int, Field(doc="MiB", shown=True)] = 0
    cpus: Annotated[int, Field(shown=True)] = 0
    disk_total: Annotated[int, Field(doc="GiB", shown=True)] = 0
    disk_quota_supported: Annotated[bool, Field(shown=True)] = False
    total_containers: Annotated[int, Field(doc="containers in the engine, ours and others'", shown=True)] = 0
    architecture: Annotated[str, Field(shown=True, length=32)] = ""
    os_type: Annotated[str, Field(shown=True, length=32)] = ""
    os: Annotated[str, Field(shown=True, length=64)] = ""
    kernel_version: Annotated[str, Field(shown=True, length=128)] = ""
    labels: Annotated[dict[str, str], Field(shown=True)] = {}
    runtimes: Annotated[list[str], Field(shown=True)] = []
    enable_cpu_pinning: Annotated[bool, Field(shown=True)] = False
    cpu_allocation_ratio: Annotated[float, Field()] = 16.0
    ram_allocation_ratio: Annotated[float, Field()] = 1.5
    reserved_memory: Annotated[int, Field(doc="MiB kept for the host itself")] = 0


def capacity(host: Host) -> Resources:
    """What the host's sandboxes may take together."""
    return Resources(
        cpu=host.cpus * host.cpu_allocation_ratio,
        memory=int((host.mem_total - host.reserved_memory) * host.ram_allocation_ratio),
        disk=host.disk_total,
    )
