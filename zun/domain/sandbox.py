"""The sandbox: the isolated place that owns host, network, volumes and limits, and holds one container or several. Shown as a capsule
(REST contract, section 9) where it was asked for as one."""

from __future__ import annotations

from typing import Annotated, Any

from zun.domain.model import Entity, Field


class Sandbox(Entity, frozen=True, kw_only=True):
    """Every container lives in exactly one. ``POST /containers`` makes a sandbox of one; a capsule is a sandbox of many."""

    project_id: Annotated[str, Field(doc="whose it is", shown=True, length=255, index=True)]
    user_id: Annotated[str, Field(doc="who made it", shown=True, length=255)]
    capsule: Annotated[bool, Field(doc="it was asked for as a capsule, and is shown as one")] = False
    name: Annotated[str | None, Field(doc="the capsule's name", shown=True, length=255, index=True)] = None
    labels: Annotated[dict[str, str], Field(doc="the capsule's labels", shown=True)] = {}
    annotations: Annotated[dict[str, str], Field(doc="the capsule's annotations", shown=True)] = {}
    restart_policy: Annotated[dict[str, str], Field(doc="of its containers, unless they say otherwise", shown=True)] = {}
    share_process_namespace: Annotated[bool, Field(doc="its containers see each other's processes")] = False
    volumes: Annotated[list[dict[str, Any]], Field(doc="named places that its containers share: name, type, medium, size (bytes)")] = []
    host: Annotated[
        str | None, Field(doc="the compute host that runs it; None until placed", shown=True, admin=True, length=255, index=True)
    ] = None
    requested_host: Annotated[str | None, Field(doc="the host that an administrator asked for", length=255)] = None
    availability_zone: Annotated[str | None, Field(doc="the zone asked for", length=255)] = None
    runtime: Annotated[str | None, Field(doc="the OCI runtime or runtime handler asked for", length=32)] = None
    hostname: Annotated[str | None, Field(doc="the host name inside; the engine's choice unless given", length=63)] = None
    cpu: Annotated[float, Field(doc="cores that it takes of its host", shown=True)] = 0.0
    pcpu: Annotated[int, Field(doc="whole cores that it takes of its host for itself, which `cpu` does not count")] = 0
    cpuset: Annotated[list[int], Field(doc="those cores, in the order in which it got them: all that it may be running on")] = []
    memory: Annotated[int, Field(doc="MiB that it takes of its host, shown as text", shown=True, show=str)] = 0
    disk: Annotated[int, Field(doc="GiB that it takes of its host")] = 0
    hints: Annotated[dict[str, Any], Field(doc="scheduler hints")] = {}
    nets: Annotated[list[dict[str, Any]], Field(doc="the networks and ports asked for")] = []
    security_groups: Annotated[list[str], Field(doc="uuids of the security groups on its ports")] = []
    exposed_ports: Annotated[dict[str, Any], Field(doc="ports opened to everybody by a security group of its own")] = {}
    addresses: Annotated[dict[str, list[dict[str, Any]]], Field(doc="fixed addresses by network", shown=True)] = {}
    engine_id: Annotated[str | None, Field(doc="the engine's name for it", length=255)] = None


def own_cores(sandbox: Sandbox, cpu: float) -> list[int]:
    """The cores that a container of so many cores of its own runs on: those that its sandbox got first."""
    return sandbox.cpuset[: int(cpu)]


def device_of(sandbox: Sandbox, container_uuid: str) -> str:
    """What a sandbox is to the network service: the uuid that its user knows, as the ports' ``device_id``."""
    return sandbox.uuid if sandbox.capsule else container_uuid
