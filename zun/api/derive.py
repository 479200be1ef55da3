"""What the declarations of the domain mean on the wire: the schema of a request, its loading, its version gates.

A :class:`Form` is all of that for one call at one microversion. It is read from the :class:`~zun.domain.model.Field` declarations of an
entity (to make it, to change it, to filter a list of it) and of a struct of options (``api/arguments.py``).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonschema
import msgspec
from jsonschema.exceptions import ValidationError

from zun import errors
from zun.api import sentences
from zun.api.reading import excerpt
from zun.domain import kinds
from zun.domain.model import MIN_VERSION, Below, Bounds, Declared, Entity, Json, Kind, Version, fields


class Purpose(enum.Enum):
    """What a form does with an entity."""

    CREATE = "create"
    UPDATE = "update"
    FILTER = "filter"


class Strict(enum.Flag):
    """Where an unknown name is refused (REST contract, section 4, "Two kinds of check"); elsewhere it is ignored.

    QUERY refuses it in the query alone, BODY wherever it is given.
    """

    NOTHING = 0
    QUERY = enum.auto()
    BODY = enum.auto()


@dataclass(frozen=True, slots=True)
class Slot:
    """One name that a request may give. ``key`` is the domain's name for it; an ``option`` is the call's own and no field of the entity."""

    name: str
    key: str
    kind: Kind
    required: bool
    since: Version
    below: Below
    guard: str | None
    option: bool
    in_query: bool
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a request gave, as domain values: only what was given, and was not null. ``names`` are the request's own."""

    options: dict[str, Any]
    values: dict[str, Any]
    names: frozenset[str]


class Form:
    """What one call takes at one microversion."""

    def __init__(self, slots: list[Slot], bounds: Bounds, version: Version) -> None:
        #: for the descriptions of the API
        self.slots = tuple(slots)
        self._slots = {slot.name: slot for slot in slots}
        self._bounds = bounds
        self._version = version
        self.schema: Json = {
            "type": "object",
            "properties": {slot.name: slot.kind.schema(bounds) for slot in slots},
            "required": [slot.name for slot in slots if slot.required],
            "additionalProperties": False,
        }
        self._validator = STRICT(self.schema, format_checker=jsonschema.FormatChecker())

    def load(self, query: Mapping[str, str], body: Mapping[str, Any], strict: Strict) -> Loaded:
        """Merge, check and load what a request gave. Raises SchemaValidationError, InvalidValue, BadRequest."""
        if not query and not body and not self.schema["required"]:
            return Loaded({}, {}, frozenset())
        given = self._merged(query, body, strict)
        # Only the first one is looked for: a small body can have a hundred thousand of them, each with a history of its own.
        error = next(self._validator.iter_errors(given), None)
        if error is not None:
            field, rule = sentences.of(error, self._version)
            raise errors.SchemaValidationError(field=excerpt(field, 128), rule=rule)
        options: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for name, value in given.items():
            slot = self._slots[name]
            if value is None or (loaded := self._loaded(slot, value)) is None:
                continue
            (options if slot.option else values)[slot.key] = loaded
        return Loaded(options, values, frozenset(name for name, value in given.items() if value is not None))

    def guards(self, loaded: Loaded) -> list[str]:
        """The last parts of the policy rules that what was given needs besides the call's own."""
        return [slot.guard for slot in self._slots.values() if slot.guard and slot.name in loaded.names]

    def gate(self, loaded: Loaded) -> None:
        """Raises InvalidParamInVersion for something given below its microversion."""
        for name in sorted(loaded.names):
            slot = self._slots[name]
            if self._version >= slot.since:
                continue
            value = (loaded.options if slot.option else loaded.values).get(slot.key)
            if slot.below == "gate" or value:
                raise errors.InvalidParamInVersion(field=name, since=slot.since, version=self._version)

    def _merged(self, query: Mapping[str, str], body: Mapping[str, Any], strict: Strict) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, text in query.items():
            slot = self._slots.get(name)
            if slot is not None and slot.in_query:
                given[name] = text
            elif strict:
                raise errors.SchemaValidationError(field=excerpt(name), rule="is not a query parameter of this call")
        for name, value in body.items():
            if name in given:
                raise errors.BadRequest(reason=f"'{excerpt(name)}' is given in the query and in the body.")
            if name in self._slots or strict & Strict.BODY:
                given[name] = value
        return given

    def _loaded(self, slot: Slot, value: Any) -> Any:
        try:
            return slot.kind.load(value, self._bounds)
        except ValueError as error:
            raise errors.InvalidValue(field=slot.name, rule=error) from None


