"""The tables, read from the entities of the domain.

A field becomes a column of its type; a field that is ``of`` another entity becomes none, it is read from its owner's row by way of the
key ``<owner>_uuid``. What the databases do differently is levelled here: text compares by code point everywhere (MySQL and MariaDB:
utf8mb4_bin; PostgreSQL: "C"; SQLite does by itself), times keep their microseconds, whole numbers have 64 bits, unbounded text really
is (MySQL's TEXT ends at 64 KiB), and numbers of deleted rows are not given out again.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from zun.domain.action import Action
from zun.domain.container import Container
from zun.domain.event import Event
from zun.domain.host import Host, Service
from zun.domain.host_image import Image
from zun.domain.idempotency import IdempotencyKey
from zun.domain.model import Declared, Entity, fields
from zun.domain.quota import ClassLimit, ProjectLimit
from zun.domain.registry import Registry
from zun.domain.sandbox import Sandbox
from zun.domain.stream import Ticket
from zun.domain.volume import Leaving, MadeVolume

#: Every stored entity and the name of its table. Owners come before what they own.
TABLE_NAMES: Mapping[type[Entity], str] = {
    Sandbox: "sandboxes",
    Container: "containers",
    Action: "actions",
    Service: "services",
    Host: "hosts",
    ProjectLimit: "project_limits",
    ClassLimit: "class_limits",
    Event: "events",
    Registry: "registries",
    Image: "images",
    IdempotencyKey: "idempotency_keys",
    Ticket: "tickets",
    MadeVolume: "made_volumes",
    Leaving: "leavings",
}

#: What must be unique in combination; a single field says so itself.
UNIQUE_TOGETHER: Mapping[type[Entity], Sequence[tuple[str, ...]]] = {
    Service: (("host", "binary"),),
    ProjectLimit: (("project_id", "resource"),),
    ClassLimit: (("class_name", "resource"),),
    IdempotencyKey: (("project_id", "token"),),
    Event: (("project_id", "cursor"),),
}

#: What is looked for in combination: a host's open actions, among all that it has ever done.
INDEXED_TOGETHER: Mapping[type[Entity], Sequence[tuple[str, ...]]] = {Action: (("host", "state"),)}

#: by the name that ``Field.of`` uses
OWNERS: Mapping[str, type[Entity]] = {entity.__name__.lower(): entity for entity in TABLE_NAMES}

LOCK_NAME_LENGTH = 300

#: InnoDB for transactions; utf8mb4_bin so that names and ids are compared as they are written
MYSQL_TABLE: Mapping[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

metadata = sa.MetaData()


@dataclass(frozen=True, slots=True)
class Form:
    """How a field's Python type is stored: as ``base`` (str, int, float, bool, datetime, a StrEnum), or as JSON text when that is None."""

    base: type | None
    nullable: bool


def form(hint: Any) -> Form:
    """The form of a field's type. ``X | None`` is a nullable X; whatever is no scalar is JSON."""
    nullable = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not types.NoneType]
        nullable = len(options) < len(typing.get_args(hint))
        hint = options[0] if len(options) == 1 else None
    if hint in (str, int, float, bool, datetime) or (isinstance(hint, type) and issubclass(hint, enum.StrEnum)):
        return Form(hint, nullable)
    return Form(None, nullable)


def text(length: int | None) -> sa.types.TypeEngine[Any]:
    """Text that is compared by code point; unbounded where ``length`` is None."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.MEDIUMTEXT(), "mysql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time with microseconds, UTC, without a zone."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def row_number() -> sa.types.TypeEngine[Any]:
    """A primary key that counts by itself; SQLite does so only for its own INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _type(declared: Declared) -> sa.types.TypeEngine[Any]:
    base = form(declared.type).base
    if base is None:
        return text(None)
    if issubclass(base, str):
        return text(declared.field.length)
    if base is datetime:
        return moment()
    numeric: dict[type, sa.types.TypeEngine[Any]] = {bool: sa.Boolean(), int: sa.BigInteger(), float: sa.Double()}
    return numeric[base]


def _unique(table: str, names: tuple[str, ...]) -> sa.UniqueConstraint:
    # oslo.db reads the columns of a violated constraint from a name of this pattern, on databases that report nothing but the name.
    return sa.UniqueConstraint(*names, name="0".join((f"uniq_{table}", *names)))


def _table(entity: type[Entity], name: str) -> sa.Table:
    columns: list[sa.Column[Any]] = [sa.Column("id", row_number(), primary_key=True, autoincrement=True)]
    constraints: list[sa.Constraint] = []
    indexes: list[sa.Index] = []
    owners: list[str] = []
    for declared in fields(entity).values():
        if declared.name == "id":
            continue
        if declared.field.of is not None:
            owners += [declared.field.of] * (declared.field.of not in owners)
            continue
        columns.append(sa.Column(declared.name, _type(declared), nullable=form(declared.type).nullable))
        if declared.field.unique:
            constraints.append(_unique(name, (declared.name,)))
        if declared.field.index:
            indexes.append(sa.Index(f"ix_{name}_{declared.name}", declared.name))
    constraints += [_unique(name, names) for names in UNIQUE_TOGETHER.get(entity, ())]
    indexes += [sa.Index("_".join((f"ix_{name}", *names)), *names) for names in INDEXED_TOGETHER.get(entity, ())]
    for owner in owners:
        key, target = f"{owner}_uuid", TABLE_NAMES[OWNERS[owner]]
        constraints.append(sa.ForeignKeyConstraint([key], [f"{target}.uuid"], name=f"fk_{name}_{key}"))
    table = sa.Table(name, metadata, *columns, *constraints, *indexes, **MYSQL_TABLE)
    sa.event.listen(table, "before_create", _count_by_itself)
    return table


def _count_by_itself(table: sa.Table, connection: sa.Connection, **_: Any) -> None:
    # To say it of the table loads what there is of SQLite, in every process, where hardly one makes tables.
    if connection.dialect.name == "sqlite":
        table.dialect_options["sqlite"]["autoincrement"] = True


TABLES: Mapping[type[Entity], sa.Table] = {entity: _table(entity, name) for entity, name in TABLE_NAMES.items()}

#: one row per name that ``Transaction.lock`` was ever asked for
LOCKS = sa.Table("locks", metadata, sa.Column("name", text(LOCK_NAME_LENGTH), primary_key=True), **MYSQL_TABLE)
