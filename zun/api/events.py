"""The call that tells what happened (microversion 1.41)."""

from __future__ import annotations

from zun import errors
from zun.api.arguments import Events
from zun.api.call import Answer, Call
from zun.api.streams import proxy_url
from zun.api.views import Shape, exact_time
from zun.conductor import events
from zun.domain.event import Event, Kind
from zun.domain.model import Json
from zun.domain.stream import StreamKind


def _time(row: Event, _: object) -> str | None:
    """When it happened (UTC)."""
    return exact_time(row.created_at)


SHAPE = Shape(Event, without=("uuid", "created_at", "updated_at"), computed={"time": _time})


#: who hears of what: who may list it
_RULES = {Kind.CONTAINER: "container:get_all", Kind.CAPSULE: "capsule:get_all", Kind.IMAGE: "image:get_all"}

#: digits of the largest cursor
_LONGEST = 18


def shown(event: Event) -> Json:
    """An event as it is in the pages."""
    return SHAPE.view()(event, None)


def index(call: Call) -> Json | Answer:
    """``GET /events``: what happened in the caller's project after a cursor, in order; or where the stream of it is. Raises EventsGone."""
    options: Events = call.options
    limit = min(options.limit or call.parts.max_limit, call.parts.max_limit)
    where = _where(call, options)
    if call.wants_stream:
        return _stream(call, {name: list(wanted) for name, wanted in where.items()})
    with call.parts.store.read() as tx:
        found = events.after(tx, call.context.project_id or "", options.since, where, limit)
    view = SHAPE.view(version=call.version)
    return {"events": [view(row, None) for row in found.events], "cursor": found.cursor, "more": found.more}


def _where(call: Call, options: Events) -> dict[str, tuple[str, ...]]:
    """What an event must be, of what the caller may list by itself, too."""
    asked: dict[str, tuple[str, ...] | None] = {
        "resource_uuid": _both(options.container, options.image),
        "sandbox_uuid": options.capsule,
        "kind": options.kind,
        "what": options.what,
        "status": options.status,
        "action": options.action,
        "request_id": None if options.request_id is None else (options.request_id,),
    }
    allowed = tuple(kind for kind, rule in _RULES.items() if call.parts.policy.allows(rule, call.context))
    if len(allowed) < len(_RULES):
        asked["kind"] = _both(options.kind, allowed)
    return {name: wanted for name, wanted in asked.items() if wanted is not None}


def _both(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What is in both, of those that are given."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(each for each in one if each in other)


def _stream(call: Call, filters: dict[str, list[str]]) -> Answer:
    """Where the stream is, for one time. The cursor in the header is newer than the one of the address, with which a client comes again.

    Raises InvalidValue, TooManyWatchers.
    """
    cursor: int | None = call.options.since
    last = call.last_event
    if last:
        if not (last.isascii() and last.isdecimal() and len(last) <= _LONGEST):
            raise errors.InvalidValue(field="Last-Event-ID", rule="must be the cursor of an event")
        cursor = int(last)
    arguments = {"cursor": cursor, "filters": filters}
    token = call.parts.streams.issue(StreamKind.EVENTS, call.context.project_id or "", arguments=arguments)
    return Answer({}, location=proxy_url(call, "events", http=True, token=token), status=307)
