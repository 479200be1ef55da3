"""Bodies that are huge, endless, slow or not as long as they say, over a real socket to the real process: each gets its 4xx, the others go
on, and the memory of the service is bounded."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.service.aio import PATIENCE, Aio
from zun.api.routes import ROUTES

HUGE = 100 << 20
#: bytes that the service may grow by, whatever is sent: a body of the largest size that is read, taken apart, for each of the 16 workers
GROWTH = 16 * (16 << 20)
#: and where nothing is read
LITTLE = 16 << 20
CALLS = [(route.method, route.path) for route in ROUTES if route.method != "GET" and not route.upload]
WEB = "00000000-0000-4000-8000-000000000000"


class Lonely(Aio):
    """A service whose engine is not there: nobody here needs it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SimpleNamespace(socket=str(folder / "nowhere")))  # type: ignore[arg-type]

    def clean(self) -> None:
        self.kill()

    def grown(self) -> int:
        """Bytes of memory that it has had at its most."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) << 10

    def head(self, method: str, path: str, *more: str, authorized: bool = True) -> bytes:
        """The head of a request for JSON, without its end."""
        known = base64.b64encode(f"admin:{self.password}".encode()).decode()
        lines = [f"{method} {path} HTTP/1.1", "Host: zun", "Content-Type: application/json", "OpenStack-API-Version: container 1.41", *more]
        return "\r\n".join([*lines, *([f"Authorization: Basic {known}"] if authorized else [])]).encode() + b"\r\n"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)


@pytest.fixture(scope="module")
def aio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lonely]:
    made = Lonely(tmp_path_factory.mktemp("bodies"))
    made.start(engine_away=True)
    yield made
    made.clean()


@pytest.fixture(autouse=True)
def nothing_is_left(aio: Lonely, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test has sent: the service answers, has made nothing, and has not grown much."""
    before = aio.grown()
    yield
    assert aio.get("/containers").json()["containers"] == []
    assert aio.get("/capsules").json()["capsules"] == []
    growth = aio.grown() - before
    print(f"grew by {growth >> 20} MiB")
    assert growth < (GROWTH if "largest_size" in request.node.name else LITTLE)


