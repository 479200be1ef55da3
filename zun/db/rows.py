"""From rows to entities and back, prepared once per entity, because a list of a thousand is made of tens of thousands of values."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from zun import errors
from zun.db.tables import OWNERS, TABLES, form
from zun.domain.model import Declared, Entity, fields

E = TypeVar("E", bound=Entity)

Encode = Callable[[Any], Any]
#: works on a whole column, so that the loop runs in C
Decode = Callable[[Iterable[Any]], Iterable[Any]]

#: chosen by the store, never by who calls it
GIVEN = ("id", "created_at", "updated_at")

#: How many rows are made into entities at a time. What lies between them is several times as large, and of a whole list it would be
#: megabytes, which the process keeps.
PART = 100

#: where a row comes in one piece
PACKED = frozenset({"mysql", "mariadb"})

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(list[Any]).decode


class Shape(Generic[E]):
    """An entity's columns, statements and conversions."""

    def __init__(self, entity: type[E]) -> None:
        self.entity = entity
        self.name = entity.__name__
        self.table = TABLES[entity]
        declared = fields(entity)
        self.own = tuple(name for name, each in declared.items() if each.field.of is None)
        self.columns: Mapping[str, sa.ColumnElement[Any]] = {name: _column(self.table, each) for name, each in declared.items()}
        self.nullable = frozenset(name for name, each in declared.items() if form(each.type).nullable)
        self.numbers = frozenset(name for name, each in declared.items() if form(each.type).base in (int, float))
        self.joined = _joined(self.table, {each.field.of for each in declared.values() if each.field.of is not None})
        every = sa.select(*self.columns.values()).select_from(self.joined)
        packed = sa.select(_pack(self.columns.values())).select_from(self.joined)
        self._select = {True: packed, False: every}
        at_uuid = self.table.c.uuid == sa.bindparam("at_uuid")
        self._by_uuid = {is_packed: select.where(at_uuid) for is_packed, select in self._select.items()}
        at = (self.table.c.uuid == sa.bindparam("at_uuid"), self.table.c.generation == sa.bindparam("at_generation"))
        changeable = [name for name in self.own if name not in ("id", "uuid", "created_at")]
        self.insert = self.table.insert()
        self.update = self.table.update().where(*at).values({name: sa.bindparam(name) for name in changeable})
        self.delete = self.table.delete().where(*at)
        self._changeable = changeable
        self._encode = {name: _encoder(each) for name, each in declared.items()}
        self._decode = {name: decode for name, each in declared.items() if (decode := _decoder(each)) is not None}
        self._places = [(place, self._decode[name]) for place, name in enumerate(self.columns) if name in self._decode]
        self._unpack = [(place, unpack) for place, name in enumerate(self.columns) if (unpack := _unpacker(declared[name])) is not None]

    def source(self, names: Iterable[str]) -> sa.FromClause:
        """The least that must be read for these fields: the entity's own table, or that with its owners."""
        return self.table if all(name in self.own for name in names) else self.joined

    def select(self, dialect: str) -> sa.Select[Any]:
        """Every column of every row, for :meth:`build`.

        MySQL's driver is pure Python, and takes most of the time of a list to make values of columns. There all columns of a row come as
        one, an array in JSON, which takes a quarter of that.
        """
        return self._select[dialect in PACKED]

    def by_uuid(self, dialect: str) -> sa.Select[Any]:
        """The same, of the row whose uuid is ``at_uuid``."""
        return self._by_uuid[dialect in PACKED]

    def build(self, rows: Sequence[Sequence[Any]], dialect: str) -> list[E]:
        """The entities of rows that the ``select`` of the same dialect gave."""
        return [entity for start in range(0, len(rows), PART) for entity in self._built(rows[start : start + PART], dialect)]

    def _built(self, rows: Sequence[Sequence[Any]], dialect: str) -> list[E]:
        columns: list[Iterable[Any]]
        if dialect in PACKED:
            columns = list(zip(*[_from_json(text) for (text,) in rows], strict=True))
            for place, unpack in self._unpack:
                columns[place] = unpack(columns[place])
        else:
            columns = list(zip(*rows, strict=True))
        for place, decode in self._places:
            columns[place] = decode(columns[place])
        names, make = tuple(self.columns), self.entity
        return [make(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]

    def encode(self, name: str, value: Any) -> Any:
        """A field's value as the database takes it. Raises InvalidValue for what the column cannot hold, on every database alike."""
        try:
            return self._encode[name](value)
        except (ValueError, TypeError, msgspec.MsgspecError) as cause:
            raise errors.InvalidValue(field=name, rule=str(cause)) from cause

    def decode(self, name: str, value: Any) -> Any:
        """A field's value from the database's."""
        if name not in self._decode:
            return value
        return next(iter(self._decode[name]((value,))))

    def new_values(self, row: E) -> dict[str, Any]:
        """What an insert writes. Raises InvalidValue."""
        return {name: self.encode(name, getattr(row, name)) for name in self.own if name != "id"}

    def changed_values(self, row: E) -> dict[str, Any]:
        """What an update writes. Raises InvalidValue."""
        return {name: self.encode(name, getattr(row, name)) for name in self._changeable}


def _column(table: sa.Table, declared: Declared) -> sa.ColumnElement[Any]:
    home = table if declared.field.of is None else TABLES[OWNERS[declared.field.of]]
    column: sa.ColumnElement[Any] = home.c[declared.name]
    return column


def _joined(table: sa.Table, owners: Iterable[str]) -> sa.FromClause:
    source: sa.FromClause = table
    for owner in sorted(owners):
        home = TABLES[OWNERS[owner]]
        source = source.join(home, table.c[f"{owner}_uuid"] == home.c.uuid)
    return source


# --- towards the database ------------------------------------------------------------------------


def _encoder(declared: Declared) -> Encode:
    kind = form(declared.type)
    base, length = kind.base, declared.field.length
    encode: Encode
    if base is None:
        encode = _json_text
    elif issubclass(base, enum.StrEnum):
        members = base

        def encode(value: Any) -> str:
            return str(members(value).value)
    elif base is str:

        def encode(value: Any) -> str:
            return plain_text(value, length)
    else:
        encode = {int: _whole, float: _number, bool: _truth, datetime: _time}[base]
    if not kind.nullable:
        return encode
    return lambda value: None if value is None else encode(value)


def _json_text(value: Any) -> str:
    if value is None:
        raise ValueError("must not be null")
    return _to_json(value).decode()


def plain_text(value: Any, length: int | None) -> str:
    """The text, if every database can hold it. Raises ValueError for one that is too long, has a NUL or is no Unicode."""
    if not isinstance(value, str):
        raise TypeError("must be text")
    if length is not None and len(value) > length:
        raise ValueError(f"must not be longer than {length} characters")
    if "\0" in value:
        raise ValueError("must not contain NUL")
    if not value.isascii():
        value.encode()
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("must be a whole number of 64 bits")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def _time(value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise ValueError("must be a time in UTC without a zone")
    return value


# --- from the database ---------------------------------------------------------------------------


def _pack(columns: Iterable[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    packed: sa.ColumnElement[Any] = sa.func.json_array(*columns, type_=sa.Text())
    return packed


def _unpacker(declared: Declared) -> Decode | None:
    """What makes the values that the driver would have given of those in JSON; None where they are the same."""
    makers: dict[type | None, Callable[[Any], Any]] = {bool: bool, float: float, datetime: datetime.fromisoformat}
    make = makers.get(form(declared.type).base)
    if make is None:
        return None
    return lambda column: [None if value is None else make(value) for value in column]


def _decoder(declared: Declared) -> Decode | None:
    """None where what the database's driver gives is the value already."""
    base = form(declared.type).base
    if base is None:
        return _json_decoder(declared.type)
    if issubclass(base, enum.StrEnum):
        members: dict[Any, Any] = {member.value: member for member in base} | {None: None}
        return lambda column: map(members.__getitem__, column)
    return None


def _json_decoder(hint: Any) -> Decode:
    parse = msgspec.json.Decoder(hint).decode

    def decode(column: Iterable[Any]) -> Iterable[Any]:
        # Most are empty; a new empty one each, because two entities must not share what one of them might change.
        return [{} if text == "{}" else [] if text == "[]" else None if text is None else parse(text) for text in column]

    return decode


SHAPES: Mapping[type[Entity], Shape[Any]] = {entity: Shape(entity) for entity in TABLES}
