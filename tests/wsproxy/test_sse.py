"""A reader who does not read: little is held for him, nobody waits for him, and in the end he is cut off."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from zun.conformance.runtime_bench import eventually
from zun.domain.event import Event, Kind, What
from zun.domain.stream import StreamKind
from zun.interfaces.rpc import Grant, Happened
from zun.wsproxy.app import Path, Proxy, StreamServer, listen
from zun.wsproxy.sse import EventStreams

PATIENCE = 30.0
#: bytes of an event
LARGE = 10_000


class Conductor:
    """A project in which something happens all the time, and one in which nothing does until :attr:`happened`."""

    def __init__(self) -> None:
        self.parts = 0
        self.happened = threading.Event()

    def redeem(self, token: str, container_uuid: str | None, exec_id: str | None) -> Grant:
        return Grant(kind=StreamKind.EVENTS, project_id=token, container_uuid=None, door=None, arguments={"cursor": 0})

    def events(self, project_id: str, after: int | None, limit: int, filters: dict[str, list[str]]) -> Happened:
        after = after or 0
        if project_id == "calm":
            told = [event(1)] if self.happened.is_set() and after == 0 and limit > 1 else []
            return Happened(events=told, cursor=1 if self.happened.is_set() else 0, more=False)
        if limit > 1:
            self.parts += 1
        return Happened(events=[event(after + number) for number in range(1, limit + 1)], cursor=after + limit, more=True)


def event(cursor: int) -> Event:
    return Event(uuid="", project_id="p", cursor=cursor, kind=Kind.CONTAINER, what=What.STATUS, resource_uuid="c", sandbox_uuid="s")


def shown(event: Event) -> dict[str, Any]:
    return {"cursor": event.cursor, "padding": "x" * LARGE, "time": datetime(2026, 1, 1)}


class Stand:
    """A proxy with this conductor behind it."""

    def __init__(self, patience: float) -> None:
        self.conductor = Conductor()
        listening = listen("127.0.0.1", 0)
        self.address = listening.getsockname()
        self.streams = EventStreams(shown, look_every=0.05, heartbeat=PATIENCE, patience=patience)
        self.server = StreamServer(Proxy(self.conductor, max_streams_per_project=1), [Path("/events", self.streams.serve)], listening)  # type: ignore[arg-type]
        self.server.start()

    def watch(self, project: str) -> socket.socket:
        """A client with little room, who has asked and read nothing."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(PATIENCE)
        client.connect(self.address)
        client.sendall(f"GET /events?token={project} HTTP/1.1\r\nHost: zun\r\n\r\n".encode())
        return client


@pytest.fixture
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    made = Stand(request.param)
    yield made
    made.server.stop()


def at_rest(stand: Stand) -> int:
    """How many parts have been asked for, once no more are."""
    last, waited = -1, threading.Event()
    while stand.conductor.parts != last:
        last = stand.conductor.parts
        waited.wait(0.3)
    return last


@pytest.mark.parametrize("stand", [PATIENCE], indirect=True)
def test_of_who_does_not_read_little_is_held_and_he_misses_nothing(stand: Stand) -> None:
    with stand.watch("busy") as slow, stand.watch("calm") as other:
        held = at_rest(stand)
        # what the kernel takes on the way, and one part in hand: not what has happened meanwhile
        assert held * 200 * LARGE < 32 << 20
        stand.conductor.happened.set()
        found = b""
        while b'"cursor":1,' not in found:
            found += other.recv(65_536)
        stream = b""
        while b'"cursor":%d,' % (held * 200 + 400) not in stream[-3 * LARGE :]:
            stream += slow.recv(1 << 20)
        cursors = [int(line[4:]) for line in stream.split(b"\n") if line.startswith(b"id: ") and line[4:].isdigit()]
        assert cursors[: held * 200] == list(range(1, held * 200 + 1))


@pytest.mark.parametrize("stand", [0.5], indirect=True)
def test_who_takes_nothing_at_all_is_cut_off_and_makes_room_and_the_others_are_not(stand: Stand) -> None:
    with stand.watch("busy") as slow, stand.watch("calm") as other:
        assert slow.recv(12) == b"HTTP/1.1 200"
        eventually(lambda: let_in(stand))  # a project has one stream here
        end = b"?"
        with contextlib.suppress(ConnectionResetError):
            while end:
                end = slow.recv(1 << 20)
        stand.conductor.happened.set()
        found = b""
        while b'"cursor":1,' not in found:
            found += other.recv(65_536)


def let_in(stand: Stand) -> bool:
    with stand.watch("busy") as another:
        return another.recv(12) == b"HTTP/1.1 200"
