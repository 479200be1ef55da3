"""The revisions make the tables that are derived, on every database, to the last default."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from tests import stores
from tests.servers import Server
from zun import errors
from zun.conformance.store_fixtures import container, sandbox, written
from zun.db import engine, migrate
from zun.db.migrations.changes import add_column
from zun.db.store import SqlStore
from zun.db.tables import metadata, text
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox


class Databases:
    """Empty databases of one kind."""

    def __init__(self, kind: str, folder: Path, server: Server | None) -> None:
        self.kind, self._folder, self._server = kind, folder, server

    def empty(self, name: str) -> str:
        """A new database; answers its URL."""
        if self._server is None:
            return f"sqlite:///{self._folder}/{name}.sqlite"
        with contextlib.closing(self._server.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name}")
        return self._server.url(name)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    kind: str = request.param
    return Databases(kind, tmp_path, None if kind == "sqlite" else request.getfixturevalue(kind))


@contextlib.contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    made = engine.make(engine.parse(url))
    try:
        with made.connect() as connection:
            connection.execution_options(zun_write=True)
            yield connection
    finally:
        made.dispose()


def portrait(connection: sa.Connection) -> dict[str, Any]:
    """All that the database itself says of its tables, except alembic's own."""
    inspector = sa.inspect(connection)
    dialect = connection.dialect
    told: dict[str, Any] = {}
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        columns = [
            column | {"type": column["type"].compile(dialect), "collation": getattr(column["type"], "collation", None)}
            for column in inspector.get_columns(table)
        ]
        told[table] = {
            # in no order: a column that was added later stands last, wherever its field is declared
            "columns": sorted(columns, key=lambda each: str(each["name"])),
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": inspector.get_foreign_keys(table),
            "unique": sorted(inspector.get_unique_constraints(table), key=lambda each: str(each["name"])),
            "indexes": sorted(inspector.get_indexes(table), key=lambda each: str(each["name"])),
            "checks": inspector.get_check_constraints(table),
            "options": inspector.get_table_options(table) if dialect.name == "mysql" else {},
        }
    if dialect.name == "sqlite":
        told["autoincrement"] = sorted(
            name for name, text in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master") if "AUTOINCREMENT" in (text or "")
        )
    return told


def test_an_empty_database_is_brought_to_the_head_and_stays_there(databases: Databases) -> None:
    url = databases.empty("once")
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()


def test_the_head_is_what_is_derived(databases: Databases) -> None:
    migrated, derived = databases.empty("migrated"), databases.empty("derived")
    migrate.upgrade(migrated)
    with connected(derived) as connection:
        metadata.create_all(connection)
        connection.commit()
        expected = portrait(connection)
    with connected(migrated) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert portrait(connection) == expected
    assert set(metadata.tables) <= set(expected)


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX ix_actions_state",
        "CREATE INDEX ix_one_more ON hosts (os)",
        "ALTER TABLE hosts ADD COLUMN one_more BIGINT",
        "ALTER TABLE hosts DROP COLUMN os",
        "ALTER TABLE hosts ALTER COLUMN os TYPE VARCHAR(65)",
        "ALTER TABLE hosts ALTER COLUMN os SET DEFAULT 'Linux'",
        "ALTER TABLE hosts ALTER COLUMN os DROP NOT NULL",
        "ALTER TABLE services DROP CONSTRAINT uniq_services0host0binary",
        "ALTER TABLE containers DROP CONSTRAINT fk_containers_sandbox_uuid",
    ],
)
def test_any_difference_would_be_seen(postgresql: Server, tmp_path: Path, change: str) -> None:
    url = Databases("postgresql", tmp_path, postgresql).empty("changed")
    migrate.upgrade(url)
    with connected(url) as connection:
        before = portrait(connection)
        connection.exec_driver_sql(change)
        assert portrait(connection) != before


