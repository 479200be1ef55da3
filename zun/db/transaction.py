"""One transaction on a connection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast
from uuid import uuid4

import msgspec
import sqlalchemy as sa

from zun import errors
from zun.db import faults, query
from zun.db.rows import PACKED, PART, SHAPES, Shape, plain_text
from zun.db.tables import LOCK_NAME_LENGTH, LOCKS
from zun.domain.event import Event
from zun.domain.model import Entity
from zun.interfaces.store import L, Page, Where

E = TypeVar("E", bound=Entity)

_EVERYTHING: Where = {}
_ALL = Page()
#: Rows come from the server as they are fetched, and not all before the first.
_PIECEMEAL = {"stream_results": True, "max_row_buffer": PART}


class SqlTransaction:
    """A transaction of :class:`~zun.db.store.SqlStore`; see :class:`zun.interfaces.store.Transaction`.

    An error of the database (Duplicate among them) ends it: some databases refuse every further statement then, so all do here. Who
    swallows such an error meets it again at the next call and at the end of the block. Writing in a transaction that was opened for
    reading is a RuntimeError. ``connect`` gives its connection, the same each time.
    """

    def __init__(self, connect: Callable[[], sa.Connection], dialect: str, clock: Callable[[], datetime], *, writes: bool) -> None:
        self._connect = connect
        self._dialect = dialect
        self._clock = clock
        self._writes = writes
        #: what ended the transaction early
        self.doom: Exception | None = None
        self._told: list[Event] = []
        self._last: dict[str, dict[str, Any]] = {}
        #: what is called once all is committed
        self.then: list[Callable[[], None]] = []

    # --- reading ---------------------------------------------------------------------------------

    def get(self, entity: type[E], uuid: str) -> E | None:
        """See the interface."""
        shape = self._shape(entity)
        if not query.is_storable(shape, "uuid", uuid):
            return None
        found = shape.build(self._rows(shape.by_uuid(self._dialect), {"at_uuid": uuid}), self._dialect)
        return found[0] if found else None

    def find(self, entity: type[E], where: Where = _EVERYTHING, page: Page = _ALL) -> list[E]:
        """See the interface. Nulls come before every other value, after them in descending order."""
        asked = self._asked(entity, where, page)
        return [] if asked is None else self._shape(entity).build(self._rows(*asked), self._dialect)

    def each(self, entity: type[E], where: Where = _EVERYTHING, page: Page = _ALL) -> Generator[E, None, None]:
        """See the interface. The order is that of :meth:`find`."""
        asked = self._asked(entity, where, page)
        if asked is None:
            return
        with contextlib.closing(self._execute(*asked, piecemeal=True)) as result:
            while rows := self._fetched(partial(result.fetchmany, PART)):
                yield from self._shape(entity).build(rows, self._dialect)

    def _asked(self, entity: type[E], where: Where, page: Page) -> tuple[sa.Executable, dict[str, Any] | None] | None:
        """The question and its values; None where no row can have what is asked for."""
        shape = self._shape(entity)
        if page.marker is None and query.is_plain(where):
            values = query.plain_values(shape, where, page)
            if values is None:
                return None
            return query.prepared(shape, self._dialect, tuple(where), page.sort_key, page.descending, page.limit is not None), values
        statement = shape.select(self._dialect).where(*query.conditions(shape, where)).order_by(*query.order(shape, page, self._dialect))
        if page.marker is not None:
            statement = statement.where(self._after(shape, page))
        if page.limit is not None:
            statement = statement.limit(page.limit)
        return statement, None

    def _after(self, shape: Shape[Any], page: Page) -> query.Condition:
        known = query.is_storable(shape, "uuid", page.marker)
        found = self._rows(query.marker(shape, page)) if known else []
        if not found:
            raise errors.MarkerNotFound(id=page.marker)
        return query.after(shape, page, *found[0])

    def count(self, entity: type[Entity], where: Where = _EVERYTHING) -> int:
        """See the interface."""
        shape = self._shape(entity)
        statement = sa.select(sa.func.count()).select_from(shape.source(where)).where(*query.conditions(shape, where))
        return int(self._rows(statement)[0][0])

    def total(
        self, entity: type[Entity], names: Sequence[str], where: Where = _EVERYTHING, by: str | None = None
    ) -> dict[Any, dict[str, float]]:
        """See the interface. The one group of no ``by`` is there even if no row is. Raises InvalidValue for a field that is no number."""
        shape = self._shape(entity)
        rows = self._rows(query.totals(shape, tuple(names), where, by))
        groups = [(None, row) if by is None else (shape.decode(by, row[0]), row[1:]) for row in rows]
        return {group: {name: float(amount) for name, amount in zip(names, sums, strict=True)} for group, sums in groups}

    # --- writing ---------------------------------------------------------------------------------

    def add(self, row: E) -> E:
        """See the interface. Raises InvalidValue for what no column can hold, StaleRow if the owner that it names does not exist."""
        shape = self._shape(type(row))
        self._must_write()
        now = self._clock()
        row = msgspec.structs.replace(row, created_at=now, updated_at=now)
        result = self._execute(shape.insert, shape.new_values(row), entity=shape.name, uuid=row.uuid)
        return msgspec.structs.replace(row, id=result.inserted_primary_key[0])

    def save(self, row: E) -> E:
        """See the interface. Fields of another entity are left as they are. Raises Duplicate and InvalidValue as :meth:`add` does."""
        shape = self._shape(type(row))
        self._must_write()
        new = msgspec.structs.replace(row, generation=row.generation + 1, updated_at=self._clock())
        at = {"at_uuid": row.uuid, "at_generation": row.generation}
        if self._execute(shape.update, shape.changed_values(new) | at, entity=shape.name, uuid=row.uuid).rowcount != 1:
            raise errors.StaleRow(entity=shape.name, id=row.uuid)
        return new

    def drop(self, row: Entity) -> None:
        """See the interface. Raises StaleRow, too, while another row is owned by this one."""
        shape = self._shape(type(row))
        self._must_write()
        at = {"at_uuid": row.uuid, "at_generation": row.generation}
        if self._execute(shape.delete, at, entity=shape.name, uuid=row.uuid).rowcount != 1:
            raise errors.StaleRow(entity=shape.name, id=row.uuid)

    def clear(self, entity: type[Entity], where: Where) -> int:
        """See the interface."""
        shape = self._shape(entity)
        self._must_write()
        statement = shape.table.delete().where(*query.conditions(shape, where))
        return int(self._execute(statement, entity=shape.name).rowcount)

    def tell(self, event: Event) -> None:
        """See the interface."""
        self._must_write()
        self._told.append(event)

    def tell_last(self, project_id: str, key: str, make: Callable[[], L]) -> L:
        """See the interface."""
        self._must_write()
        kept = self._last.setdefault(project_id, {})
        if key not in kept:
            kept[key] = make()
        return cast(L, kept[key])

    def after(self, then: Callable[[], None]) -> None:
        """See the interface."""
        self._must_write()
        self.then.append(then)

    def conclude(self) -> frozenset[str]:
        """Write what was told, as the last thing before the commit. Returns the projects that it is about. Raises LostRace.

        The last, so that who holds the lock of a project's events waits for nobody, and no deadlock can come of it (ADR 13).
        """
        projects = sorted({event.project_id for event in self._told} | set(self._last))
        return frozenset(project for project in projects if self._conclude(project))

    def _conclude(self, project: str) -> bool:
        """Whether anything is told of the project."""
        self.lock(f"events:{project}")
        told = [event for event in self._told if event.project_id == project]
        told += [event for ask in self._last.get(project, {}).values() for event in ask()]
        if told:
            self._number(told)
        return bool(told)

    def _number(self, events: list[Event]) -> None:
        shape, project, now = self._shape(Event), events[0].project_id, self._clock()
        last = sa.select(sa.func.coalesce(sa.func.max(shape.table.c.cursor), 0)).where(shape.table.c.project_id == project)
        before = int(self._rows(last)[0][0])
        given = [
            msgspec.structs.replace(event, uuid=str(uuid4()), cursor=before + place, created_at=now, updated_at=now)
            for place, event in enumerate(events, 1)
        ]
        try:
            self._execute(shape.insert, [shape.new_values(event) for event in given], entity=shape.name)
        except errors.Duplicate as raced:
            # A database of several masters keeps no lock for them all.
            raise faults.LostRace("Duplicate") from raced

    def lock(self, name: str) -> None:
        """See the interface. What is read after it is the newest. ``name`` has at most 300 characters (ValueError)."""
        self._must_write()
        plain_text(name, LOCK_NAME_LENGTH)
        if self._dialect == "sqlite":
            return  # its one writer holds every name
        held = sa.select(LOCKS.c.name).where(LOCKS.c.name == name).with_for_update()
        if not self._rows(held):
            self._execute(self._new_lock(name))
            self._rows(held)

    def _new_lock(self, name: str) -> sa.Insert:
        # Each is a megabyte, and the others are never needed.
        if self._dialect == "mysql":
            from sqlalchemy.dialects import mysql

            # INSERT IGNORE would leave a shared lock on a row that somebody else has just made, and two of those make a deadlock.
            return mysql.insert(LOCKS).values(name=name).on_duplicate_key_update(name=name)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(LOCKS).values(name=name).on_conflict_do_nothing()

    # --- statements ------------------------------------------------------------------------------

    def _shape(self, entity: type[E]) -> Shape[E]:
        return SHAPES[entity]

    def _must_write(self) -> None:
        if not self._writes:
            raise RuntimeError("this transaction was opened for reading")

    def _execute(
        self,
        statement: sa.Executable,
        values: dict[str, Any] | list[dict[str, Any]] | None = None,
        *,
        entity: str = "",
        uuid: str = "",
        piecemeal: bool = False,
    ) -> Any:
        if self.doom is not None:
            raise self.doom
        # Of MySQL's driver alone: PostgreSQL's would need a transaction for it, SQLite's does so anyway.
        options = _PIECEMEAL if piecemeal and self._dialect in PACKED else {}
        try:
            return self._send(statement, values, options)
        except faults.DatabaseError as error:
            self.doom = faults.translate(error, entity, uuid)
            raise self.doom from error

    def _send(self, statement: sa.Executable, values: dict[str, Any] | list[dict[str, Any]] | None, options: Mapping[str, Any]) -> Any:
        return self._connect().execute(statement, values, execution_options=options)

    def _rows(self, statement: sa.Executable, values: dict[str, Any] | None = None) -> Sequence[Any]:
        return self._fetched(self._execute(statement, values).fetchall)

    def _fetched(self, fetch: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        try:
            return fetch()
        except faults.DatabaseError as error:
            self.doom = faults.translate(error)
            raise self.doom from error
