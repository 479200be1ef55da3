"""Tickets: who may have which stream, once."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any

from zun.domain.model import Entity, Field


class StreamKind(enum.StrEnum):
    """What a stream is of."""

    ATTACH = "attach"
    EXEC = "exec"
    LOGS = "logs"
    EVENTS = "events"


class Ticket(Entity, frozen=True, kw_only=True):
    """The right to one stream, until it is used or its time is over. Its token is known to its holder only."""

    secret: Annotated[str, Field(doc="SHA-256 of the token, in hexadecimal digits", length=64, unique=True)]
    kind: Annotated[StreamKind, Field(length=16)]
    project_id: Annotated[str, Field(length=255)]
    container_uuid: Annotated[str | None, Field(doc="None: the project's own stream", length=36, index=True)] = None
    exec_id: Annotated[str | None, Field(length=64)] = None
    expires_at: Annotated[datetime, Field(doc="worth nothing from then on (UTC)", index=True)]
    arguments: Annotated[dict[str, Any], Field(doc="what was asked of the stream, as JSON has it")] = {}
