"""SQLite for tests that open a store each: what SQLAlchemy has once made of a statement, it makes for no other store of the process again.

By itself it remembers that for each engine, which in the service is one for life; tests with a database of their own would spend a third of
their time on compiling the same statements. The connections, the files and what they are asked are SQLite's as ever.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

_STATEMENTS: LRUCache[Any, Any] = LRUCache(2000)


class Remembering(SQLiteDialect_pysqlite):
    """Each engine has one of these; for the memory of statements they are all the same."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is Remembering

    def __hash__(self) -> int:
        return hash(Remembering)

    @classmethod
    def engine_created(cls, engine: sa.Engine) -> None:
        """See SQLAlchemy."""
        engine.update_execution_options(compiled_cache=_STATEMENTS)


registry.register("sqlite.remembering", __name__, Remembering.__name__)


def remembering(url: str) -> str:
    """The URL of an SQLite database, to be opened so."""
    return url.replace("sqlite:", "sqlite+remembering:", 1)
