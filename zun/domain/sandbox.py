"""The sandbox: the isolated place that owns host, network, volumes and limits, and holds one container or several."""

from __future__ import annotations

from typing import Annotated, Any

from zun.domain.model import Entity, Field


class Sandbox(Entity, frozen=True, kw_only=True):
    """Every container lives in exactly one. ``POST /containers`` makes a sandbox of one; a capsule is a sandbox of many."""

    project_id: Annotated[str, Field(length=255, index=True)]
    user_id: Annotated[str, Field(length=255)]
    host: Annotated[str | None, Field(doc="the compute host that runs it; None until placed", length=255, index=True)] = None
    requested_host: Annotated[str | None, Field(doc="the host that an administrator asked for", length=255)] = None
    availability_zone: Annotated[str | None, Field(doc="the zone asked for", length=255)] = None
    runtime: Annotated[str | None, Field(doc="the OCI runtime or runtime handler asked for", length=32)] = None
    hostname: Annotated[str | None, Field(doc="the host name inside; the engine's choice unless given", length=63)] = None
    cpu: Annotated[float, Field(doc="cores, the sum over the containers")] = 0.0
    memory: Annotated[int, Field(doc="MiB, the sum over the containers")] = 0
    disk: Annotated[int, Field(doc="GiB, the sum over the containers")] = 0
    hints: Annotated[dict[str, Any], Field(doc="scheduler hints")] = {}
    nets: Annotated[list[dict[str, Any]], Field(doc="the networks and ports asked for")] = []
    security_groups: Annotated[list[str], Field(doc="uuids of the security groups on its ports")] = []
    exposed_ports: Annotated[dict[str, Any], Field(doc="ports opened to everybody by a security group of its own")] = {}
    addresses: Annotated[dict[str, list[dict[str, Any]]], Field(doc="fixed addresses by network")] = {}
    engine_id: Annotated[str | None, Field(doc="the engine's name for it", length=255)] = None
