"""The action: at once the queue of work and the record of what was done."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any

import msgspec

from zun.domain.model import Entity, Field


class ActionState(enum.StrEnum):
    """Where an action stands."""

    #: accepted; a host does it once it has one, else a conductor places its sandbox first
    QUEUED = "queued"
    #: a host (or conductor) of some epoch has it in hand
    CLAIMED = "claimed"
    #: it failed, and its undoing failed too: the undoing is tried again until nothing is left
    UNDOING = "undoing"
    DONE = "done"


OPEN = (ActionState.QUEUED, ActionState.CLAIMED, ActionState.UNDOING)


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one step of the work."""

    event: str
    start_time: datetime
    #: None while the step is under way, and with it the result ("Success" or "Error")
    finish_time: datetime | None = None
    result: str | None = None
    traceback: str | None = None
    #: how far it has come, or what came of it, in a few words
    details: str | None = None


class Action(Entity, frozen=True, kw_only=True):
    """One accepted verb on one container (or on a whole sandbox: ``container_uuid`` is None then).

    Work on an image of a host has ``image_uuid``, and that uuid stands in the place of the sandbox's, too: work on one image is done in
    its order as that on one sandbox is, and waits for no sandbox.

    ``created_at`` is the start time that clients see. ``message`` is null, or "Error" when the action failed; why it failed is in the
    container's reason and in the events.
    """

    action: Annotated[str, Field(doc="the verb", shown=True, length=32)]
    sandbox_uuid: Annotated[str, Field(length=36, index=True)]
    container_uuid: Annotated[str | None, Field(doc="what it was done to", shown=True, length=36, index=True)] = None
    image_uuid: Annotated[str | None, Field(doc="the image of a host that it is about, if it is", length=36, index=True)] = None
    request_id: Annotated[str, Field(doc="of the request that asked for it", shown=True, length=64, index=True)]
    project_id: Annotated[str, Field(doc="on whose behalf", shown=True, length=255)]
    user_id: Annotated[str, Field(doc="on whose behalf", shown=True, length=255)]
    arguments: Annotated[dict[str, Any], Field(doc="the verb's arguments")] = {}
    state: Annotated[ActionState, Field(length=16, index=True)] = ActionState.QUEUED
    host: Annotated[str | None, Field(doc="whose work it is; None while no host is chosen", length=255)] = None
    epoch: Annotated[str | None, Field(doc="the life of the process that has it in hand", length=36)] = None
    attempts: Annotated[int, Field(doc="how often it was handed out")] = 0
    not_before: Annotated[datetime | None, Field(doc="not handed out earlier (UTC)")] = None
    start_time: Annotated[datetime | None, Field(doc="when it was accepted", shown=True)] = None
    finish_time: Annotated[datetime | None, Field(doc="when it ended", shown=True)] = None
    message: Annotated[str | None, Field(doc="null, or Error", shown=True, length=255)] = None
    events: Annotated[list[StepEvent], Field(doc="what became of its steps")] = []


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf something is accepted, and by which request."""

    user_id: str
    project_id: str
    request_id: str
    #: may have containers in external networks that nobody shares
    external_networks: bool = False
    #: the token of the request, for what is asked and made in its user's name before it is accepted; it is never written down
    token: str = ""

    def __repr__(self) -> str:
        return f"Caller(user_id={self.user_id!r}, project_id={self.project_id!r}, request_id={self.request_id!r})"
