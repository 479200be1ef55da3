"""The event: one thing that happened to something of a project, as whoever watches it wants to hear of it."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from zun.domain.container import Container
from zun.domain.host_image import Image
from zun.domain.lifecycle import Health, Status
from zun.domain.model import Entity, Field
from zun.domain.sandbox import Sandbox


class Kind(enum.StrEnum):
    """What an event is about."""

    CONTAINER = "container"
    CAPSULE = "capsule"
    #: of a host
    IMAGE = "image"


class What(enum.StrEnum):
    """What happened."""

    #: it was accepted and is there now
    CREATED = "created"
    #: what is shown of its state has changed
    STATUS = "status"
    #: a user has changed what it is called, or what it may use
    UPDATED = "updated"
    #: something is to be done with it: an action that was accepted
    ACCEPTED = "accepted"
    #: its host has taken the action in hand
    STARTED = "started"
    #: the action has ended well
    FINISHED = "finished"
    #: the action has ended badly, or was given up
    FAILED = "failed"
    #: it is no more
    DELETED = "deleted"


def _or_null(uuid: str) -> str | None:
    return uuid or None


class Event(Entity, frozen=True, kw_only=True):
    """What happened, and what it left. ``cursor`` counts the events of one project, without gaps, in the order of their commits."""

    project_id: Annotated[str, Field(length=255)]
    cursor: Annotated[int, Field(doc="the event's number in its project: who has seen it goes on from here", shown=True)] = 0
    kind: Annotated[Kind, Field(doc="what it is about: container, capsule or image", shown=True, length=16)]
    what: Annotated[What, Field(doc="created, status, updated, accepted, started, finished, failed or deleted", shown=True, length=16)]
    resource_uuid: Annotated[str, Field(doc="of the container, capsule or image", shown=True, length=36)]
    name: Annotated[str | None, Field(doc="its name; of an image its repository and tag", shown=True, length=255)] = None
    sandbox_uuid: Annotated[
        str,
        Field(
            doc="where a container lives; of a capsule and its containers it is the capsule's uuid, of an image null",
            shown=True,
            show=_or_null,
            length=36,
        ),
    ] = ""
    action: Annotated[str | None, Field(doc="the verb that was accepted, started, finished or failed", shown=True, length=32)] = None
    status: Annotated[str | None, Field(doc="after the event", shown=True, length=20)] = None
    old_status: Annotated[str | None, Field(doc="before the event, where that is about the status", shown=True, length=20)] = None
    task_state: Annotated[str | None, Field(doc="what a host is doing with it", shown=True, length=32)] = None
    reason: Annotated[str | None, Field(doc="why it is in this status; of a failed action why that failed", shown=True)] = None
    exit_code: Annotated[int | None, Field(doc="of a container's last life", shown=True)] = None
    health: Annotated[Health | None, Field(doc="what a container's health check says", shown=True, length=16)] = None
    ready: Annotated[bool | None, Field(doc="whether the probes of a container say that it can be given work", shown=True)] = None
    restart_count: Annotated[int, Field(doc="restarts of a container by its policy since a user started it", shown=True)] = 0
    request_id: Annotated[str | None, Field(doc="the request that this is of, where there is one", shown=True, length=64)] = None


#: What a watcher sees of a container: a change of anything else is no event.
SHOWN = ("status", "status_reason", "task_state", "exit_code", "health", "ready", "restart_count", "started_at", "finished_at")


def differs(before: Container, after: Container) -> bool:
    """Whether a watcher would see the difference."""
    return any(getattr(before, name) != getattr(after, name) for name in SHOWN)


def of(container: Container, what: What, **more: Any) -> Event:
    """An event of a container as it is now."""
    facts = {
        "name": container.name,
        "sandbox_uuid": container.sandbox_uuid,
        "status": container.status.value,
        "task_state": container.task_state,
        "reason": container.status_reason,
        "exit_code": container.exit_code,
        "health": container.health,
        "ready": container.ready,
        "restart_count": container.restart_count,
    }
    return _event(Kind.CONTAINER, what, container, {**facts, **more})


def of_capsule(sandbox: Sandbox, what: What, status: Status, **more: Any) -> Event:
    """An event of a capsule, which shows this status."""
    return _event(Kind.CAPSULE, what, sandbox, {"name": sandbox.name, "sandbox_uuid": sandbox.uuid, "status": status.value, **more})


def of_image(image: Image, what: What, **more: Any) -> Event:
    """An event of an image of a host as it is now. A very long name is cut."""
    facts = {"name": image.reference[:_LONGEST], "status": image.status.value, "reason": image.status_reason}
    return _event(Kind.IMAGE, what, image, {**facts, **more})


#: characters of a name
_LONGEST = 255


def _event(kind: Kind, what: What, about: Container | Sandbox | Image, facts: dict[str, Any]) -> Event:
    return Event(uuid="", project_id=about.project_id, kind=kind, what=what, resource_uuid=about.uuid, **facts)