class Forms:
    """Every form, compiled when it is first asked for. Safe to use from several threads: at worst one is compiled twice."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._made: dict[tuple[Any, ...], Form] = {}

    def get(self, options: type[msgspec.Struct], entity: type[Entity] | None, purpose: Purpose | None, version: Version) -> Form:
        """The form that takes these options, and an entity's fields for a purpose."""
        key = (options, entity, purpose, version)
        form = self._made.get(key)
        if form is None:
            slots = _creating(options, version, option=True)
            if entity is not None:
                slots += _READ[purpose or Purpose.CREATE](entity, version)
            form = self._made.setdefault(key, Form(slots, self.bounds, version))
        return form


# --- from declarations to slots ------------------------------------------------------------------


def _creating(struct: type[msgspec.Struct], version: Version, *, option: bool = False) -> list[Slot]:
    slots = []
    for declared in fields(struct).values():
        field = declared.field
        kind = field.create
        if kind is None or (field.below == "unknown" and version < field.since):
            continue
        if field.older and version < field.older[0]:
            kind = field.older[1]
        name = field.asked or declared.name
        slots.append(
            Slot(name, declared.name, kind, field.required, field.since, field.below, field.guard, option, in_query=option, doc=field.doc)
        )
    return slots


def _updating(entity: type[Entity], version: Version) -> list[Slot]:
    return [
        Slot(name, name, declared.field.update, False, MIN_VERSION, "gate", None, option=False, in_query=True, doc=declared.field.doc)
        for name, declared in fields(entity).items()
        if declared.field.update is not None
    ]


def _filtering(entity: type[Entity], version: Version) -> list[Slot]:
    return [
        Slot(
            name,
            name,
            _filter_kind(declared),
            False,
            MIN_VERSION,
            "gate",
            None,
            option=False,
            in_query=True,
            doc="only those that have exactly this",
        )
        for name, declared in fields(entity).items()
        if declared.field.filter
    ]


_READ: Mapping[Purpose, Callable[[type[Entity], Version], list[Slot]]] = {
    Purpose.CREATE: _creating,
    Purpose.UPDATE: _updating,
    Purpose.FILTER: _filtering,
}


def _filter_kind(declared: Declared) -> Kind:
    if declared.type is bool:
        return kinds.BOOLEAN_QUERY
    return kinds.EXACT_NUMBER if declared.type is int else kinds.EXACT_TEXT


def is_time(declared: Declared) -> bool:
    """Whether a field holds a time."""
    return datetime in (declared.type, *getattr(declared.type, "__args__", ()))


# --- the validator -------------------------------------------------------------------------------


def _pattern(validator: Any, pattern: str, instance: Any, schema: Json) -> Any:
    """A pattern's ``$`` is the end of the text, as in JSON Schema's own dialect, and not also before a last newline as in Python's."""
    strict = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(instance, str) and re.search(strict, instance) is None:
        yield ValidationError(f"does not match {pattern}")


def _is_integer(checker: Any, instance: Any) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


_Draft = jsonschema.Draft202012Validator
STRICT: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    _Draft, {"pattern": _pattern}, type_checker=_Draft.TYPE_CHECKER.redefine("integer", _is_integer)
)
