"""Conditions, order and pages, as SQL that means the same on every database."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from zun import errors
from zun.db.rows import Shape
from zun.interfaces.store import ROWS, Above, Before, Page, UpTo

Condition = sa.ColumnElement[bool]


def conditions(shape: Shape[Any], where: Mapping[str, Any]) -> list[Condition]:
    """The conditions of ``where``. Raises InvalidValue for a name that is no field."""
    return [_condition(shape, name, column(shape, name), wanted) for name, wanted in where.items()]


def column(shape: Shape[Any], name: str, told: str | None = None) -> sa.ColumnElement[Any]:
    """The column of a field. Raises InvalidValue, about ``told``, for a name that is no field."""
    if name not in shape.columns:
        raise errors.InvalidValue(field=told or name, rule=f"{shape.name} has no field '{name}'")
    return shape.columns[name]


def _condition(shape: Shape[Any], name: str, target: sa.ColumnElement[Any], wanted: Any) -> Condition:
    if wanted is None:
        return target.is_(None)
    if isinstance(wanted, Before):
        earlier: Condition = target < shape.encode(name, wanted.moment)
        return earlier
    if isinstance(wanted, Above):
        greater: Condition = target > wanted.number
        return greater
    if isinstance(wanted, UpTo):
        no_greater: Condition = target <= wanted.number
        return no_greater
    if not isinstance(wanted, tuple):
        values = _storable(shape, name, (wanted,))
        return target == _literal(target, values[0]) if values else sa.false()
    values = _storable(shape, name, tuple(each for each in wanted if each is not None))
    among: Condition = target.in_(values) if values else sa.false()
    return sa.or_(among, target.is_(None)) if None in wanted else among


def _literal(target: sa.ColumnElement[Any], value: Any) -> sa.ColumnElement[Any]:
    """The value as a parameter; SQLAlchemy would write a truth into the statement, and refuses to compare it by order."""
    return sa.literal(value, target.type)


def _storable(shape: Shape[Any], name: str, wanted: tuple[Any, ...]) -> list[Any]:
    """Those of the values that a row may have: what no column can hold (a NUL, a text too long) is not found, it is no error."""
    found = []
    for value in wanted:
        try:
            found.append(shape.encode(name, value))
        except errors.InvalidValue:
            continue
    return found


def order(shape: Shape[Any], page: Page, dialect: str) -> list[sa.ColumnElement[Any]]:
    """The order of a page: by its key, ties by ``id``, both in its direction; nulls before everything else. Raises InvalidValue."""
    key = column(shape, page.sort_key, "sort_key")
    number = shape.table.c.id
    if page.sort_key == "id":
        return [number.desc() if page.descending else number.asc()]
    first = key.desc() if page.descending else key.asc()
    if dialect == "postgresql" and page.sort_key in shape.nullable:
        # the other databases count null as the lowest value by themselves
        first = first.nulls_last() if page.descending else first.nulls_first()
    return [first, number.desc() if page.descending else number.asc()]


def is_plain(where: Mapping[str, Any]) -> bool:
    """Whether all conditions are equalities with a value: those are most, and :func:`prepared` has their statement."""
    return not any(wanted is None or isinstance(wanted, tuple | Before | Above | UpTo) for wanted in where.values())


@functools.lru_cache(maxsize=500)
def prepared(shape: Shape[Any], dialect: str, names: tuple[str, ...], sort_key: str, descending: bool, limited: bool) -> sa.Select[Any]:
    """Asks for the rows where the named fields equal what :func:`plain_values` gives, in order. It is made once: to make the statement of a
    small question takes as long as to ask it. Raises InvalidValue for a name that is no field.
    """
    equal = [target == sa.bindparam(f"at_{name}", type_=target.type) for name in names for target in (column(shape, name),)]
    statement = shape.select(dialect).where(*equal).order_by(*order(shape, Page(sort_key=sort_key, descending=descending), dialect))
    return statement.limit(sa.bindparam("most", type_=sa.Integer())) if limited else statement


def plain_values(shape: Shape[Any], where: Mapping[str, Any], page: Page) -> dict[str, Any] | None:
    """What a prepared statement is given; None where no row can have these values."""
    values: dict[str, Any] = {} if page.limit is None else {"most": page.limit}
    for name, wanted in where.items():
        storable = _storable(shape, name, (wanted,))
        if not storable:
            return None
        values[f"at_{name}"] = storable[0]
    return values


def after(shape: Shape[Any], page: Page, last: Any, last_number: int) -> Condition:
    """The rows that come strictly after the one that has ``last`` under the page's key and ``last_number`` as its ``id``."""
    key, number = shape.columns[page.sort_key], shape.table.c.id
    further = number < last_number if page.descending else number > last_number
    if page.sort_key == "id":
        return further
    if last is None:
        tie = sa.and_(key.is_(None), further)
        return tie if page.descending else sa.or_(key.is_not(None), tie)
    value = _literal(key, last)
    tie = sa.and_(key == value, further)
    if not page.descending:
        return sa.or_(key > value, tie)
    lower = sa.or_(key < value, key.is_(None)) if page.sort_key in shape.nullable else key < value
    return sa.or_(lower, tie)


def marker(shape: Shape[Any], page: Page) -> sa.Select[Any]:
    """Asks for the marker's value under the page's key, and its ``id``."""
    return (
        sa.select(column(shape, page.sort_key, "sort_key").label("last"), shape.table.c.id.label("last_number"))
        .select_from(shape.source((page.sort_key,)))
        .where(shape.table.c.uuid == page.marker)
    )


def totals(shape: Shape[Any], names: tuple[str, ...], where: Mapping[str, Any], by: str | None) -> sa.Select[Any]:
    """Asks for the sums of the named fields, with the value of ``by`` first if it is given. Raises InvalidValue for what is no number."""
    fields = [name for name in names if name != ROWS]
    for name in fields:
        if name not in shape.numbers:
            raise errors.InvalidValue(field=name, rule=f"{shape.name} has no number of this name")
    sums = [sa.func.count() if name == ROWS else sa.func.coalesce(sa.func.sum(column(shape, name)), 0) for name in names]
    group = [] if by is None else [column(shape, by)]
    source = shape.source((*fields, *where, *([by] if by is not None else [])))
    return sa.select(*group, *sums).select_from(source).where(*conditions(shape, where)).group_by(*group)


def is_storable(shape: Shape[Any], name: str, value: Any) -> bool:
    """Whether a row could have this value at all."""
    return bool(_storable(shape, name, (value,)))
