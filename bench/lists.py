"""Lists of containers: in the server, over HTTP, and the bare query of the same rows."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import falcon.testing
from sqlalchemy.dialects import sqlite

from bench import rows
from bench.client import Client
from bench.report import Row, Section, median, p95
from bench.world import World
from zun.cmd.aio import configure
from zun.db.rows import Shape
from zun.domain.container import Container
from zun.wiring import Embedded

SIZES = (1, 100, 1000)
TARGET_MS = 60.0
TARGET_SIZE = 1000


def measure(world: World, rounds: int) -> Section:
    """Fill the database step by step, and list all of it at each step: in turns by each of the ways."""
    section = Section(
        f"List of containers, {rounds} each, taken in turns",
        "sqlite3 reading the same columns of the same rows (a bare SELECT, no object and no JSON is made of them)",
    )
    service = Embedded(configure(world.arguments))
    have = 0
    try:
        with Client(world.access) as client:
            for size in SIZES:
                rows.fill(world.state, world.project, size - have)
                have = size
                section.rows += _one_size(world, client, service.app, size, rounds)
    finally:
        service.store.close()
    return section


def _one_size(world: World, client: Client, app: Any, size: int, rounds: int) -> list[Row]:
    connection = sqlite3.connect(rows.database(world.state))
    statement = _statement()
    try:
        ways: dict[str, Callable[[], int]] = {
            "server": lambda: len(json.loads(_served(app, world))["containers"]),
            "http": lambda: len(client.all()),
            "select": lambda: len(connection.execute(statement, (world.project,)).fetchall()),
        }
        for way, listed in ways.items():
            if listed() != size:
                raise RuntimeError(f"{way} does not list {size} containers")
        # Decoding an answer is the client's time, and is left out.
        served = [lambda: _served(app, world), lambda: _fetched(client), ways["select"]]
        times: list[list[float]] = [[], [], []]
        for _ in range(rounds):
            for kept, way_ in zip(times, served, strict=True):
                begun = time.perf_counter()
                way_()
                kept.append((time.perf_counter() - begun) * 1000)
    finally:
        connection.close()
    server, http, select = times
    return [
        Row(
            f"{size} in the server, median",
            median(server),
            "ms",
            median(select),
            target=TARGET_MS if size == TARGET_SIZE else None,
            note=f"({len(_served(app, world)) >> 10} KiB)",
        ),
        Row(f"{size} in the server, p95", p95(server), "ms", p95(select)),
        Row(f"{size} over HTTP, median", median(http), "ms", median(select)),
    ]


def _statement() -> str:
    """The bare query, with the project as its one parameter."""
    shape = Shape(Container)
    columns = ", ".join(str(column.compile(dialect=sqlite.dialect())) for column in shape.columns.values())
    source = str(shape.joined.compile(dialect=sqlite.dialect()))
    return f"SELECT {columns} FROM {source} WHERE containers.project_id = ? ORDER BY containers.id"


def _served(app: Any, world: World) -> bytes:
    """The body that the WSGI application answers, without any server."""
    environ = falcon.testing.create_environ(
        "/v1/containers", method="GET", headers=world.access.headers(), host="127.0.0.1", port=world.port
    )
    status: list[str] = []
    body = b"".join(app(environ, lambda line, headers, trouble=None: status.append(line)))
    if not status[0].startswith("200"):
        raise RuntimeError(f"the list was refused: {status[0]} {body[:500]!r}")
    return body


def _fetched(client: Client) -> bytes:
    return client.fetch("GET", "/v1/containers")
