from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.client import Token
from bench.load import Answers, load


class Server(ThreadingHTTPServer):
    """Counts the connections and the requests that it gets."""

    connections = 0
    requests = 0
    status = 200

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        body = b"x" * 300_000
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        serves = threading.Thread(target=server.serve_forever)
        serves.start()
        try:
            yield server
        finally:
            server.shutdown()
            serves.join()


def asked(server: Server) -> Answers:
    return load(Token("127.0.0.1", server.server_port, "token"), "/", 3, 0.1)


def test_a_connection_that_is_kept_is_asked_again() -> None:
    with serving() as server:
        answers = asked(server)
        assert len(answers.times) == server.requests >= 3
        assert server.connections == 3


def test_an_answer_that_is_none_is_not_counted_as_one() -> None:
    with serving() as server:
        server.status = 500
        with pytest.raises(RuntimeError, match="500"):
            asked(server)


def test_a_rate_is_of_all_answers_over_all_the_time_that_they_took() -> None:
    assert Answers([0.1] * 10, 5.0).rate == 2.0
