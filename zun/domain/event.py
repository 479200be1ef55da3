"""The event: one thing that happened to something of a project, as whoever watches it wants to hear of it."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from zun.domain.container import Container
from zun.domain.lifecycle import Health, Status
from zun.domain.model import Entity, Field


class Kind(enum.StrEnum):
    """What an event is about."""

    CONTAINER = "container"


class What(enum.StrEnum):
    """What happened."""

    #: it was accepted and is there now
    CREATED = "created"
    #: what is shown of its state has changed
    STATUS = "status"
    #: something is to be done with it: an action that was accepted
    ACCEPTED = "accepted"
    #: it is no more
    DELETED = "deleted"


class Event(Entity, frozen=True, kw_only=True):
    """What happened, and what it left. ``cursor`` counts the events of one project, without gaps, in the order of their commits."""

    project_id: Annotated[str, Field(length=255)]
    cursor: Annotated[int, Field(doc="the event's number in its project: who has seen it goes on from here", shown=True)] = 0
    kind: Annotated[Kind, Field(doc="what it is about: container", shown=True, length=16)]
    what: Annotated[What, Field(doc="created, status, accepted or deleted", shown=True, length=16)]
    resource_uuid: Annotated[str, Field(doc="the container's", shown=True, length=36)]
    name: Annotated[str | None, Field(doc="its name", shown=True, length=255)] = None
    sandbox_uuid: Annotated[str, Field(doc="where it lives; of a container of a capsule it is the capsule's uuid", shown=True, length=36)]
    action: Annotated[str | None, Field(doc="the verb that was accepted", shown=True, length=32)] = None
    status: Annotated[Status | None, Field(doc="of a container, after the event", shown=True, length=20)] = None
    old_status: Annotated[Status | None, Field(doc="of a container, before the event", shown=True, length=20)] = None
    task_state: Annotated[str | None, Field(doc="what a host is doing with it", shown=True, length=32)] = None
    reason: Annotated[str | None, Field(doc="why it is in this status", shown=True)] = None
    exit_code: Annotated[int | None, Field(doc="of its last life", shown=True)] = None
    health: Annotated[Health | None, Field(doc="what its health check says", shown=True, length=16)] = None
    restart_count: Annotated[int, Field(doc="restarts by its policy since a user started it", shown=True)] = 0
    request_id: Annotated[str | None, Field(doc="the request that this is of, where there is one", shown=True, length=64)] = None


#: What a watcher sees of a container: a change of anything else is no event.
SHOWN = ("status", "status_reason", "task_state", "exit_code", "health", "restart_count", "started_at", "finished_at")


def differs(before: Container, after: Container) -> bool:
    """Whether a watcher would see the difference."""
    return any(getattr(before, name) != getattr(after, name) for name in SHOWN)


def of(container: Container, what: What, **more: Any) -> Event:
    """An event of a container as it is now."""
    return Event(
        uuid="",
        project_id=container.project_id,
        kind=Kind.CONTAINER,
        what=what,
        resource_uuid=container.uuid,
        name=container.name,
        sandbox_uuid=container.sandbox_uuid,
        status=container.status,
        task_state=container.task_state,
        reason=container.status_reason,
        exit_code=container.exit_code,
        health=container.health,
        restart_count=container.restart_count,
        **more,
    )
