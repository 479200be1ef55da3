"""Which revision a database is at, told without Alembic, is what Alembic tells."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests import stores
from zun import errors
from zun.db import migrate, revision


def test_the_newest_is_alembics_head() -> None:
    assert revision.newest() == migrate.head()


def test_a_database_is_at_the_newest_once_it_was_brought_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/zun.sqlite"
    assert not revision.is_newest(url)
    migrate.upgrade(url, "0001")
    assert not revision.is_newest(url)
    migrate.upgrade(url)
    assert revision.is_newest(url)


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '9999'", "DELETE FROM alembic_version"])
def test_a_database_of_another_release_is_not_taken_for_ours(tmp_path: Path, change: str) -> None:
    url = stores.fresh(tmp_path / "zun.sqlite")
    with sqlite3.connect(tmp_path / "zun.sqlite") as connection:
        connection.execute(change)
    assert not revision.is_newest(url)


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreUnavailable):
        revision.is_newest(f"sqlite:///{tmp_path}/nowhere/zun.sqlite")


def test_the_service_brings_along_neither_alembic_nor_an_orm() -> None:
    look = "import sys, zun.cmd.aio; print(*({'alembic', 'sqlalchemy.orm', 'mako'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
