"""What streams cost over which nothing moves."""

from __future__ import annotations

import base64
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench import raw
from bench.client import Client, deleted, opened, running
from bench.events import STREAM
from bench.idle import cpu, engine_pids, memory, shares
from bench.load import load
from bench.report import Row, Section
from bench.world import World
from zun.drivers.runtime.docker_http import DockerHttp

#: seconds until what was opened has settled, and that the processor is looked at
SETTLE, LOOK = 2.0, 5.0
#: seconds for which the calls are counted
COUNTED = 2.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of so many streams: memory in MB that a process has more, its threads before and meanwhile, percent of a core meanwhile."""

    memory: float
    before: int
    threads: int
    processor: float


@dataclass(frozen=True, slots=True)
class Shows:
    """What one client gets: answers a second, and milliseconds of processor of the service for each."""

    rate: float
    processor: float


def _shows(world: World, path: str) -> Shows:
    before = cpu(world.service.pid)
    found = load(world.access, path, 1, COUNTED)
    return Shows(found.rate, (cpu(world.service.pid) - before) / len(found.times) * 1000)


def measure(world: World, attached: int, watching: int) -> Section:
    """Terminals that are attached and silent, then watchers of events of which there are none; the same ones at the engine each time."""
    section = Section(
        f"Idle streams: {attached} attached, {watching} of events",
        "the engine's daemon with as many attached, or as many readers of its events, that came by its socket",
    )
    http = DockerHttp(world.engine.socket, timeout=60)
    service, engine = world.service.pid, engine_pids(world)[0]
    try:
        with Client(world.access) as client:
            made = running(client, interactive=True, tty=True)
            engine_id = raw.engine_id(http, made)
            bare = _cost(engine, lambda: _dialled(http, f"/containers/{engine_id}/attach?stream=1&stdin=1&stdout=1", "POST"), attached)
            ours = _cost(service, lambda: _attached(client, made), attached)
            section.rows += _rows("attached", attached, ours, bare)
            bare = _cost(engine, lambda: _dialled(http, "/events", "GET"), watching)
            path = f"/v1/containers/{made}"
            alone = _shows(world, path)
            beside: list[Shows] = []
            ours = _cost(service, lambda: _watching(client), watching, lambda: beside.append(_shows(world, path)))
            section.rows += _rows("watching events", watching, ours, bare)
            section.rows += [
                Row("  shows meanwhile; the peer is without streams", beside[0].rate, "/s", alone.rate, rate=True),
                Row("  processor time of each show; the peer is without streams", beside[0].processor, "ms", alone.processor),
            ]
            deleted(client, [made])
    finally:
        http.close()
    return section


def _rows(what: str, count: int, ours: Cost, bare: Cost) -> list[Row]:
    return [
        Row(f"{count} {what}: memory of each", ours.memory / count * 1000, "kB", bare.memory / count * 1000),
        Row(f"  threads more than before ({ours.before})", ours.threads - ours.before, ""),
        Row(f"  processor over {LOOK:g} s", ours.processor, "%", bare.processor),
    ]


def _cost(pid: int, stream: Callable[[], Iterator[None]], count: int, meanwhile: Callable[[], None] = lambda: None) -> Cost:
    before, threads = memory(pid).rss, _threads(pid)
    with ExitStack() as streams:
        for _ in range(count):
            streams.enter_context(contextmanager(stream)())
        time.sleep(SETTLE)
        (processor,) = shares([pid], LOOK)
        found = Cost(memory(pid).rss - before, threads, _threads(pid), processor)
        meanwhile()
    time.sleep(SETTLE)
    return found


def _threads(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


def _dialled(http: DockerHttp, path: str, method: str) -> Iterator[None]:
    """A raw stream of the engine: a connection that it keeps for it."""
    with http.dial() as channel:
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if method == "POST" else ""
        channel.sendall(f"{method} /v1.41{path} HTTP/1.1\r\nHost: docker\r\n{upgrade}\r\n".encode())
        _begun(channel, b" 101 " if method == "POST" else b" 200 ")
        yield


def _attached(client: Client, made: str) -> Iterator[None]:
    """A terminal as a browser or the official client has it: a websocket."""
    address = urlsplit(str(client.call("GET", f"/v1/containers/{made}/attach")))
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=30) as channel:
        key = base64.b64encode(os.urandom(16)).decode()
        asked = [
            f"GET /?{address.query} HTTP/1.1",
            f"Host: {address.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: binary",
            f"Sec-WebSocket-Key: {key}",
        ]
        channel.sendall("\r\n".join([*asked, "", ""]).encode())
        _begun(channel, b" 101 ")
        yield


def _watching(client: Client) -> Iterator[None]:
    connection, _ = opened(client.moved("/v1/events", STREAM), STREAM)
    try:
        yield
    finally:
        connection.close()


def _begun(channel: socket.socket, wanted: bytes) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = channel.recv(4096)
        if not piece:
            break
        head += piece
    if wanted not in head.split(b"\r\n")[0]:
        raise RuntimeError(f"a stream did not begin: {head[:300]!r}")
