"""A stream over which nothing goes asks nothing: a thousand of them leave the database alone."""

from __future__ import annotations

import socket

from tests.wsproxy.test_sse import PATIENCE, Conductor, shown
from zun.interfaces.rpc import Happened
from zun.wsproxy.app import Path, Proxy, StreamServer, listen
from zun.wsproxy.sse import EventStreams


class Counting(Conductor):
    """Counts what streams ask; the question for all streams of a project together wants one event and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def events(self, project_id: str, after: int | None, limit: int, filters: dict[str, list[str]]) -> Happened:
        self.asked += limit > 1
        return super().events(project_id, after, limit, filters)


def test_a_silent_stream_says_that_it_is_there_and_asks_nothing_and_then_tells_of_news() -> None:
    conductor = Counting()
    listening = listen("127.0.0.1", 0)
    address = listening.getsockname()
    streams = EventStreams(shown, look_every=PATIENCE, heartbeat=0.01)
    server = StreamServer(Proxy(conductor), [Path("/events", streams.serve)], listening)  # type: ignore[arg-type]
    server.start()
    try:
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(b"GET /events?token=calm HTTP/1.1\r\nHost: zun\r\n\r\n")
            heard = b""
            while heard.count(b": still here") < 20:
                heard += client.recv(65_536)
            # At its beginning, and when the project was looked at for the first time.
            assert conductor.asked <= 2
            conductor.happened.set()
            streams.tell(["calm"])
            while b'"cursor":1,' not in heard:
                heard += client.recv(65_536)
    finally:
        server.stop()
