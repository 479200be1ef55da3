"""Requests that may be sent twice and count once (ADR 17)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from zun.domain.action import Caller
from zun.domain.model import Entity, Field

#: how long a key stands for what was made under it
LASTS = timedelta(hours=24)


class IdempotencyKey(Entity, frozen=True, kw_only=True):
    """What a project has made under a key of its own choice. There is one row at most for a project and a token."""

    project_id: Annotated[str, Field(doc="whose key it is", length=255)]
    token: Annotated[str, Field(doc="the key, as the client chose it", length=255)]
    fingerprint: Annotated[str, Field(doc="SHA-256 of the request", length=64)]
    resource_uuid: Annotated[str, Field(doc="what was made", length=36)]


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """The key that a request came with, and what the request was."""

    token: str
    fingerprint: str


def once(token: str | None, caller: Caller, kind: str, wish: Any) -> Once | None:
    """The request's key, if it has one, with the fingerprint of all that decides what is made: who asks, for what, with which values."""
    if token is None:
        return None
    whole = msgspec.json.encode([kind, caller.project_id, caller.user_id, wish], order="sorted")
    return Once(token=token, fingerprint=hashlib.sha256(whole).hexdigest())
