"""What calls answer, as JSON Schema: read from the declarations of the domain, for the descriptions of the API."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zun.api.derive import is_time
from zun.api.shown import Link
from zun.api.views import Shape
from zun.domain.model import MIN_VERSION, Declared, Json, Version

#: where the schemas of a document have their names
REFERENCE = "#/components/schemas/{name}"

TIME = "UTC: `YYYY-MM-DD HH:MM:SS[.ffffff]` in containers and capsules, `YYYY-MM-DDTHH:MM:SS.ffffff` elsewhere"


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
    #: of each item, besides what its shape has
    each: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inner:
    """A list of things in another one, without links of their own."""

    shape: Shape


class Changing:
    """What has changed its form: each form with the microversion from which on it is the answer, the oldest first."""

    def __init__(self, *forms: tuple[Version, Any]) -> None:
        self._forms = forms

    def at(self, version: Version) -> Any:
        """The form at a microversion; the oldest one before all."""
        return next((form for since, form in reversed(self._forms) if since <= version), self._forms[0][1])


@dataclass(frozen=True, slots=True)
class Either:
    """One form or another, as it was asked for."""

    forms: tuple[Any, ...]


#: what a route may say of its answer: a thing, a list of things, or any type that msgspec knows
Shows = Any


class Schemas:
    """The schemas of one document at one microversion, and the components that they refer to."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self.components: dict[str, Json] = {}

    def of(self, shows: Shows) -> Json:
        """The schema of an answer."""
        if isinstance(shows, Changing):
            return self.of(shows.at(self._version))
        if isinstance(shows, Either):
            return {"anyOf": [self.of(each) for each in shows.forms]}
        if isinstance(shows, Inner):
            return {"type": "array", "items": self._thing(shows.shape, links=False, more={})}
        if isinstance(shows, Many):
            item = self._thing(shows.shape, shows.links, shows.each)
            members: Json = {shows.key: {"type": "array", "items": item}}
            members |= {name: self.of(hint) for name, hint in shows.more.items()}
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
        extra = {name: self.of(hint) for name, hint in more.items()}
        if links:
            extra["links"] = self.typed(list[Link])
        return {"allOf": [thing, _object(extra)]} if extra else thing

    def _shape(self, shape: Shape) -> Json:
        shown = shape.members(self._version)
        members = {name: self.member(declared, shape.types.get(name)) for name, declared in shown.items()}
        members |= {name: self.computed(shape, name) for name in shape.computed(self._version)}
        required = [name for name in members if name not in shape.admin]
        return {"type": "object", "properties": members, "required": required}

    def computed(self, shape: Shape, name: str) -> Json:
        """The schema of a member that no column holds."""
        make = shape.computed(self._version)[name]
        said = [about_computed(make)] if about_computed(make) else []
        if shape.since(name) > MIN_VERSION:
            said.append(f"since microversion {shape.since(name)}")
        schema = self.typed(returned(make))
        return {**schema, "description": "; ".join(said)} if said else schema

    def member(self, declared: Declared, shown_as: Any = None) -> Json:
        """The schema of a field as it is shown; ``shown_as`` is its type where that says more than the field's own."""
        about = declared.field
        if is_time(declared):
            return {"type": ["string", "null"], "description": TIME}
        own = declared.type if about.show is None else returned(about.show)
        schema = self.typed(own if shown_as is None else shown_as)
        said = [about.doc] if about.doc else []
        if about.admin:
            said.append("shown to administrators only, unless the policy says otherwise")
        if about.shown_since > MIN_VERSION:
            said.append(f"since microversion {about.shown_since}")
        return {**schema, "description": "; ".join(said)} if said else schema


def about_computed(make: Callable[..., Any]) -> str:
    """What a function says of the member that it makes: the first sentence of its docstring."""
    text = "" if isinstance(make, type) else inspect.getdoc(make) or ""
    return text.partition("\n\n")[0].replace("\n", " ").rstrip(".")


def _object(members: Json) -> Json:
    return {"type": "object", "properties": members, "required": list(members)}


def returned(make: Callable[..., Any]) -> Any:
    """The type of what a function answers."""
    return make if isinstance(make, type) else inspect.signature(make, eval_str=True).return_annotation
