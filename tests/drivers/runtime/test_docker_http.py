"""What the driver says on the wire, against an engine that a test plays itself."""

from __future__ import annotations

import base64
import gc
import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from zun import errors
from zun.domain import image
from zun.drivers.runtime import labels
from zun.drivers.runtime.docker import DockerRuntime
from zun.drivers.runtime.docker_answer import LONGEST_LINE
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.docker_pull import pull
from zun.interfaces.runtime import Credentials, Progress

Route = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PlayedEngine

    def handle_one_call(self) -> None:
        self.server.asked.append((f"{self.command} {self.path}", dict(self.headers)))
        if self.path == "/version":
            self.say(200, {"ApiVersion": self.server.api, "MinAPIVersion": self.server.least, "Arch": "amd64"})
        else:
            self.server.route(self)

    do_GET = do_POST = do_DELETE = handle_one_call

    def say(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return "test"

    def log_message(self, format: str, *args: Any) -> None:
        pass


class PlayedEngine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.path, self.api, self.least = path, "1.41", "1.12"
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.route: Route = lambda handler: handler.say(200, {})

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The driver hangs up in the middle: that is what is tested."""


@pytest.fixture
def engine() -> Iterator[PlayedEngine]:
    with tempfile.TemporaryDirectory() as directory, PlayedEngine(str(Path(directory) / "s")) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def http(engine: PlayedEngine) -> Iterator[DockerHttp]:
    made = DockerHttp(engine.path, timeout=10)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("api", "least", "spoken"),
    [("1.41", "1.12", "v1.41"), ("1.44", "1.24", "v1.44"), ("1.52", "1.44", "v1.51"), ("1.99", "1.51", "v1.51")],
)
def test_the_newest_version_that_both_speak_is_spoken(engine: PlayedEngine, http: DockerHttp, api: str, least: str, spoken: str) -> None:
    engine.api, engine.least = api, least
    http.call("GET", "/info")
    http.call("GET", "/info")
    assert [line for line, _ in engine.asked] == ["GET /version", f"GET /{spoken}/info", f"GET /{spoken}/info"]


@pytest.mark.parametrize(("api", "least"), [("1.40", "1.12"), ("1.99", "1.60")])
def test_an_engine_without_a_common_version_is_refused(engine: PlayedEngine, http: DockerHttp, api: str, least: str) -> None:
    engine.api, engine.least = api, least
    with pytest.raises(errors.EngineError, match=api):
        http.call("GET", "/info")


def test_an_engine_that_dropped_the_connection_is_asked_for_its_version_again(engine: PlayedEngine, http: DockerHttp) -> None:
    def last_words(handler: Handler) -> None:
        handler.say(200, {})
        handler.close_connection = True

    engine.route = last_words
    http.call("GET", "/info")
    dropped = threading.Event()
    while not dropped.wait(0.01) and len(http._idle) and http._idle[0].usable:
        pass
    engine.api = "1.44"
    http.call("GET", "/info")
    assert engine.asked[-1][0] == "GET /v1.44/info"


def test_a_refusal_is_an_answer_with_the_engines_sentence(engine: PlayedEngine, http: DockerHttp) -> None:
    engine.route = lambda handler: handler.say(409, {"message": "it is so"})
    answer = http.call("POST", "/containers/x/start")
    assert (answer.ok, answer.status, answer.message) == (False, 409, "it is so")
    engine.route = lambda handler: handler.say(502, b"<html>bad gateway</html>")
    assert "bad gateway" in http.call("GET", "/info").message


def test_silence_ends_at_the_deadline(engine: PlayedEngine, http: DockerHttp) -> None:
    over = threading.Event()
    http.engine()
    engine.route = lambda handler: over.wait(30) and None
    with pytest.raises(errors.EngineUnavailable, match="in time"):
        http.call("GET", "/info", timeout=0.1)
    over.set()


def test_an_answer_that_drips_ends_at_the_deadline_too(engine: PlayedEngine, http: DockerHttp) -> None:
    over = threading.Event()

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    http.engine()
    engine.route = drip
    with pytest.raises(errors.EngineUnavailable, match="in time"):
        http.call("GET", "/info", timeout=0.3)
    over.set()


def pulled(
    engine: PlayedEngine, http: DockerHttp, reference: str, credentials: Credentials | None, *lines: dict[str, Any]
) -> list[Progress]:
    engine.route = lambda handler: handler.say(200, b"".join(json.dumps(line).encode() + b"\r\n" for line in lines))
    told: list[Progress] = []
    pull(http, image.parse(reference), credentials, told.append, limit=10)
    return told


def test_a_pull_tells_its_progress(engine: PlayedEngine, http: DockerHttp) -> None:
    told = pulled(engine, http, "busybox", None, {"status": "Pulling", "id": "1.36"}, {"status": "Done"})
    assert [(each.of, each.what) for each in told] == [("1.36", "Pulling"), ("", "Done")]
    assert engine.asked[-1][0] == "POST /v1.41/images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=latest"


@pytest.mark.parametrize(
    "failure",
    [
        {"error": "no manifest", "errorDetail": {"message": "no manifest"}},
        {"error": "no manifest"},
        {"errorDetail": {"message": "no manifest"}},
    ],
)
def test_an_error_within_the_progress_is_an_error(engine: PlayedEngine, http: DockerHttp, failure: dict[str, Any]) -> None:
    with pytest.raises(errors.ImagePullFailed, match="no manifest"):
        pulled(engine, http, "busybox", None, {"status": "Pulling"}, failure)


@pytest.mark.parametrize(
    ("domain", "reference", "sent"),
    [
        ("quay.io", "quay.io/org/app", True),
        ("QUAY.io", "quay.io/org/app", True),
        ("docker.io", "busybox", True),
        ("index.docker.io", "busybox", True),
        ("quay.io", "busybox", False),
        ("quay.io", "evil.io/quay.io/app", False),
        ("quay.io", "quay.io:444/org/app", False),
        ("io", "quay.io/org/app", False),
    ],
)
def test_credentials_go_to_their_own_domain_only(engine: PlayedEngine, http: DockerHttp, domain: str, reference: str, sent: bool) -> None:
    pulled(engine, http, reference, Credentials(domain=domain, username="me", password="secret"))
    header = engine.asked[-1][1].get("X-Registry-Auth")
    assert (header is not None) is sent
    if header is not None:
        assert json.loads(base64.urlsafe_b64decode(header))["password"] == "secret"


def test_a_closed_client_refuses(engine: PlayedEngine, http: DockerHttp) -> None:
    http.call("GET", "/info")
    http.close()
    with pytest.raises(errors.EngineUnavailable, match="closed"):
        http.call("GET", "/info")


def test_a_call_under_way_ends_when_its_client_is_closed(engine: PlayedEngine, http: DockerHttp) -> None:
    asked, over = threading.Event(), threading.Event()

    def silent(handler: Handler) -> None:
        asked.set()
        over.wait(30)

    http.engine()
    engine.route = silent
    found: list[Exception] = []

    def ask() -> None:
        try:
            http.call("GET", "/info", timeout=600)
        except errors.EngineUnavailable as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait(10)
    http.close()
    thread.join(10)
    over.set()
    assert "closed" in str(found[0])


def hangs_up_early(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.close_connection = True


def test_half_an_answer_is_none(engine: PlayedEngine, http: DockerHttp) -> None:
    engine.route = hangs_up_early
    with pytest.raises(errors.EngineUnavailable):
        http.call("GET", "/containers/x/json")
    with http.stream("GET", "/containers/x/logs") as stream, pytest.raises(errors.EngineUnavailable):
        stream.read()


def test_an_answer_without_an_end_is_not_kept(engine: PlayedEngine) -> None:
    http = DockerHttp(engine.path, timeout=10, largest=100_000)
    engine.route = lambda handler: handler.say(200, b"1" * 100_000)
    assert http.call("GET", "/info").ok
    engine.route = lambda handler: handler.say(200, b"1" * 1_000_000)
    with pytest.raises(errors.EngineError, match="/info does not end"):
        http.call("GET", "/info")
    http.close()


def test_a_line_without_an_end_is_not_kept(engine: PlayedEngine, http: DockerHttp) -> None:
    engine.route = lambda handler: handler.say(200, b"x" * (LONGEST_LINE + 100_000))
    with http.stream("GET", "/events") as stream, pytest.raises(errors.EngineUnavailable, match="without an end"):
        list(stream.lines())


def event(word: str) -> bytes:
    marked = labels.write("cloud", labels.Mark("s", "c", 0))
    return json.dumps({"Type": "container", "Action": word, "Actor": {"Attributes": marked}, "timeNano": 10**18}).encode()


def test_news_end_with_what_is_no_news(engine: PlayedEngine) -> None:
    runtime = DockerRuntime(engine.path, "cloud")
    engine.route = lambda handler: handler.say(200, event("die") + b'\n["no", "event"]\n')
    news = runtime.events()
    assert next(news).what == "die"
    with pytest.raises(errors.EngineUnavailable, match="no JSON object"):
        next(news)
    runtime.close()


def test_what_docker_tells_twice_is_news_once(engine: PlayedEngine) -> None:
    runtime = DockerRuntime(engine.path, "cloud")
    told = [event("start"), event("die"), event("start"), event("die"), event("destroy")]
    engine.route = lambda handler: handler.say(200, b"\n".join(told))
    news = runtime.events()
    assert [next(news).what for _ in range(3)] == ["start", "die", "destroy"]
    runtime.close()


def test_a_reader_who_gives_up_before_the_first_item_leaves_no_connection(engine: PlayedEngine) -> None:
    runtime = DockerRuntime(engine.path, "cloud")
    engine.route = lambda handler: handler.say(200, b"")
    runtime.events()
    gc.collect()
    assert not runtime._http._streams
    held = runtime.events()
    assert len(runtime._http._streams) == 1
    with pytest.raises(errors.EngineUnavailable):
        next(held)
    assert not runtime._http._streams
    runtime.close()


class NotWanted(Exception):
    pass


@pytest.mark.parametrize("says", [b"", b'{"status": "Pulling", "id": "1"}\n'])
def test_a_pull_of_which_nothing_is_heard_can_be_given_up(engine: PlayedEngine, http: DockerHttp, says: bytes) -> None:
    asked, over = threading.Event(), threading.Event()

    def stalled(handler: Handler) -> None:
        if says:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(says)
        asked.set()
        over.wait(60)

    def progress(told: Progress) -> None:
        if asked.is_set() and not told.what:
            raise NotWanted

    http.engine()
    engine.route = stalled
    with pytest.raises(NotWanted):
        pull(http, image.parse("busybox"), None, progress, limit=600)
    over.set()


def test_a_pull_has_an_end(engine: PlayedEngine, http: DockerHttp) -> None:
    over = threading.Event()
    http.engine()

    def stalled(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        over.wait(30)

    engine.route = stalled
    with pytest.raises(errors.ImagePullFailed, match="not done within"):
        pull(http, image.parse("busybox"), None, lambda line: None, limit=0.3)
    over.set()
