"""Requests per second of several clients at once, against an application that does nothing."""

from __future__ import annotations

import re
import selectors
import socket
import time
from dataclasses import dataclass, field

from bench.client import Access, Client, Token
from bench.report import Row, Section, median, p95
from bench.world import World

CLIENTS = (1, 8, 32)
PAGE = 100
WARM = 0.25
_PATIENCE = 120.0
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


def measure(world: World, seconds: float) -> Section:
    """For each number of clients, the three kinds of request one after the other."""
    section = Section(
        f"Requests per second, connections kept, {seconds:g} s each",
        "a falcon application that answers {'hello': 'world'}, behind the same server with as many threads",
    )
    world.hello.start()
    _wait(world.hello_port)
    with Client(world.access) as client:
        shown = client.all()[0]["uuid"]
    paths = {"show": f"/v1/containers/{shown}", f"list of {PAGE}": f"/v1/containers?limit={PAGE}"}
    for clients in CLIENTS:
        hello = warmed(Access(world.hello_port, ""), "/hello", clients, seconds)
        for what, path in paths.items():
            found = warmed(world.access, path, clients, seconds)
            note = f"(answer: median {median(found.times) * 1000:.1f}, p95 {p95(found.times) * 1000:.1f} ms)"
            section.rows.append(Row(f"{what}, {clients} at once", found.rate, "/s", hello.rate, rate=True, note=note))
    world.hello.stop()
    return section


@dataclass(slots=True)
class Answers:
    """What came of asking for a while: the seconds of each answer, and of all of it."""

    times: list[float] = field(default_factory=list)
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.took


def warmed(access: Access | Token, path: str, clients: int, seconds: float) -> Answers:
    """Like ``load``, after a quarter of a second to get going."""
    load(access, path, clients, WARM)
    return load(access, path, clients, seconds)


def load(access: Access | Token, path: str, clients: int, seconds: float) -> Answers:
    """Every client asks again as soon as it has its answer, for so many seconds; all answers are waited for.

    One thread plays all clients and reads no more of an answer than it must, so that the server is what is measured.
    """
    headers = {"Host": f"{access.host}:{access.port}"} | access.headers()
    request = "\r\n".join([f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()
    answers = Answers()
    with selectors.DefaultSelector() as selector:
        players = [_Player(access.host, access.port, request, selector) for _ in range(clients)]
        try:
            begun = time.perf_counter()
            for player in players:
                player.ask()
            waiting = clients
            while waiting:
                ready = selector.select(_PATIENCE)
                if not ready:
                    raise TimeoutError(f"no answer to {path} for {_PATIENCE:g} s")
                for key, _ in ready:
                    if key.data.answered():
                        answers.times.append(key.data.took)
                        if time.perf_counter() < begun + seconds:
                            key.data.ask()
                        else:
                            waiting -= 1
            answers.took = time.perf_counter() - begun
        finally:
            for player in players:
                player.leave()
    return answers


class _Player:
    """One client."""

    def __init__(self, host: str, port: int, request: bytes, selector: selectors.BaseSelector) -> None:
        self.took = 0.0
        self._address = (host, port)
        self._request = request
        self._selector = selector
        self._socket: socket.socket | None = None
        self._asked = 0.0
        self._head = b""
        self._left: int | None = None

    def ask(self) -> None:
        self._head, self._left = b"", None
        self._asked = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=_PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._socket.sendall(self._request)

    def leave(self) -> None:
        """Hang up; not connected is as good."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def answered(self) -> bool:
        """Read what has come. Returns whether that was the last of the answer."""
        assert self._socket is not None
        piece = self._socket.recv(1 << 18)
        if not piece:
            raise RuntimeError("the server has closed a connection under load")
        if self._left is None:
            self._head += piece
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return False
            length = _LENGTH.search(head)
            if b" 200 " not in head.partition(b"\r\n")[0] or length is None:
                raise RuntimeError(f"an answer under load: {self._head[:600]!r}")
            self._left = int(length[1]) - len(body)
        else:
            self._left -= len(piece)
        if self._left > 0:
            return False
        self.took = time.perf_counter() - self._asked
        return True


def _wait(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("the peer application did not come up")
