"""Write docs/api.md from the table of routes and the declarations of the domain: ``python -m tools.draw_api > docs/api.md``."""

from __future__ import annotations

from collections.abc import Iterator

from tools import describe
from zun import errors
from zun.api.answers import Changing, Many, One, Schemas
from zun.api.derive import Forms, Slot
from zun.api.openapi import REASONS, in_query, statuses
from zun.api.routes import ROUTES, Route
from zun.api.templates import TEMPLATE
from zun.domain import kinds
from zun.domain.model import MAX_VERSION, MIN_VERSION, Bounds, Json, Version

HEAD = f"""# API reference

This page is written by `tools/draw_api.py` from `zun/api/routes.py` and the declarations in `zun/domain/`, by which the service itself
works. Do not edit it; `make docs` writes it anew, and a test compares. The same as OpenAPI 3.1 is served at `/openapi.json`.

Every request may name a microversion, `OpenStack-API-Version: container X.Y`, from {MIN_VERSION} (what is used without the header)
to {MAX_VERSION}. "since" says in which microversion a call, an option or a member of an answer came. What is in the query of a call that
changes something may as well be in its JSON body. Errors are `{{"errors": [{{"code", "status", "title", "detail", ...}}]}}`.
Bounds of amounts are those that a deployment has unless its operator says otherwise.
"""


def page() -> str:
    """The whole page, as markdown."""
    forms, schemas = Forms(Bounds()), Schemas(MAX_VERSION)
    lines = [HEAD, *_statuses(), ""]
    for resource in dict.fromkeys(_resource(route) for route in ROUTES):
        lines.append(f"## {resource}\n")
        for route in (route for route in ROUTES if _resource(route) == resource):
            lines += [*_call(route, forms, schemas), ""]
    lines += ["## What is shown\n", *_components(schemas)]
    lines += ["## Capsule templates\n", *_template(), "", "What a Pod may have is in [using.md](using.md#kubernetes-pods).\n"]
    return "\n".join([*lines, "## Errors\n", *_errors()])


def _statuses() -> Iterator[str]:
    yield "| Status | Because |"
    yield "|---|---|"
    for status, reason in REASONS.items():
        yield f"| {status} | {reason} |"


def _errors() -> Iterator[str]:
    """Every error that a call may answer, by its code."""
    yield "`detail` is made of these words; what stands in braces is filled in. Where it says *again*, the same call may succeed later.\n"
    yield "| Code | Status | Words |"
    yield "|---|---|---|"
    known = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ZunError)]
    for each in sorted(known, key=lambda each: each.code()):
        # What has no words of its own is a kind of errors, or told by other words; what is 500 tells clients nothing.
        if "text" in vars(each) and each.status != 500:
            yield f"| `{each.code()}` | {each.status}{' *again*' if each.retryable else ''} | {each.text} |"


def _resource(route: Route) -> str:
    return route.path.split("/")[2] if route.path.startswith("/v1/") else "discovery"


def _call(route: Route, forms: Forms, schemas: Schemas) -> Iterator[str]:
    yield f"### `{route.method} {route.path}`\n"
    yield f"{route.doc}\n"
    yield f"{_versions(route)} Answers {route.status}{_shown(route, schemas)}; else {', '.join(str(status) for status in statuses(route))}."
    if route.streams is not None:
        yield f"{route.streams} The answer is 307 then, with an address at the stream proxy that is good for one time."
    yield f"Policy rule `{route.rule}`, by default {route.who.value}.\n" if route.rule else "Anybody may call it.\n"
    newest = forms.get(route.options, route.entity, route.purpose, min(route.until, MAX_VERSION))
    if newest.slots:
        yield "| Option | Where | Type | Since | Meaning |"
        yield "|---|---|---|---|---|"
        for slot in newest.slots:
            yield from _option(route, slot, forms.bounds)


def _versions(route: Route) -> str:
    if route.until < MAX_VERSION:
        return f"From microversion {route.since} to {route.until}."
    return f"Since microversion {route.since}."


def _shown(route: Route, schemas: Schemas) -> str:
    """What the call answers, in words."""
    if route.shows is None:
        return ""
    shows = route.shows.at(min(route.until, MAX_VERSION)) if isinstance(route.shows, Changing) else route.shows
    schema = schemas.of(shows)
    if isinstance(shows, Many):
        return f" with {shows.key}, a list of {_link(shows.shape.name)}"
    if isinstance(shows, One):
        return f" with a {_link(shows.shape.name)}{_beside(shows, schema)}"
    return f" with {describe.kind(schema)}"


def _beside(shows: One, schema: Json) -> str:
    """The members that an answer has besides those of its thing."""
    more = [f"`{name}`: {describe.kind(each)}" for part in schema.get("allOf", ())[1:] for name, each in part["properties"].items()]
    return f" (besides {', '.join(more)})" if more and shows.under is None else ""


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _where(route: Route, slot: Slot) -> str:
    return "query" if route.method == "GET" or (in_query(route, slot) and not route.wrapped) else "body"


def _since(version: Version) -> str:
    return "" if version == MIN_VERSION else str(version)


def _option(route: Route, slot: Slot, bounds: Bounds) -> Iterator[str]:
    name = f"`{slot.name}`{' (required)' if slot.required else ''}"
    kind = "an object, or one as JSON text" if slot.kind is kinds.TEMPLATE else describe.kind(slot.kind.schema(bounds))
    said = slot.doc + ("; needs a right of its own" if slot.guard and "right of its own" not in slot.doc else "")
    yield f"| {name} | {_where(route, slot)} | {kind} | {_since(slot.since)} | {said} |"
    schema = slot.kind.schema(bounds)
    inner, end = (schema["items"], "[].") if "items" in schema else (schema, ".")
    for place, each, required in describe.members(inner, f"{slot.name}{end}"):
        said, since = describe.about(each)
        yield f"| `{place}`{' (required)' if required else ''} | | {describe.kind(each)} | {since} | {said} |"


def _components(schemas: Schemas) -> Iterator[str]:
    for name, schema in sorted(schemas.components.items()):
        yield f"### {name}\n"
        if "description" in schema:
            yield f"{schema['description']}\n"
        if "properties" not in schema:
            yield f"{describe.kind(schema)}\n"
            continue
        yield "| Member | Type | Since | Meaning |"
        yield "|---|---|---|---|"
        for member, each in schema["properties"].items():
            said, since = describe.about(each)
            said = said or describe.about(_referred(each, schemas.components))[0]
            yield f"| `{member}` | {describe.kind(each)} | {since} | {said} |"
        yield ""


def _referred(schema: Json, components: Json) -> Json:
    """What a member, or the items of it, are described as elsewhere."""
    name = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
    found: Json = components.get(name, {})
    return found


def _template() -> Iterator[str]:
    """The grammar of a capsule's template."""
    yield "| Member | Type | Since | Meaning |"
    yield "|---|---|---|---|"
    for place, each, required in describe.members(TEMPLATE.schema(Bounds())):
        said, since = describe.about(each)
        yield f"| `{place}`{' (required)' if required else ''} | {describe.kind(each)} | {since} | {said} |"


if __name__ == "__main__":
    print(page())
