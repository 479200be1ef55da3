"""Containers listed and shown: in the server, over HTTP, and the bare query of the same rows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import falcon.testing
from sqlalchemy.dialects import sqlite

from bench import rows
from bench.client import Client
from bench.report import Row, Section, median, p95
from bench.world import World
from zun.cmd.aio import configure
from zun.cmd.memory import settle
from zun.db.rows import Shape
from zun.domain.container import Container
from zun.wiring.embedded import Embedded

SIZES = (1, 100, 1000)
TARGET_MS = 40.0
TARGET_SIZE = 1000
SHOW_TARGET_MS = 3.0
LONG, PAGE = 10_000, 1000


def measure(world: World, rounds: int) -> Section:
    """Fill the database step by step, and list all of it at each step: in turns by each of the ways."""
    section = Section(
        f"List of containers, {rounds} each, taken in turns",
        "sqlite3 reading the same columns of the same rows (a bare SELECT, no object and no JSON is made of them)",
    )
    with _served_here(world) as app, Client(world.access) as client:
        for size in SIZES:
            rows.fill(world.state, world.project, size)
            section.rows += _one_size(world, client, app, size, rounds)
    return section


def pages(world: World, rounds: int) -> Section:
    """All of a long list by the addresses of its parts, each of which says where the next one is."""
    rows.fill(world.state, world.project, LONG)
    section = Section(
        f"List of {LONG} containers in parts of {PAGE}, {rounds} each, in the server",
        "sqlite3 reading the same columns of the same rows, each part by the last one's last id; where it says so, another part of ours",
    )
    with _served_here(world) as app, contextlib.closing(sqlite3.connect(rows.database(world.state))) as connection:
        ours = [_parts(world, app) for _ in range(rounds + 1)][1:]
        bare = [_bare_parts(connection, world.project) for _ in range(rounds + 1)][1:]
    for parts in (*ours, *bare):
        if len(parts) != LONG // PAGE:
            raise RuntimeError(f"{len(parts)} parts, not {LONG // PAGE}")
    first, last = (median([parts[place] for parts in ours]) for place in (0, -1))
    section.rows += [
        Row("all parts, one after the other, median", median([sum(parts) for parts in ours]), "ms", median([sum(parts) for parts in bare])),
        Row("the last part, median; its peer is the first part", last, "ms", first),
    ]
    return section


def show(world: World, rounds: int) -> Section:
    """One container by its uuid, in a database with many."""
    rows.fill(world.state, world.project, TARGET_SIZE)
    section = Section(
        f"Show of a container, one of {TARGET_SIZE} and more, {rounds} each, in the server", "sqlite3 reading the same columns of the row"
    )
    statement = _statement("containers.uuid = ?")
    with _served_here(world) as app, contextlib.closing(sqlite3.connect(rows.database(world.state))) as connection:
        uuid = json.loads(_served(app, world, limit="1"))["containers"][0]["uuid"]
        ways: list[Callable[[], object]] = [
            lambda: _served(app, world, f"/v1/containers/{uuid}"),
            lambda: connection.execute(statement, (uuid,)).fetchall(),
        ]
        server, select = _times(ways, rounds)
    section.rows += [
        Row("show, median", median(server.wall), "ms", median(select.wall), target=SHOW_TARGET_MS),
        Row("show, p95", p95(server.wall), "ms", p95(select.wall)),
        Row("  processor time of it, median", median(server.processor), "ms", median(select.processor)),
    ]
    return section


@contextlib.contextmanager
def _served_here(world: World) -> Iterator[Any]:
    """The WSGI application in this process, beside the service, on its database."""
    service = Embedded(configure(world.arguments))
    settle()
    try:
        yield service.app
    finally:
        service.store.close()


@dataclass(slots=True)
class Times:
    """Milliseconds of one way, each time; ``processor`` is what this thread has used of them."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def _times(ways: Sequence[Callable[[], object]], rounds: int) -> list[Times]:
    """Each way, taken in turns; the first turn is not counted."""
    times = [Times() for _ in ways]
    for number in range(rounds + 1):
        for kept, way in zip(times, ways, strict=True):
            begun, spent = time.perf_counter(), time.thread_time()
            way()
            if number:
                kept.wall.append((time.perf_counter() - begun) * 1000)
                kept.processor.append((time.thread_time() - spent) * 1000)
    return times


