"""A service of the cloud that answers with 500, with 503, or not at all, at the call that a test names.

The relay stands beside the cloud, in this process. A detour leads the calls of some nodes there: in their own network namespaces, so that
neither our service nor the one that it calls is configured otherwise than it would be.
"""

from __future__ import annotations

import contextlib
import enum
import http.client
import re
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cloud.nodes import Node
from cloud.world import World

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
#: which are between two neighbours only
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
#: seconds after which nobody waits for an answer any more
_LONGEST = 120
#: seconds until a relay sees that it is to end
_LOOK = 0.05
_CHAIN = "zun-faults"


class Fault(enum.Enum):
    """What becomes of a call."""

    INTERNAL = 500
    UNAVAILABLE = 503
    #: it is done, and its caller is never told
    SILENCE = 0
    #: it is done, and its caller is told the first half of the answer
    HALF = -1
    #: its caller is never told, and it is done when the relay is told to (:meth:`Relay.let_go`)
    LATE = -2


@dataclass(frozen=True, slots=True)
class Call:
    """A call: ``kind`` is what it has in common with those about other things; ``number`` counts those of its kind."""

    kind: str
    number: int


def kind_of(method: str, target: str) -> str:
    """Method, path and the names in the query; no uuids."""
    parts = urlsplit(target)
    names = ",".join(sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
    return f"{method} {_UUID.sub('*', parts.path)}" + (f"?{names}" if names else "")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who is killed in the middle of a call hangs up; that is what is tested."""


class Relay:
    """Between some nodes and a service. ``fault`` is asked for every call; ``calls`` are those that came, ``broken`` those that failed."""

    def __init__(self, world: World, service: str) -> None:
        self._lock = threading.Lock()
        self._upstream = (world.controller.address, world.port(service))
        self.fault: Callable[[Call], Fault | None] = lambda call: None
        self.calls: list[Call] = []
        self.broken: list[tuple[Call, Fault]] = []
        self._numbers: Counter[str] = Counter()
        self._open: set[socket.socket] = set()
        self._going = threading.Event()
        #: the seconds after which whoever was told nothing has hung up
        self.held: list[float] = []
        #: the statuses of what was done late
        self.late: list[int] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with relay._lock:
                    relay._open.add(self.connection)

            def finish(self) -> None:
                with relay._lock:
                    relay._open.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                relay._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self._server = _Server((world.gateway, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_LOOK,), daemon=True)
        self._thread.start()
        self.address = (world.gateway, self._server.server_address[1])

    def begin(self, fault: Callable[[Call], Fault | None]) -> None:
        """A new round: nothing has come yet."""
        with self._lock:
            self.calls, self.broken, self.held, self.fault = [], [], [], fault
            self._numbers.clear()

    def let_go(self) -> None:
        """Have done now what is late."""
        self._going.set()

    def close(self) -> None:
        """Take no more calls. Connections are cut: who kept one would go on by this way, wherever new ones are led."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body, came = _body(request), time.monotonic()
        with self._lock:
            kind = kind_of(request.command, request.path)
            self._numbers[kind] += 1
            call = Call(kind, self._numbers[kind])
            self.calls.append(call)
            fault = self.fault(call)
            if fault is not None:
                self.broken.append((call, fault))
        if fault in (Fault.INTERNAL, Fault.UNAVAILABLE):
            _answer(request, fault.value, "Fault", [("Content-Type", "application/json")], b'{"faults": "the test broke this call"}')
            return
        if fault is Fault.LATE:
            _await_end(request)
            if self._going.wait(_LONGEST):
                self.late.append(self._forward(request, body)[0])
            return
        status, reason, headers, told = self._forward(request, body)
        if fault is Fault.HALF:
            _answer(request, status, reason, headers, told, len(told) // 2)
        if fault in (Fault.SILENCE, Fault.HALF):
            _await_end(request)
            self.held.append(time.monotonic() - came)
            return
        _answer(request, status, reason, headers, told)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=_LONGEST)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
            headers["Host"] = f"{self._upstream[0]}:{self._upstream[1]}"
            if body or request.command in ("POST", "PUT", "PATCH"):
                headers["Content-Length"] = str(len(body))
            upstream.request(request.command, request.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read()
        finally:
            upstream.close()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        found = b""
        while size := int(request.rfile.readline().split(b";")[0], 16):
            found += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return found
    return request.rfile.read(int(request.headers.get("Content-Length") or 0))


def _await_end(request: BaseHTTPRequestHandler) -> None:
    """Until the caller hangs up."""
    with contextlib.suppress(OSError):
        select.select([request.connection], [], [], _LONGEST)
    request.close_connection = True


def _answer(
    request: BaseHTTPRequestHandler, status: int, reason: str, headers: Sequence[tuple[str, str]], body: bytes, sent: int | None = None
) -> None:
    """All of it is promised, and no more than ``sent`` bytes are sent."""
    with contextlib.suppress(OSError):
        request.send_response_only(status, reason)
        for name, value in headers:
            if name.lower() not in _HOP:
                request.send_header(name, value)
        if status not in (204, 304):
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body[:sent])


@contextmanager
def detour(world: World, service: str, nodes: Sequence[Node]) -> Iterator[Relay]:
    """Meanwhile calls of these nodes to the service go by way of a relay; connections that there are already are cut."""
    relay = Relay(world, service)
    there = ("-p", "tcp", "-d", world.controller.address, "--dport", str(world.port(service)))
    chain = f"{_CHAIN}-{world.port(service)}"
    rules = {
        "nat": ("DNAT", "--to-destination", f"{relay.address[0]}:{relay.address[1]}"),
        # What was not led away by the other one is an old connection.
        "filter": ("REJECT", "--reject-with", "tcp-reset"),
    }
    try:
        for node in nodes:
            for table, target in rules.items():
                node.run("iptables", "-w", "-t", table, "-N", chain)
                node.run("iptables", "-w", "-t", table, "-A", chain, *there, "-j", *target)
                node.run("iptables", "-w", "-t", table, "-I", "OUTPUT", "-j", chain)
        yield relay
    finally:
        for node in nodes:
            for table in rules:
                node.run("iptables", "-w", "-t", table, "-D", "OUTPUT", "-j", chain, check=False)
                node.run("iptables", "-w", "-t", table, "-F", chain, check=False)
                node.run("iptables", "-w", "-t", table, "-X", chain, check=False)
        relay.close()
