from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.edge import Edge
from zun.db.store import SqlStore


@pytest.fixture
def edge(sqlite_store: SqlStore, tmp_path: Path) -> Edge:
    """The API with one compute host and nothing else."""
    made = Edge(sqlite_store, tmp_path)
    made.add_host()
    return made
