"""Requests per second of several clients at once, against an application that does nothing."""

from __future__ import annotations

import re
import selectors
import socket
import time

from bench.client import Access, Client
from bench.report import Row, Section, median, p95
from bench.world import World

CLIENTS = (1, 8, 32)
PAGE = 100
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
        hello, _ = load(world.hello_port, "/hello", None, clients, seconds)
        for what, path in paths.items():
            rate, times = load(world.port, path, world.access, clients, seconds)
            note = f"(answer: median {median(times) * 1000:.1f}, p95 {p95(times) * 1000:.1f} ms)"
            section.rows.append(Row(f"{what}, {clients} at once", rate, "/s", hello, rate=True, note=note))
    world.hello.stop()
    return section


def load(port: int, path: str, access: Access | None, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Requests per second, and the time of each answer. Every client asks again as soon as it has its answer.

    One thread plays all clients and reads no more of an answer than it must, so that the server is what is measured.
    """
    headers = {"Host": f"127.0.0.1:{port}"} | (access.headers() if access else {})
    request = "\r\n".join([f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        players = [_Player(port, request) for _ in range(clients)]
        try:
            for player in players:
                selector.register(player.socket, selectors.EVENT_READ, player)
                player.ask()
            # A quarter of a second to get going.
            begun, warm = time.perf_counter(), False
            while (now := time.perf_counter()) < begun + seconds:
                if not warm and now > begun + 0.25:
                    begun, warm = now, True
                    times.clear()
                for key, _ in selector.select(5.0):
                    if key.data.answered():
                        times.append(key.data.took)
                        key.data.ask()
            took = time.perf_counter() - begun
        finally:
            for player in players:
                player.socket.close()
    return len(times) / took, times


class _Player:
    """One client."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.took = 0.0
        self._request = request
        self._asked = 0.0
        self._head = b""
        self._left: int | None = None

    def ask(self) -> None:
        self._head, self._left = b"", None
        self._asked = time.perf_counter()
        self.socket.sendall(self._request)

    def answered(self) -> bool:
        """Read what has come. Returns whether that was the last of the answer."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise RuntimeError("the server has closed a connection under load")
        if self._left is None:
            self._head += piece
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return False
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                raise RuntimeError(f"an answer under load: {head[:300]!r}")
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
