"""The HTTP server between the world and the application: what it refuses by itself, and that nobody can hold it up."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import Any

import pytest

from zun import conf as zun_conf
from zun.api.serving import CONNECTIONS, HEADER_BYTES, make_server

Connect = Callable[[], socket.socket]


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers what it was told of the server's name."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["SERVER_NAME"].encode()]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Where a server listens."""
    conf = zun_conf.new()
    conf([], project="zun", default_config_files=[])
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = make_server(echo, listening, conf)
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    yield listening.getsockname()
    server.close()
    serving.join(30)
    assert not serving.is_alive()


@pytest.fixture
def connect(address: tuple[str, int]) -> Iterator[Connect]:
    """Opens a connection."""
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        opened.append(socket.create_connection(address, timeout=30))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def ask(connection: socket.socket, request: bytes) -> tuple[int, str | None, bytes]:
    """Status, content type and body of the answer."""
    connection.sendall(request)
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.getheader("Content-Type"), answer.read()


SOUND = b"GET / HTTP/1.1\r\nHost: zun\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: zun\r\n"


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, b"get / HTTP/1.1\r\nHost: zun\r\n\r\n"),
        (400, b"GET /\xff HTTP/1.1\r\nHost: zun\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: zun\r\nX-Odd: a\0b\r\n\r\n"),
        (400, POST + b"Content-Length: -1\r\n\r\n"),
        (400, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        (413, POST + b"Content-Length: 99999999999\r\n\r\n"),
        (413, POST + b"Transfer-Encoding: chunked\r\n\r\n200000\r\n" + b"x" * 2**21),
        (431, b"GET /" + b"a" * HEADER_BYTES + b" HTTP/1.1\r\nHost: zun\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: zun\r\nX-Long: " + b"a" * HEADER_BYTES + b"\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: gzip\r\n\r\n"),
    ],
    ids=lambda each: repr(each[:40]) if isinstance(each, bytes) else str(each),
)
def test_what_is_no_sound_http_is_refused_in_the_form_of_the_api(connect: Connect, status: int, request_: bytes) -> None:
    found, kind, body = ask(connect(), request_)
    (error,) = json.loads(body)["errors"]
    assert (found, kind, error["status"], error["code"]) == (status, "application/json", status, "container.")
    assert ask(connect(), SOUND)[0] == 200


def test_half_a_request_holds_nobody_up(connect: Connect) -> None:
    half = [connect() for _ in range(CONNECTIONS // 2)]
    for number, connection in enumerate(half):
        connection.sendall(SOUND[:10] if number % 2 else POST + b"Content-Length: 500\r\n\r\n{")
    assert ask(connect(), SOUND)[0] == 200


def test_who_names_no_host_is_answered_with_our_own(connect: Connect) -> None:
    assert ask(connect(), b"GET / HTTP/1.0\r\n\r\n")[2] == b"127.0.0.1"