def _one_size(world: World, client: Client, app: Any, size: int, rounds: int) -> list[Row]:
    statement = _statement("containers.project_id = ?")
    with contextlib.closing(sqlite3.connect(rows.database(world.state))) as connection:
        found = {
            "server": len(json.loads(_served(app, world))["containers"]),
            "http": len(client.all()),
            "select": len(connection.execute(statement, (world.project,)).fetchall()),
        }
        if set(found.values()) != {size}:
            raise RuntimeError(f"not each way lists {size} containers: {found}")
        # Decoding an answer is the client's time, and is left out.
        ways: list[Callable[[], object]] = [
            lambda: _served(app, world),
            lambda: client.fetch("GET", "/v1/containers"),
            lambda: connection.execute(statement, (world.project,)).fetchall(),
        ]
        server, http, select = _times(ways, rounds)
    found_rows = [
        Row(
            f"{size} in the server, median",
            median(server.wall),
            "ms",
            median(select.wall),
            target=TARGET_MS if size == TARGET_SIZE else None,
            note=f"({len(_served(app, world)) >> 10} KiB)",
        ),
        Row(f"{size} in the server, p95", p95(server.wall), "ms", p95(select.wall)),
        Row(f"{size} over HTTP, median", median(http.wall), "ms", median(select.wall)),
    ]
    if size == TARGET_SIZE:
        spent = Row("  processor time of it in the server, median", median(server.processor), "ms", median(select.processor))
        found_rows.insert(2, spent)
    return found_rows


def _parts(world: World, app: Any) -> list[float]:
    """Milliseconds of each part of the list."""
    took: list[float] = []
    query: dict[str, str] = {"limit": str(PAGE)}
    while True:
        begun = time.perf_counter()
        body = _served(app, world, **query)
        took.append((time.perf_counter() - begun) * 1000)
        found = json.loads(body)
        # The part after a last one that is full has nothing in it.
        if not found["containers"]:
            return took[:-1]
        if found["next"] is None:
            return took
        query = dict(parse_qsl(urlsplit(found["next"]).query))


def _bare_parts(connection: sqlite3.Connection, project: str) -> list[float]:
    statement = _statement("containers.project_id = ? AND containers.id > ?", f"LIMIT {PAGE}")
    took: list[float] = []
    last = 0
    while True:
        begun = time.perf_counter()
        found = connection.execute(statement, (project, last)).fetchall()
        if not found:
            return took
        took.append((time.perf_counter() - begun) * 1000)
        last = found[-1][list(Shape(Container).columns).index("id")]


def _statement(condition: str, more: str = "") -> str:
    """The bare query."""
    shape = Shape(Container)
    columns = ", ".join(str(column.compile(dialect=sqlite.dialect())) for column in shape.columns.values())
    source = str(shape.joined.compile(dialect=sqlite.dialect()))
    return f"SELECT {columns} FROM {source} WHERE {condition} ORDER BY containers.id {more}"


def _served(app: Any, world: World, path: str = "/v1/containers", **query: str) -> bytes:
    """The body that the WSGI application answers, without any server."""
    environ = falcon.testing.create_environ(
        path, method="GET", query_string=urlencode(query), headers=world.access.headers(), host="127.0.0.1", port=world.port
    )
    status: list[str] = []
    body = b"".join(app(environ, lambda line, headers, trouble=None: status.append(line)))
    if not status[0].startswith("200"):
        raise RuntimeError(f"{path} was refused: {status[0]} {body[:500]!r}")
    return body
