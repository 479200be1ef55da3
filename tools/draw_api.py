"""Write docs/api.md from the table of routes and the declarations of the domain: ``python -m tools.draw_api > docs/api.md``."""

from __future__ import annotations

from collections.abc import Iterator

from zun.api.answers import Many, One, Schemas, returned
from zun.api.derive import Forms, Slot
from zun.api.openapi import statuses
from zun.api.routes import ROUTES, Route
from zun.api.views import Shape
from zun.domain.model import MAX_VERSION, MIN_VERSION, Bounds, Json, Version

HEAD = f"""# API reference

This page is written by `tools/draw_api.py` from `zun/api/routes.py` and the declarations in `zun/domain/`, by which the service itself
works. Do not edit it; `make docs` writes it anew, and a test compares. The same as OpenAPI 3.1 is served at `/openapi.json`.

Every request may name a microversion, `OpenStack-API-Version: container X.Y`, from {MIN_VERSION} (what is used without the header)
to {MAX_VERSION}. "since" says in which microversion a call, an option or a member of an answer came. What is in the query of a call that
changes something may as well be in its JSON body. Errors are `{{"errors": [{{"code", "status", "title", "detail", ...}}]}}`.
"""


def page() -> str:
    """The whole page, as markdown."""
    forms = Forms(Bounds())
    lines = [HEAD]
    shapes: dict[str, Shape] = {}
    for resource in dict.fromkeys(_resource(route) for route in ROUTES):
        lines.append(f"## {resource}\n")
        for route in (route for route in ROUTES if _resource(route) == resource):
            lines += [*_call(route, forms), ""]
            if isinstance(route.shows, One | Many):
                shapes[route.shows.shape.name] = route.shows.shape
    lines.append("## What is shown\n")
    for name, shape in sorted(shapes.items()):
        lines += [f"### {name}\n", "| Member | Type | Since | Meaning |", "|---|---|---|---|", *_members(shape), ""]
    return "\n".join(lines)


def _resource(route: Route) -> str:
    return route.path.split("/")[2] if route.path.startswith("/v1/") else "discovery"


def _call(route: Route, forms: Forms) -> Iterator[str]:
    yield f"### `{route.method} {route.path}`\n"
    yield f"{route.doc}\n"
    yield f"{_versions(route)} Answers {route.status}{_shown(route)}; else {', '.join(str(status) for status in statuses(route))}."
    if route.streams is not None:
        yield f"{route.streams} The answer is 307 then, with an address at the stream proxy that is good for one time."
    yield f"Policy rule `{route.rule}`, by default {route.who.value}.\n" if route.rule else "Anybody may call it.\n"
    newest = forms.get(route.options, route.entity, route.purpose, min(route.until, MAX_VERSION))
    if newest.slots:
        yield "| Option | Where | Type | Since | Meaning |"
        yield "|---|---|---|---|---|"
        for slot in newest.slots:
            name = f"`{slot.name}`{' (required)' if slot.required else ''}"
            yield f"| {name} | {_where(route, slot)} | {_kind(slot)} | {_since(slot.since)} | {slot.doc} |"


def _versions(route: Route) -> str:
    if route.until < MAX_VERSION:
        return f"From microversion {route.since} to {route.until}."
    return f"Since microversion {route.since}."


def _shown(route: Route) -> str:
    if isinstance(route.shows, One):
        return f" with a [{route.shows.shape.name}](#{route.shows.shape.name.lower()})"
    return f" with a list of [{route.shows.shape.name}](#{route.shows.shape.name.lower()})" if isinstance(route.shows, Many) else ""


def _where(route: Route, slot: Slot) -> str:
    return "query" if route.method == "GET" or (slot.in_query and not route.wrapped) else "body"


def _kind(slot: Slot) -> str:
    return slot.kind.name + (", needs a right of its own" if slot.guard else "")


def _since(version: Version) -> str:
    return "" if version == MIN_VERSION else str(version)


def _members(shape: Shape) -> Iterator[str]:
    schemas = Schemas(MAX_VERSION)
    for name, declared in shape.members(MAX_VERSION).items():
        about = declared.field
        said = about.doc + (" (administrators only)" if about.admin else "")
        yield f"| `{name}` | {_type(schemas.member(declared))} | {_since(about.shown_since)} | {said.strip()} |"
    for name, make in shape.computed(MAX_VERSION).items():
        yield f"| `{name}` | {_type(schemas.typed(returned(make)))} | {_since(shape.since(name))} | |"


def _type(schema: Json) -> str:
    if "$ref" in schema:
        return "one of a few words"
    found = schema.get("type") or " or ".join(_type(each) for each in schema.get("anyOf", ()))
    return " or ".join(found) if isinstance(found, list) else str(found)


if __name__ == "__main__":
    print(page())
