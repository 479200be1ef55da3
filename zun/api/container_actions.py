"""What was done to a container, and how each step of it went (REST contract, section 8)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.api.call import Call
from zun.api.reading import excerpt
from zun.api.views import Shape, exact_time
from zun.domain.action import Action, StepEvent
from zun.domain.container import Container
from zun.domain.model import Json, Version
from zun.interfaces.store import Page, Transaction, Where


def _start(row: Action, _: Any) -> str | None:
    """When it was accepted (UTC)."""
    return exact_time(row.created_at)


#: how far a step has come, or what came of it, in words
_DETAILS = Version(1, 41)

SHAPE = Shape(Action, without=("uuid", "created_at", "updated_at"), computed={"start_time": _start}, time=exact_time)


#: what is told of from microversion 1.41 on only; the contract leaves it out
_UNTOLD, _ALL_TOLD = frozenset({"resize_container"}), Version(1, 41)


def index(call: Call) -> Json:
    """``GET /containers/{id}/container_actions``: the newest first, no more than a list may hold."""
    with call.parts.store.read() as tx:
        rows = _found(tx, call.row, {}, call.parts.max_limit)
    rows = [row for row in rows if call.version >= _ALL_TOLD or row.action not in _UNTOLD]
    view = SHAPE.view(version=call.version)
    return {"containerActions": [view(row, None) for row in rows]}


def _found(tx: Transaction, container: Container, where: Where, limit: int) -> list[Action]:
    """The newest actions on a container, and those on the whole capsule that it is in, as its own."""
    page = Page(limit=limit, descending=True)
    rows = tx.find(Action, {**where, "container_uuid": container.uuid}, page)
    if not container.capsule:
        return rows
    of_all = tx.find(Action, {**where, "sandbox_uuid": container.sandbox_uuid, "container_uuid": None, "image_uuid": None}, page)
    # What was done before this one was added was not done to it.
    shared = [replace(row, container_uuid=container.uuid) for row in of_all if _since(container, row)]
    return sorted([*rows, *shared], key=lambda row: row.id, reverse=True)[:limit]


def _since(container: Container, action: Action) -> bool:
    return container.created_at is None or action.created_at is None or action.created_at >= container.created_at


def show(call: Call) -> Json:
    """``GET /containers/{id}/container_actions/{request_id}``. Raises ActionNotFound."""
    asked = call.path["request_id"]
    with call.parts.store.read() as tx:
        rows = _found(tx, call.row, {"request_id": asked}, 1)
    if not rows:
        raise errors.ActionNotFound(id=excerpt(asked))
    return {**SHAPE.view(version=call.version)(rows[0], None), "events": events(call, rows[0])}


def events(call: Call, action: Action) -> list[Json]:
    """How each step of an action went; one that is under way has neither an end nor a result."""
    traceback = call.parts.policy.allows("container:action:events", call.context)
    return [_event(event, traceback, call.version >= _DETAILS) for event in action.events]


def _event(event: StepEvent, traceback: bool, details: bool) -> Json:
    shown = {
        "event": event.event,
        "start_time": exact_time(event.start_time),
        "finish_time": exact_time(event.finish_time),
        "result": event.result,
        "traceback": event.traceback if traceback else None,
    }
    return {**shown, "details": event.details} if details else shown
