"""The call that tells what happened (microversion 1.41)."""

from __future__ import annotations

from typing import Any

from zun.api.arguments import Events
from zun.api.call import Call
from zun.api.views import Shape, exact_time
from zun.conductor import events
from zun.domain.event import Event
from zun.domain.model import Json


def _time(row: Event, _: object) -> str | None:
    return exact_time(row.created_at)


SHAPE = Shape(Event, without=("uuid", "created_at", "updated_at"), computed={"time": _time})


def index(call: Call) -> Json:
    """``GET /events``: what happened in the caller's project after a cursor, in order. Raises EventsGone."""
    options: Events = call.options
    limit = min(options.limit or call.parts.max_limit, call.parts.max_limit)
    chosen: dict[str, Any] = {
        "resource_uuid": options.container,
        "sandbox_uuid": options.capsule,
        "kind": options.kind,
        "what": options.what,
        "status": options.status,
    }
    where = {name: wanted for name, wanted in chosen.items() if wanted is not None}
    with call.parts.store.read() as tx:
        found = events.after(tx, call.context.project_id or "", options.since, where, limit)
    view = SHAPE.view(version=call.version)
    return {"events": [view(row, None) for row in found.events], "cursor": found.cursor, "more": found.more}
