"""The container: every field once, what a new one starts with, and what its clients see of its age."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from zun.domain import kinds, lifecycle, structures
from zun.domain.lifecycle import Desired, Health, Status, Task
from zun.domain.model import Entity, Field, Version
from zun.domain.resources import Resources

#: the image driver whose images engines know by themselves: those of registries, and those that were made there
REGISTRIES = "docker"
#: and the one of OpenStack's image service, where there is one
GLANCE = "glance"

#: the CPU policy of who has whole cores to himself
DEDICATED = "dedicated"


class Container(Entity, frozen=True, kw_only=True):
    """One container. Fields marked ``of="sandbox"`` are facts of its sandbox, read here and written there."""

    sandbox_uuid: Annotated[str, Field(doc="the sandbox it lives in", length=36, index=True)]
    project_id: Annotated[str, Field(doc="whose it is", shown=True, filter=True, length=255, index=True)]
    user_id: Annotated[str, Field(doc="who made it", shown=True, filter=True, length=255)]
    name: Annotated[
        str, Field(doc="need not be unique", create=kinds.NAME, update=kinds.NAME, shown=True, filter=True, length=255, index=True)
    ]
    image: Annotated[str, Field(doc="image reference", create=kinds.IMAGE, required=True, shown=True, filter=True, length=255)]
    image_driver: Annotated[str, Field(doc="where the image comes from", create=kinds.IMAGE_DRIVER, shown=True, length=255)] = "docker"
    image_pull_policy: Annotated[
        str | None,
        Field(
            doc="whether the image is fetched anew", create=kinds.PULL_POLICY, shown=True, admin=True, guard="image_pull_policy", length=16
        ),
    ] = None
    registry_id: Annotated[str | None, Field(doc="uuid of the registry to pull from", shown=True, length=36, index=True)] = None
    image_uuid: Annotated[
        str | None, Field(doc="uuid of the image that it is made of: Glance's, or a commit's that its host keeps", length=36, index=True)
    ] = None
    image_digest: Annotated[
        str | None,
        Field(doc="digest of the image that it was made of, as its registry has it", shown=True, shown_since=Version(1, 41), length=135),
    ] = None
    cpu: Annotated[float, Field(doc="cores", create=kinds.CPU, update=kinds.CPU, shown=True)] = 1.0
    cpu_policy: Annotated[str, Field(doc="whether its cores are its own", create=kinds.CPU_POLICY, shown=True, length=16)] = "shared"
    cpu_limit: Annotated[float, Field(doc="cores that it may use at most, where others leave them idle; 0 is no ceiling")] = 0.0
    memory: Annotated[int, Field(doc="MiB, shown as text", create=kinds.MEMORY, update=kinds.MEMORY, shown=True, show=str, filter=True)] = (
        512
    )
    disk: Annotated[int, Field(doc="GiB", create=kinds.DISK, shown=True)] = 0
    command: Annotated[
        list[str], Field(doc="replaces the image's CMD", create=kinds.WORDS, older=(Version(1, 20), kinds.COMMAND_LINE), shown=True)
    ] = []
    entrypoint: Annotated[
        list[str], Field(doc="replaces the image's ENTRYPOINT", create=kinds.WORDS, since=Version(1, 40), shown=True)
    ] = []
    environment: Annotated[dict[str, str], Field(doc="variables of its processes", create=structures.ENVIRONMENT, shown=True)] = {}
    labels: Annotated[dict[str, str], Field(doc="the user's own words on it", create=structures.LABELS, shown=True)] = {}
    workdir: Annotated[
        str | None, Field(doc="where its command begins; the image's unless given", create=kinds.WORKDIR, shown=True, length=255)
    ] = None
    restart_policy: Annotated[
        dict[str, str],
        Field(doc="whether it is started again when it ends: `Name` and `MaximumRetryCount`", create=structures.RESTART_POLICY, shown=True),
    ] = {}
    interactive: Annotated[bool, Field(doc="standard input stays open", create=kinds.BOOLEAN, shown=True)] = False
    tty: Annotated[bool, Field(doc="has a terminal", create=kinds.BOOLEAN, shown=True)] = False
    auto_remove: Annotated[
        bool,
        Field(doc="deleted when it has ended", create=kinds.BOOLEAN_STRICT, since=Version(1, 3), below="gate", shown=True, filter=True),
    ] = False
    auto_heal: Annotated[
        bool, Field(doc="made anew when it has vanished from its engine", create=kinds.BOOLEAN, update=kinds.BOOLEAN, shown=True)
    ] = False
    privileged: Annotated[
        bool,
        Field(
            doc="may do what the host may do",
            create=kinds.BOOLEAN,
            since=Version(1, 21),
            below="gate",
            shown=True,
            admin=True,
            guard="privileged",
        ),
    ] = False
    healthcheck: Annotated[
        dict[str, Any],
        Field(
            doc="a command that tells whether it is well: `cmd` (shown as `test`), `interval` and `timeout` in seconds, `retries`",
            create=structures.HEALTHCHECK,
            since=Version(1, 22),
            below="gate-filled",
            shown=True,
        ),
    ] = {}
    mounts: Annotated[
        list[dict[str, Any]],
        Field(
            doc="volumes, and files whose content is given in Base64",
            create=structures.MOUNTS,
            older=(Version(1, 41), structures.OLDER_MOUNTS),
            since=Version(1, 11),
            below="gate-filled",
        ),
    ] = []
    ports: Annotated[list[int], Field(doc="ports that the image exposes, and those that its capsule's template names", shown=True)] = []
    init: Annotated[bool, Field(doc="it runs to its end before the capsule's regular containers begin")] = False
    position: Annotated[int, Field(doc="its place in the order in which its capsule's containers begin")] = 0
    grace: Annotated[int | None, Field(doc="seconds that it is given to end when it is stopped; the engine's choice unless given")] = None
    volume_mounts: Annotated[list[dict[str, Any]], Field(doc="its sandbox's volumes in it: volume, destination, read_only")] = []
    probes: Annotated[dict[str, Any], Field(doc="how its capsule asks whether it has started, lives, is ready")] = {}

    capsule: Annotated[bool, Field(doc="its sandbox is shown as a capsule", of="sandbox")] = False
    hostname: Annotated[
        str | None,
        Field(doc="the name that it has for itself", create=kinds.HOSTNAME, since=Version(1, 9), below="gate", shown=True, of="sandbox"),
    ] = None
    host: Annotated[str | None, Field(doc="the compute host that it is on", shown=True, admin=True, filter=True, of="sandbox")] = None
    requested_host: Annotated[
        str | None,
        Field(
            doc="the compute host that it shall be on",
            create=kinds.HOST,
            asked="host",
            since=Version(1, 39),
            guard="requested_destination",
            of="sandbox",
        ),
    ] = None
    availability_zone: Annotated[str | None, Field(doc="the zone that it shall be in", create=kinds.ZONE, of="sandbox")] = None
    runtime: Annotated[
        str | None,
        Field(
            doc="the OCI runtime",
            create=kinds.RUNTIME,
            since=Version(1, 5),
            below="gate",
            shown=True,
            admin=True,
            guard="runtime",
            of="sandbox",
        ),
    ] = None
    hints: Annotated[dict[str, Any], Field(doc="for the choice of a host", create=structures.HINTS, of="sandbox")] = {}
    nets: Annotated[list[dict[str, Any]], Field(doc="the networks or ports that it shall have", create=structures.NETS, of="sandbox")] = []
    security_groups: Annotated[list[str], Field(doc="by uuid", create=structures.SECURITY_GROUPS, shown=True, of="sandbox")] = []
    exposed_ports: Annotated[
        dict[str, Any],
        Field(doc="ports that everybody may reach", create=structures.EXPOSED_PORTS, since=Version(1, 24), below="gate", of="sandbox"),
    ] = {}
    addresses: Annotated[dict[str, list[dict[str, Any]]], Field(doc="by network", shown=True, of="sandbox")] = {}

    status: Annotated[Status, Field(doc="where it stands in its life", shown=True, filter=True, length=20)] = Status.CREATING
    status_reason: Annotated[str | None, Field(doc="why it is so", shown=True)] = None
    task_state: Annotated[Task | None, Field(doc="what a host is doing with it just now", shown=True, filter=True, length=32)] = None
    desired: Annotated[Desired, Field(doc="what the user wants of it", length=16)] = Desired.CREATED
    revision: Annotated[int, Field(doc="counts the engine objects made for it: a rebuild makes another")] = 0
    incarnation: Annotated[int, Field(doc="counts its starts, whoever made them")] = 0
    restart_count: Annotated[int, Field(doc="restarts by its policy since a user started it")] = 0
    drained: Annotated[
        str | None,
        Field(
            doc="whether it was stopped because its host was taken out of service, and nobody has started it since",
            shown=True,
            shown_since=Version(1, 41),
            show=bool,
            length=36,
        ),
    ] = None
    engine_id: Annotated[str | None, Field(doc="the engine's name for it", length=255)] = None
    exit_code: Annotated[int | None, Field(doc="of its last life")] = None
    error: Annotated[str | None, Field(doc="the engine's word on why the last life failed")] = None
    started_at: Annotated[datetime | None, Field(doc="when its last life began (UTC)")] = None
    finished_at: Annotated[datetime | None, Field(doc="when its last life ended (UTC)")] = None
    health: Annotated[
        Health | None,
        Field(
            doc="what its health check says while it runs: starting, healthy or unhealthy; null without a check",
            shown=True,
            shown_since=Version(1, 41),
            length=16,
        ),
    ] = None
    started: Annotated[bool | None, Field(doc="whether its startup probe has succeeded in this life; null without probes")] = None
    ready: Annotated[
        bool | None,
        Field(
            doc="whether its probes say that it can be given work; null without a readiness or startup probe",
            shown=True,
            shown_since=Version(1, 41),
        ),
    ] = None


def amounts(container: Container) -> Resources:
    """What it takes of its host."""
    own = container.cpu_policy == DEDICATED
    return Resources(
        cpu=0.0 if own else container.cpu,
        pcpu=int(container.cpu) if own else 0,
        memory=container.memory,
        disk=container.disk,
    )


def commit_of(container: Container) -> str | None:
    """The uuid of the commit that it is made of and that only its host has, if it is made of one."""
    return container.image_uuid if container.image_driver == REGISTRIES else None


def life(container: Container) -> lifecycle.Life:
    """The part of the container that the lifecycle decides."""
    return lifecycle.Life(**{name: getattr(container, name) for name in lifecycle.LIFE_FIELDS})


def living(container: Container, new: lifecycle.Life) -> Container:
    """The container with a new life."""
    return msgspec.structs.replace(container, **{name: getattr(new, name) for name in lifecycle.LIFE_FIELDS})


def rebuilt(container: Container, arguments: Mapping[str, Any]) -> Container:
    """The container as a rebuild with these arguments makes it: of another image, if they name one."""
    named = {name: arguments[name] for name in ("image", "image_driver", "image_uuid") if name in arguments}
    return msgspec.structs.replace(container, **named)


_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
).split()


def random_name(chance: random.Random) -> str:
    """A name for a container that was given none: ``sigma-7-container``."""
    return f"{chance.choice(_GREEK)}-{chance.randint(1, 24)}-container"


def member_name(capsule: str, chance: random.Random) -> str:
    """A name for a container of a capsule (its name, or uuid): ``capsule-web-sigma-7``."""
    return f"capsule-{capsule[:200]}-{chance.choice(_GREEK)}-{chance.randint(1, 24)}"


def status_detail(container: Container, now: datetime) -> str | None:
    """The status in the words that Docker's users know: ``Up 5 mins``, ``Exited(1) 3 hours ago (error)``."""
    failed = " (error)" if container.error else ""
    match container.status:
        case Status.RUNNING if container.started_at:
            return f"Up {_age(container.started_at, now)}{_HEALTH[container.health]}"
        case Status.PAUSED if container.started_at:
            return f"Up {_age(container.started_at, now)} (paused)"
        case Status.STOPPED if container.finished_at:
            return f"Exited({container.exit_code}) {_age(container.finished_at, now)} ago{failed or ' '}"
        case Status.CREATED | Status.RESTARTING | Status.DEAD:
            return container.status.value
        case _:
            return None


#: as "docker ps" has it
_HEALTH = {None: "", Health.STARTING: " (health: starting)", Health.HEALTHY: " (healthy)", Health.UNHEALTHY: " (unhealthy)"}


def _age(since: datetime, now: datetime) -> str:
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("days", 86_400), ("hours", 3_600), ("mins", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
