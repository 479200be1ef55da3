"""What calls answer, as JSON Schema: read from the declarations of the domain, for the descriptions of the API."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zun.api.derive import is_time
from zun.api.views import Shape
from zun.domain.model import MIN_VERSION, Declared, Json, Version

#: where the schemas of a document have their names
REFERENCE = "#/components/schemas/{name}"

TIME = "UTC: `YYYY-MM-DD HH:MM:SS[.ffffff]` in containers and capsules, `YYYY-MM-DDTHH:MM:SS.ffffff` elsewhere"


class Link(msgspec.Struct, frozen=True):
    """Where a resource is."""

    href: str
    rel: str


@dataclass(frozen=True, slots=True)
class One:
    """One thing. ``under`` is the key that it stands under; ``more`` are members besides those of its shape, with their types."""

    shape: Shape
    links: bool = True
    under: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Many:
    """A list of things under a key; a paged one tells where its next part is. ``more`` are members beside the list."""

    key: str
    shape: Shape
    links: bool = False
    paged: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)


#: an object that is described in words only
AnyJson = dict[str, Any]

#: what a route may say of its answer: a thing, a list of things, or any type that msgspec knows
Shows = Any


class Schemas:
    """The schemas of one document at one microversion, and the components that they refer to."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self.components: dict[str, Json] = {}

    def of(self, shows: Shows) -> Json:
        """The schema of an answer."""
        if isinstance(shows, Many):
            item = self._thing(shows.shape, shows.links, {})
            members: Json = {shows.key: {"type": "array", "items": item}}
            members |= {name: self.typed(hint) for name, hint in shows.more.items()}
            if shows.paged:
                members["next"] = {"type": ["string", "null"], "description": "the address of the next part"}
            return _object(members)
        if isinstance(shows, One):
            thing = self._thing(shows.shape, shows.links, shows.more)
            return thing if shows.under is None else _object({shows.under: thing})
        return self.typed(shows)

    def typed(self, hint: Any) -> Json:
        """The schema of a Python type."""
        (schema,), components = msgspec.json.schema_components((hint,), ref_template=REFERENCE)
        self.components.update(components)
        return schema

    def _thing(self, shape: Shape, links: bool, more: Mapping[str, Any]) -> Json:
        if shape.name not in self.components:
            self.components[shape.name] = {}
            self.components[shape.name] = self._shape(shape)
        thing: Json = {"$ref": REFERENCE.format(name=shape.name)}
        extra = {name: self.typed(hint) for name, hint in more.items()}
        if links:
            extra["links"] = self.typed(list[Link])
        return {"allOf": [thing, _object(extra)]} if extra else thing

    def _shape(self, shape: Shape) -> Json:
        shown = shape.members(self._version)
        members = {name: self.member(declared) for name, declared in shown.items()}
        members |= {name: self.typed(returned(make)) for name, make in shape.computed(self._version).items()}
        required = [name for name in members if name not in shape.admin]
        return {"type": "object", "properties": members, "required": required}

    def member(self, declared: Declared) -> Json:
        """The schema of a field as it is shown."""
        about = declared.field
        if is_time(declared):
            return {"type": ["string", "null"], "description": TIME}
        schema = self.typed(declared.type if about.show is None else returned(about.show))
        said = [about.doc] if about.doc else []
        if about.admin:
            said.append("shown to administrators only, unless the policy says otherwise")
        if about.shown_since > MIN_VERSION:
            said.append(f"since microversion {about.shown_since}")
        return {**schema, "description": "; ".join(said)} if said else schema


def _object(members: Json) -> Json:
    return {"type": "object", "properties": members, "required": list(members)}


def returned(make: Callable[..., Any]) -> Any:
    """The type of what a function answers."""
    return make if isinstance(make, type) else inspect.signature(make, eval_str=True).return_annotation