def told(channel: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status of an answer, and its error."""
    answer = HTTPResponse(channel)
    answer.begin()
    text = answer.read()
    return answer.status, (json.loads(text) or {}).get("errors", [{}])[0] if text else {}


def statuses(channel: socket.socket) -> list[int]:
    """Those of all answers, until the other side hangs up."""
    found = b"".join(iter(lambda: channel.recv(65_536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", found)]


def sent(channel: socket.socket, pieces: Iterator[bytes]) -> int:
    """Send until it is all sent, or the other side has heard enough. Returns how much was sent."""
    size = 0
    try:
        for piece in pieces:
            channel.sendall(piece)
            size += len(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return size


def pieces(size: int, *, chunked: bool = False) -> Iterator[bytes]:
    """A JSON object with one long text in it."""
    piece = b"x" * (1 << 20)
    first = b'{"image": "'
    for each in [first, *[piece] * (size >> 20)]:
        yield b"%x\r\n%b\r\n" % (len(each), each) if chunked else each
    if chunked:
        yield b"0\r\n\r\n"


def path_of(path: str) -> str:
    return path.format(id=WEB, container=WEB, project="p", name="default", request_id="req-1")


# -- too large -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_hundred_megabytes_that_say_so_are_413_and_are_not_read(aio: Lonely, method: str, path: str) -> None:
    with aio.connect() as channel:
        channel.sendall(aio.head(method, path_of(path), f"Content-Length: {HUGE}") + b"\r\n")
        status, error = told(channel)
        assert (status, error["status"]) == (413, 413)


@pytest.mark.parametrize("authorized", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_hundred_megabytes_are_broken_off(aio: Lonely, chunked: bool, authorized: bool) -> None:
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {HUGE}"
    with aio.connect() as channel:
        channel.sendall(aio.head("POST", "/v1/containers", how, authorized=authorized) + b"\r\n")
        size = sent(channel, pieces(HUGE, chunked=chunked))
        assert size < HUGE, "it was not listened to for so long"
        try:
            status, _ = told(channel)
        except (ConnectionResetError, HTTPException):
            return  # hung up on: what was still on its way has taken the answer along
        assert status == 413


@pytest.mark.parametrize("chunked", [True, False])
def test_an_archive_of_a_hundred_megabytes_for_nobody_is_taken_in_without_memory(aio: Lonely, chunked: bool) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"data": "'
        for _ in range(HUGE >> 20):
            yield b"QUFB" * (1 << 18)
        yield b'"}'

    url = f"{aio.url}/v1/containers/{WEB}/put_archive?path=/"
    headers = {"Content-Type": "application/json", "OpenStack-API-Version": "container 1.40"}
    data: Any = body() if chunked else b"".join(body())
    answer = requests.post(url, data=data, headers=headers, auth=("admin", aio.password), timeout=PATIENCE)
    assert answer.status_code == 404
    try:
        answer = requests.post(url, data=body(), headers=headers, timeout=PATIENCE)
    except requests.ConnectionError:
        return  # who does not say who he is is hung up on
    assert answer.status_code in (401, 413)


def test_many_bodies_of_the_largest_size_at_once_take_bounded_memory(aio: Lonely) -> None:
    room = (1 << 20) - 100
    bodies = [
        b'{"image": "busybox", "labels": {' + b",".join(b'"%06d": "v"' % number for number in range(70_000)) + b"}}",
        b'{"image": "busybox", "command": [' + b",".join([b"1"] * (room // 2)) + b"]}",
        b'{"image": "busybox", "hints": ' + b"[" * (room // 2) + b"]" * (room // 2) + b"}",
        b'{"image": "busybox", "environment": {"a": "' + b"x" * room + b'"}}',
        b'{"template": {"kind": "capsule", "metadata": {}, "spec": {"containers": [' + b",".join([b"{}"] * (room // 3)) + b"]}}}",
    ]
    ends: list[int] = []

    def post(number: int) -> None:
        data = bodies[number % len(bodies)][: 1 << 20]
        where = "capsules" if b"template" in data[:20] else "containers"
        headers = {"Content-Type": "application/json", "OpenStack-API-Version": "container 1.41"}
        answer = requests.post(f"{aio.url}/v1/{where}", data=data, headers=headers, auth=("admin", aio.password), timeout=PATIENCE)
        ends.append(answer.status_code)

    senders = [threading.Thread(target=post, args=(number,)) for number in range(20)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert set(ends) <= {400, 413} and len(ends) == 20


# -- not as long as they say -----------------------------------------------------------------------------

SMALL = b'{"image": "busybox"}'


def test_a_body_that_is_shorter_than_it_says_makes_nothing(aio: Lonely) -> None:
    with aio.connect() as channel:
        channel.sendall(aio.head("POST", "/v1/containers", f"Content-Length: {len(SMALL) + 1}") + b"\r\n" + SMALL)
        channel.shutdown(socket.SHUT_WR)
        assert channel.recv(1000) == b"" or aio.get("/containers").json()["containers"] == []


def test_a_body_that_is_longer_than_it_says_is_a_request_that_is_none(aio: Lonely) -> None:
    with aio.connect() as channel:
        channel.sendall(aio.head("POST", "/v1/containers", "Content-Length: 5") + b"\r\n" + SMALL + b"\r\n\r\n")
        assert statuses(channel) == [400, 400], "the rest is no request"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 20", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 20"],
        ["Content-Length: 20", "Content-Length: 21"],
        ["Content-Length: +20"],
        ["Content-Length: 0x14"],
        ["Content-Length: 2_0"],
        ["Content-Length: 20, 20"],
        ["Content-Length: 99999999999999999999999"],
        ["Content-Length : 20"],
        ["Transfer-Encoding: identity, chunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding: chunked", "transfer-encoding: chunked"],
        ["Transfer-Encoding:\x0bchunked"],
        ["Content-Length: 20\r\n folded: 1"],
    ],
    ids=repr,
)
def test_a_length_in_two_ways_is_never_read_in_either(aio: Lonely, lines: list[str]) -> None:
    """What one server on the way takes for a body and another for a request is how requests are smuggled."""
    smuggled = aio.head("DELETE", "/v1/quotas/p", "Content-Length: 0") + b"\r\n"
    with aio.connect() as channel:
        channel.sendall(aio.head("POST", "/v1/registries", *lines) + b"\r\n0\r\n\r\n" + smuggled)
        (status,) = statuses(channel)
        assert status in (400, 413, 501), status


def test_chunks_are_nothing_that_http_1_0_knows(aio: Lonely) -> None:
    head = aio.head("POST", "/v1/registries", "Transfer-Encoding: chunked", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    smuggled = aio.head("DELETE", "/v1/quotas/p", "Content-Length: 0") + b"\r\n"
    with aio.connect() as channel:
        channel.sendall(head + b"\r\n0\r\n\r\n" + smuggled)
        assert statuses(channel) == [400]


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"-1\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"14\r\n" + SMALL + b"XX0\r\n\r\n", b"fffffffffffffffff\r\n", b"5;" + b"x" * 70_000],
    ids=lambda body: repr(body[:24]),
)
def test_chunks_that_are_none_are_refused(aio: Lonely, body: bytes) -> None:
    with aio.connect() as channel:
        channel.sendall(aio.head("POST", "/v1/containers", "Transfer-Encoding: chunked") + b"\r\n")
        sent(channel, iter([body]))
        channel.shutdown(socket.SHUT_WR)
        try:
            status, _ = told(channel)
        except (HTTPException, ConnectionError):
            return  # waited for what never came, and hung up
        assert 400 <= status < 500


# -- slow ------------------------------------------------------------------------------------------------


def test_bodies_that_come_byte_by_byte_hold_up_nobody_and_are_read(aio: Lonely) -> None:
    slow = [aio.connect() for _ in range(64)]  # four times the workers
    body = b'{"image": 1}'
    for channel in slow:
        channel.sendall(aio.head("POST", "/v1/containers", f"Content-Length: {len(body)}") + b"\r\n")
    for number in range(len(body) - 1):
        for channel in slow:
            channel.sendall(body[number : number + 1])
        assert aio.get("/containers").status_code == 200
    for channel in slow:
        channel.sendall(body[-1:])
        status, error = told(channel)
        assert (status, "'image'" in error["detail"]) == (400, True)
        channel.close()


# -- heads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        ([f"X-{number}: y" for number in range(10_000)], [431]),
        (["X-Long: " + "y" * 70_000], [431]),
        (["OpenStack-API-Version: container 1.41", "OpenStack-API-Version: container 1.1"], [200, 406]),
        (["X-Openstack-Request-Id: req-" + "x" * 5000], [200]),
        (["X-Openstack-Request-Id: a\x7fb"], [200, 400]),
        (["X-Roles: admin", "X-Project-Id: other", "X-User-Id: root", "X-Is-Admin-Project: True"], [200]),
        (["X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example"], [200]),
        (["Accept: " + "text/html," * 5000], [200, 406]),
        (["Accept: application/json;q=nan"], [200, 400, 406]),
        (["X-Idempotency-Key: " + "k" * 60_000], [200]),
        (["Last-Event-ID: " + "9" * 60_000], [200]),
        (["Origin: http://evil.example"], [200]),
        (["Range: bytes=0-0", "If-None-Match: *"], [200]),
    ],
    ids=lambda each: repr(each)[:60],
)
def test_odd_heads_are_taken_or_refused_in_the_form_of_the_api(aio: Lonely, lines: list[str], statuses: list[int]) -> None:
    with aio.connect() as channel:
        sent(channel, iter([aio.head("GET", "/v1/containers", *lines, "Connection: close") + b"\r\n"]))
        answer = HTTPResponse(channel)
        answer.begin()
        text = answer.read().decode()
        assert answer.status in statuses, text[:300]
        assert (answer.getheader("Content-Type") or "").startswith("application/json")
        assert "evil.example" not in text and "evil.example" not in str(answer.getheaders())
        assert len(answer.getheader("X-Openstack-Request-Id") or "") < 100


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "ü", "a\tb", "\u2028"])
def test_a_key_of_idempotency_that_is_none_is_refused_by_its_name(aio: Lonely, key: str) -> None:
    known = {"X-Idempotency-Key": key.encode(), "Content-Type": "application/json", "OpenStack-API-Version": "container 1.41"}
    for path, body in (
        ("containers", SMALL),
        ("capsules", b'{"template": {"kind": "capsule", "metadata": {}, "spec": {"containers": [{"image": "a b"}]}}}'),
    ):
        answer = requests.post(f"{aio.url}/v1/{path}", data=body, headers=known, auth=("admin", aio.password), timeout=PATIENCE)
        assert answer.status_code == 400, answer.text
