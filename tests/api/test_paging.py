"""A list is made whole before any of it is sent."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.api.edge import Edge, error
from zun.api.app import LISTS_AT_ONCE


def test_a_list_that_fails_in_the_middle_is_an_error_and_leaves_a_place_for_the_next(edge: Edge) -> None:
    rows = [edge.add_container(f"c{number}") for number in range(250)]
    path = edge.store._engine.url.database

    def write(labels: str) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE containers SET labels = ? WHERE uuid = ?", (labels, rows[-1].uuid))
            database.commit()

    write("{")
    for _ in range(LISTS_AT_ONCE + 1):
        answer = edge("GET", "/v1/containers")
        assert answer.status_code == 500
        error(answer)
    write("{}")
    assert len(edge("GET", "/v1/containers").json["containers"]) == len(rows)
