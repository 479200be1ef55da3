"""The relay that tests of faults put before a service: what it passes on, what it breaks, and how it counts. No cloud is needed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import urllib3

from tests.cloud.faults.relay import Call, Fault, Relay, kind_of

UUID = "6f1c2b9d-4e7a-4035-8f2e-1b7d90c15ae8"


class Echo(BaseHTTPRequestHandler):
    """Answers what it was asked, and keeps it."""

    protocol_version = "HTTP/1.1"
    heard: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.heard.append(f"{self.command} {self.path} {body}")
        told = json.dumps({"said": body, "token": self.headers.get("X-Auth-Token")}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST

    def do_DELETE(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def relay(heard: list[str]) -> Iterator[Relay]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Echo,), {"heard": heard}))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    controller = SimpleNamespace(address="127.0.0.1")
    world: Any = SimpleNamespace(controller=controller, gateway="127.0.0.1", port=lambda _: server.server_address[1])
    made = Relay(world, "network")
    yield made
    made.close()
    server.shutdown()
    server.server_close()


def ask(relay: Relay, method: str, path: str, **more: Any) -> requests.Response:
    return requests.request(method, f"http://{relay.address[0]}:{relay.address[1]}{path}", timeout=5, **more)


def test_what_is_not_broken_passes_unchanged(relay: Relay, heard: list[str]) -> None:
    answer = ask(relay, "POST", "/v2.0/ports?a=b", data="hello", headers={"X-Auth-Token": "t"})
    assert (answer.status_code, answer.json()) == (201, {"said": "hello", "token": "t"})
    chunked = ask(relay, "POST", "/v2.0/ports", data=iter([b"hel", b"lo"]))
    assert chunked.json()["said"] == "hello"
    assert ask(relay, "DELETE", f"/v2.0/ports/{UUID}").status_code == 204
    assert heard == ["POST /v2.0/ports?a=b hello", "POST /v2.0/ports hello"]


@pytest.mark.parametrize("fault", [Fault.INTERNAL, Fault.UNAVAILABLE])
def test_what_is_broken_never_arrives(relay: Relay, heard: list[str], fault: Fault) -> None:
    relay.begin(lambda call: fault if call.number == 2 else None)
    assert [ask(relay, "GET", "/v2.0/ports").status_code for _ in range(3)] == [201, fault.value, 201]
    assert len(heard) == 2
    assert relay.broken == [(Call("GET /v2.0/ports", 2), fault)]


def test_what_is_met_with_silence_is_done_all_the_same(relay: Relay, heard: list[str]) -> None:
    relay.begin(lambda call: Fault.SILENCE)
    with pytest.raises(requests.Timeout):
        requests.post(f"http://127.0.0.1:{relay.address[1]}/v2.0/ports", data="hello", timeout=0.5)
    assert heard == ["POST /v2.0/ports hello"]


def test_of_an_answer_the_half_is_sent(relay: Relay, heard: list[str]) -> None:
    relay.begin(lambda call: Fault.HALF)
    with requests.get(f"http://127.0.0.1:{relay.address[1]}/v2/images", timeout=0.5, stream=True) as answer:
        assert answer.status_code == 201
        whole = int(answer.headers["Content-Length"])
        assert len(answer.raw.read(whole // 2)) == whole // 2
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            answer.raw.read(1)
    assert heard == ["GET /v2/images "]


def test_what_is_late_is_done_when_nobody_waits_any_more(relay: Relay, heard: list[str]) -> None:
    relay.begin(lambda call: Fault.LATE if call.number == 1 else None)
    with pytest.raises(requests.Timeout):
        requests.post(f"http://127.0.0.1:{relay.address[1]}/v2.0/ports", data="late", timeout=0.5)
    assert ask(relay, "POST", "/v2.0/ports", data="in time").status_code == 201
    assert heard == ["POST /v2.0/ports in time"]
    relay.let_go()
    until = time.monotonic() + 5
    while not relay.late:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert (heard, relay.late) == (["POST /v2.0/ports in time", "POST /v2.0/ports late"], [201])


def test_calls_of_a_kind_differ_in_what_they_are_about_only() -> None:
    assert kind_of("GET", f"/v2.0/ports/{UUID}?fields=id&fields=status") == "GET /v2.0/ports/*?fields"
    assert kind_of("GET", f"/v2.0/ports?device_id={UUID}") == "GET /v2.0/ports?device_id"
    assert kind_of("DELETE", f"/v3/{UUID.replace('-', '')}/attachments/{UUID}") == "DELETE /v3/*/attachments/*"
