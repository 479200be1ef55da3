"""A thousand idle streams, and some terminals, on the live service: they hold no thread, the API answers beside them, and all are told."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import websocket

from tests.service.aio import PATIENCE, Aio, eventually

STREAMS, TERMINALS = 1000, 20
HEADERS = {"Accept": "text/event-stream", "OpenStack-API-Version": "container 1.41"}


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Each stream is one here, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * STREAMS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        assert hard == resource.RLIM_INFINITY or hard >= wanted, "the system gives too few open files for this test"
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def threads(aio: Aio) -> int:
    assert aio._process is not None
    return len(list(Path(f"/proc/{aio._process.pid}/task").iterdir()))


class Watcher:
    """A stream of events, over a plain socket: read when it is asked to be."""

    def __init__(self, aio: Aio, session: requests.Session) -> None:
        answer = session.get(f"{aio.url}/v1/events", headers=HEADERS, allow_redirects=False, timeout=PATIENCE)
        assert answer.status_code == 307, answer.text
        where = urlsplit(answer.headers["Location"])
        assert where.hostname is not None
        self.channel = socket.create_connection((where.hostname, where.port or 80), PATIENCE)
        self.channel.sendall(f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        self.found = b""
        self.until(b"id: ")

    def until(self, text: bytes) -> None:
        """Read until this has been told."""
        while text not in self.found:
            piece = self.channel.recv(65_536)
            assert piece, f"the stream has ended: {self.found[-300:]!r}"
            self.found += piece


def test_a_thousand_idle_streams_hold_no_thread_and_the_api_answers_beside_them(own_service: Aio) -> None:
    aio = own_service
    with requests.Session() as session:
        session.auth = ("admin", aio.password)
        shell = aio.create("sh", interactive=True, tty=True)
        aio.wait(shell, "Running")
        watchers = [Watcher(aio, session) for _ in range(20)]
        terminals = [terminal(aio, shell) for _ in range(2)]
        with ThreadPoolExecutor(16) as many:  # every worker of the API has been at work once
            list(many.map(lambda _: aio.show(shell), range(64)))
        few = threads(aio)
        watchers += [Watcher(aio, session) for _ in range(STREAMS - len(watchers))]
        terminals += [terminal(aio, shell) for _ in range(TERMINALS - len(terminals))]
        try:
            print(f"{few} threads with 22 streams, {threads(aio)} with {STREAMS + TERMINALS}")
            assert threads(aio) <= few + 2
            # more calls at a time than the API has workers
            with ThreadPoolExecutor(32) as many:
                assert {answer["status"] for answer in many.map(lambda _: aio.show(shell), range(200))} == {"Running"}
            uuid = aio.create("true")
            aio.wait(uuid, "Stopped")
            for watcher in watchers:
                watcher.until(uuid.encode())
            terminals[-1].send_binary(b"echo $((6*7))-all\n")
            for each in terminals:
                found = b""
                while b"42-all" not in found:
                    found += each.recv()
            assert threads(aio) <= few + 2
        finally:
            for watcher in watchers:
                watcher.channel.close()
            for each in terminals:
                each.close()
    eventually(lambda: open_files(aio) < STREAMS, "what they held is given back")


def terminal(aio: Aio, uuid: str) -> websocket.WebSocket:
    url = str(aio.get(f"/containers/{uuid}/attach").json())
    return websocket.create_connection(url, timeout=PATIENCE, subprotocols=["binary"], suppress_origin=True)


def open_files(aio: Aio) -> int:
    assert aio._process is not None
    return len(list(Path(f"/proc/{aio._process.pid}/fd").iterdir()))