def test_text_is_compared_by_code_point_and_times_have_microseconds(postgresql: Server, mariadb: Server, tmp_path: Path) -> None:
    expected = {
        "postgresql": {("character varying", "C"), ("text", "C"), ("timestamp without time zone", None, 6), ("boolean", None)},
        "mariadb": {("varchar", "utf8mb4_bin"), ("mediumtext", "utf8mb4_bin"), ("datetime", None, 6), ("tinyint", None)},
    }
    for kind, server in (("postgresql", postgresql), ("mariadb", mariadb)):
        url = Databases(kind, tmp_path, server).empty("details")
        migrate.upgrade(url)
        question = sa.text(
            "SELECT data_type, collation_name, datetime_precision FROM information_schema.columns WHERE table_name <> 'alembic_version'"
            " AND table_schema IN ('public', 'details') AND data_type NOT IN ('bigint', 'double', 'double precision')"
        )
        with connected(url) as connection:
            found = {tuple(row) if row[2] is not None else tuple(row[:2]) for row in connection.execute(question)}
        assert found == expected[kind]


def test_several_processes_may_upgrade_at_once(databases: Databases) -> None:
    url = databases.empty("raced")
    program = "import sys; from zun.db import migrate; migrate.upgrade(sys.argv[1])"
    racers = [subprocess.Popen([sys.executable, "-c", program, url], env={"PYTHONPATH": ":".join(sys.path)}) for _ in range(3)]
    assert [racer.wait(60) for racer in racers] == [0, 0, 0]
    assert migrate.current(url) == migrate.head()


@pytest.mark.parametrize("databases", ["sqlite", "postgresql"], indirect=True)
def test_a_revision_that_fails_leaves_nothing_where_the_database_can_undo_it(databases: Databases) -> None:
    url = databases.empty("in_the_way")
    with connected(url) as connection:
        connection.exec_driver_sql("CREATE TABLE hosts (id INTEGER)")
        connection.commit()
    with pytest.raises(errors.ZunError):
        migrate.upgrade(url)
    with connected(url) as connection:
        assert sa.inspect(connection).get_table_names() == ["hosts"]
    assert migrate.current(url) is None


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/nowhere/a.sqlite", "mysql+pymysql://u:p@127.0.0.1:1/d", "postgresql+psycopg://u:p@127.0.0.1:1/d"):
        with pytest.raises(errors.StoreUnavailable):
            migrate.upgrade(url)
        with pytest.raises(errors.StoreUnavailable):
            migrate.current(url)


def test_a_column_added_later_is_what_is_derived_and_loses_no_row(databases: Databases) -> None:
    later = sa.MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(later)
    new = {"gpus": (sa.BigInteger(), False, "7"), "notes": (text(None), False, "'{}'"), "rack": (text(20), True, None)}
    for name, (kind, nullable, _) in new.items():
        later.tables["sandboxes"].append_column(sa.Column(name, kind, nullable=nullable))
    migrated, derived = databases.empty("old"), databases.empty("later")
    with connected(derived) as connection:
        later.create_all(connection)
        connection.commit()
        expected = portrait(connection)
    migrate.upgrade(migrated)
    store = SqlStore(migrated, stores.now)
    home = written(store, sandbox())[0]
    inside = written(store, container(home))[0]
    store.close()
    made = engine.make(engine.parse(migrated), foreign_keys=False)
    with made.connect() as connection:
        connection.execution_options(zun_write=True)
        with Operations.context(MigrationContext.configure(connection)):
            for name, (kind, nullable, fill) in new.items():
                add_column("sandboxes", sa.Column(name, kind, nullable=nullable), fill)
        connection.commit()
        assert portrait(connection) == expected
        assert connection.exec_driver_sql("SELECT gpus, notes, rack FROM sandboxes").fetchall() == [(7, "{}", None)]
    made.dispose()
    store = SqlStore(migrated, stores.now)
    with store.read() as tx:
        assert tx.get(Sandbox, home.uuid) == home
        assert tx.get(Container, inside.uuid) == inside
    store.close()
