"""How an entity's fields are declared: once, with all that any room needs to know of them.

An entity is a frozen :class:`msgspec.Struct` whose annotations carry a :class:`Field`. The request schema and the response view
(``api/derive.py``), the column (``db/tables.py``), the RPC form and the OpenAPI document are read from these declarations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import msgspec

Json = dict[str, Any]


class Version(NamedTuple):
    """A microversion of the API, ordered."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MIN_VERSION = Version(1, 1)
#: 1.40 is the last one of the service whose API this is (REST contract); what came later is described in docs/api.md.
MAX_VERSION = Version(1, 41)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's limits on what may be asked for, read from the configuration."""

    min_cpu: float = 0.1
    max_cpu: float = 16.0
    min_memory: int = 4
    max_memory: int = 8192
    min_disk: int = 1
    max_disk: int = 160
    image_drivers: Sequence[str] = ("docker",)


@dataclass(frozen=True, slots=True)
class Kind:
    """A form that a value may have in a request.

    ``schema`` gives the JSON Schema; ``load`` turns what passed it into the domain's value and raises ValueError with the rule's
    sentence where the schema language cannot say the rule.
    """

    name: str
    schema: Callable[[Bounds], Json]
    load: Callable[[Any, Bounds], Any]


#: What happens to a field that is given below its microversion: it is unknown (a schema error), or refused by name ("gate"), or
#: refused by name unless it is empty ("gate-filled"). Which one is a fact of the contract, section 2.
Below = Literal["unknown", "gate", "gate-filled"]


@dataclass(frozen=True, slots=True)
class Field:
    """All that the rooms need to know of one field."""

    doc: str = ""
    #: may be given when the resource is made, in this form (None: it may not)
    create: Kind | None = None
    #: (version, kind): below that microversion the resource is made with this other form
    older: tuple[Version, Kind] | None = None
    #: what requests call it, where that is not the field's name
    asked: str | None = None
    required: bool = False
    since: Version = MIN_VERSION
    below: Below = "unknown"
    #: may be changed by PATCH, in this form
    update: Kind | None = None
    #: appears in the resource's JSON; ``show`` turns the value into its JSON form
    shown: bool = False
    #: appears from this microversion on
    shown_since: Version = MIN_VERSION
    show: Callable[[Any], Any] | None = None
    #: appears only for who passes the rule "<resource>:get_one:<field>", and that rule's default is ADMIN
    admin: bool = False
    #: needs the rule "<resource>:create:<guard>" when given
    guard: str | None = None
    #: the list may be filtered by it
    filter: bool = False
    #: length of a text column; None is unbounded text
    length: int | None = None
    index: bool = False
    unique: bool = False
    #: the name of the entity that owns the fact; here it is only read, by way of that entity's key (``sandbox`` -> ``sandbox_uuid``)
    of: str | None = None


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """What every stored thing has. ``generation`` counts its changes; a change must name the generation it was decided on."""

    id: Annotated[int, Field(doc="the row's number, in order of making")] = 0
    uuid: Annotated[str, Field(doc="the resource's identity", shown=True, length=36, unique=True)]
    generation: Annotated[int, Field(doc="counts changes; compared and swapped")] = 0
    created_at: Annotated[datetime | None, Field(doc="when the row was written (UTC)", shown=True)] = None
    updated_at: Annotated[datetime | None, Field(doc="when the row was last changed (UTC)", shown=True)] = None


@dataclass(frozen=True, slots=True)
class Declared:
    """One field of an entity: its name, its Python type, its declaration."""

    name: str
    type: Any
    field: Field


@functools.cache
def fields(entity: type[msgspec.Struct]) -> Mapping[str, Declared]:
    """The declared fields of an entity or of a verb's arguments, in order.

    Raises TypeError for an annotation without a Field: an undeclared field would be invisible to every room.
    """
    found: dict[str, Declared] = {}
    for name, hint in get_type_hints(entity, include_extras=True).items():
        if name.startswith("__"):
            continue
        declared = next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Field)), None)
        if declared is None:
            raise TypeError(f"{entity.__name__}.{name} carries no Field")
        found[name] = Declared(name, hint.__origin__, declared)
    return found
