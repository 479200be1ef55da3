"""Nested documents (capsule templates, Kubernetes manifests): which members they have, and what each becomes.

A grammar is declared as data: an :class:`Object` has members, a :class:`Many` items, a :class:`Leaf` a form of ``zun/domain/kinds.py`` or
``structures.py``. Every error names the field by its place in the document: ``spec.containers[1].image``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from zun import errors
from zun.api import sentences
from zun.api.derive import STRICT
from zun.api.reading import Place, excerpt, path
from zun.domain.model import MAX_VERSION, MIN_VERSION, Bounds, Json, Kind, Version


class Reader:
    """Reads documents within the operator's bounds, at one microversion. Not shared between requests."""

    def __init__(self, bounds: Bounds, version: Version) -> None:
        self.bounds = bounds
        self.version = version
        self._formats = jsonschema.FormatChecker()

    def check(self, schema: Json, value: Any, place: Place) -> None:
        """Raises SchemaValidationError where the value breaks the schema."""
        error: ValidationError | None = next(STRICT(schema, format_checker=self._formats).iter_errors(value), None)
        if error is not None:
            error.path.extendleft(reversed(place))
            named, rule = sentences.of(error, self.version)
            raise errors.SchemaValidationError(field=excerpt(named, 255), rule=rule)

    def leaf(self, kind: Kind, value: Any, place: Place) -> Any:
        """What a value of this kind means. Raises SchemaValidationError, InvalidValue."""
        self.check(kind.schema(self.bounds), value, place)
        try:
            return kind.load(value, self.bounds)
        except ValueError as error:
            raise wrong(place, error) from None


def wrong(place: Place, rule: object) -> errors.InvalidValue:
    """The error of a rule that no schema says."""
    return errors.InvalidValue(field=excerpt(path(place), 255), rule=rule)


def refused(place: Place, why: str) -> errors.NotOffered:
    """The error of something that is understood, and cannot be honoured."""
    return errors.NotOffered(field=excerpt(path(place), 255), why=why)


class Node:
    """A part of a grammar."""

    def read(self, value: Any, place: Place, reader: Reader) -> Any:
        """What the value means; None where it says nothing. Raises SchemaValidationError, InvalidValue, NotOffered."""
        raise NotImplementedError

    def schema(self, bounds: Bounds, version: Version = MAX_VERSION) -> Json:
        """The JSON Schema of the form at a microversion, for documents about the API."""
        raise NotImplementedError


@dataclass(frozen=True)
class Leaf(Node):
    """A value in one of the forms of the domain."""

    kind: Kind

    def read(self, value: Any, place: Place, reader: Reader) -> Any:
        """The kind decides what null means."""
        return reader.leaf(self.kind, value, place)

    def schema(self, bounds: Bounds, version: Version = MAX_VERSION) -> Json:
        """The kind's own."""
        return self.kind.schema(bounds)


@dataclass(frozen=True)
class Many(Node):
    """A list of at most ``most`` items."""

    of: Node
    most: int
    least: int = 0
    null: bool = True

    def read(self, value: Any, place: Place, reader: Reader) -> list[Any]:
        """What each item means, in order; null is an empty list where it may be."""
        reader.check(self._form(), value, place)
        return [self.of.read(item, (*place, number), reader) for number, item in enumerate(value or ())]

    def schema(self, bounds: Bounds, version: Version = MAX_VERSION) -> Json:
        """A list."""
        return {**self._form(), "items": self.of.schema(bounds, version)}

    def _form(self) -> Json:
        return {"type": ["array", "null"] if self.null else "array", "minItems": self.least, "maxItems": self.most}


@dataclass(frozen=True)
class Only(Node):
    """A member that may only say what is so anyway."""

    values: tuple[Any, ...]
    why: str

    def read(self, value: Any, place: Place, reader: Reader) -> None:
        """Nothing. Raises NotOffered for any other value; 1, 1.0 and true are three values."""
        if not any(type(value) is type(each) and value == each for each in self.values):
            raise refused(place, self.why)

    def schema(self, bounds: Bounds, version: Version = MAX_VERSION) -> Json:
        """The values."""
        return {"enum": list(self.values), "description": f"may say nothing else: {self.why}"}


@dataclass(frozen=True)
class Refused(Only):
    """A member that this service knows and cannot honour. Empty, it asks for nothing and may stand."""

    values: tuple[Any, ...] = (None, "", [], {})
    why: str = ""


@dataclass(frozen=True)
class Member:
    """A member of an object. ``doc`` says what becomes of it; ``key`` is what it is called once read."""

    node: Node
    doc: str = ""
    required: bool = False
    #: below this microversion it is an extra member
    since: Version = MIN_VERSION


@dataclass(frozen=True)
class Object(Node):
    """An object. ``extra`` says whether members that the grammar does not know are tolerated, without any effect.

    With ``null_is_absent`` a member that is null counts as not given, as Kubernetes has it; else its kind decides.
    """

    members: Mapping[str, Member]
    extra: bool = False
    null_is_absent: bool = False
    null: bool = False
    unknown: str = "is not known here"
    most: int = field(default=1000)

    def read(self, value: Any, place: Place, reader: Reader) -> Json:
        """What each member means that was given and says something."""
        reader.check({"type": ["object", "null"] if self.null else "object", "maxProperties": self.most}, value, place)
        value = value or {}
        known = {name: each for name, each in self.members.items() if reader.version >= each.since}
        self._check_names(value, known, place)
        found: Json = {}
        for name, item in value.items():
            member = known.get(name)
            if member is None or (item is None and self.null_is_absent):
                continue
            loaded = member.node.read(item, (*place, name), reader)
            if loaded is not None:
                found[name] = loaded
        return found

    def _check_names(self, value: Json, known: Mapping[str, Member], place: Place) -> None:
        for name in value:
            if name not in known and not self.extra:
                raise errors.SchemaValidationError(field=excerpt(path((*place, excerpt(name))), 255), rule=self.unknown)
        for name, member in known.items():
            if member.required and (name not in value or (value[name] is None and self.null_is_absent)):
                raise errors.SchemaValidationError(field=excerpt(path((*place, name)), 255), rule="is required")

    def schema(self, bounds: Bounds, version: Version = MAX_VERSION) -> Json:
        """An object, with what becomes of each of its members."""
        known = {name: member for name, member in self.members.items() if version >= member.since}
        return {
            "type": ["object", "null"] if self.null else "object",
            "properties": {name: _described(member, member.node.schema(bounds, version)) for name, member in known.items()},
            "required": [name for name, member in known.items() if member.required],
            "additionalProperties": self.extra,
        }


def _described(member: Member, schema: Json) -> Json:
    said = [member.doc] if member.doc else []
    if member.since > MIN_VERSION:
        said.append(f"since microversion {member.since}")
    return {**schema, "description": "; ".join(said)} if said else schema
