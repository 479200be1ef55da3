"""Attach and interactive exec, over a websocket, into real containers: as websocket-client and browsers speak it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
import requests
import websocket

from tests.service.aio import PATIENCE, Aio, eventually

REFUSED = (401, 403)


def connect(url: str, **options: Any) -> websocket.WebSocket:
    given = {"subprotocols": ["binary", "base64"], "suppress_origin": True} | options
    return websocket.create_connection(url, timeout=PATIENCE, **given)


def refused(url: str, **options: Any) -> int:
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        connect(url, **options)
    return int(refusal.value.status_code)


def until(client: websocket.WebSocket, expected: bytes) -> bytes:
    """What comes until it has ``expected`` in it."""
    found = b""
    while expected not in found:
        opcode, piece = client.recv_data()
        assert opcode != websocket.ABNF.OPCODE_CLOSE, found
        found += piece
    return found


def rest(client: websocket.WebSocket) -> tuple[bytes, int]:
    """What comes until the other side closes, and the code that it closes with."""
    found = bytearray()
    while True:
        opcode, piece = client.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return bytes(found), int.from_bytes(piece[:2], "big")
        found += piece


@pytest.fixture
def shell(service: Aio):
    """A shell with a terminal, waiting for a person."""
    uuid = service.create("sh", interactive=True, tty=True)
    service.wait(uuid, "Running")
    yield uuid
    service.delete(f"/containers/{uuid}", params={"force": True})
    service.wait_gone(uuid)


def attach(service: Aio, uuid: str) -> str:
    answer = service.get(f"/containers/{uuid}/attach")
    assert answer.status_code == 200, answer.text
    return str(answer.json())


def execute(service: Aio, uuid: str, command: str, interactive: bool = True) -> dict[str, Any]:
    answer = service.post(f"/containers/{uuid}/execute", params={"command": command, "run": False, "interactive": interactive})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def processes(service: Aio, uuid: str) -> str:
    return str(service.get(f"/containers/{uuid}/top").json()["Processes"])


def test_a_person_types_into_an_attached_terminal_and_leaves_it_running(service: Aio, shell: str) -> None:
    client = connect(attach(service, shell))
    assert client.getsubprotocol() == "binary"
    client.send_binary(b"echo $((6*7))-done\n")
    until(client, b"42-done")
    client.close()
    assert service.show(shell)["status"] == "Running"


def test_the_container_s_end_is_the_stream_s(service: Aio, shell: str) -> None:
    client = connect(attach(service, shell))
    client.send_binary(b"exit 3\n")
    assert rest(client)[1] == 1000
    service.wait(shell, "Stopped")


def test_attaching_shows_nothing_old(service: Aio, shell: str) -> None:
    first = connect(attach(service, shell))
    first.send_binary(b"echo $((40+1))-old\n")
    until(first, b"41-old")
    second = connect(attach(service, shell))
    second.send_binary(b"echo $((40+2))-new\n")
    assert b"41-old" not in until(second, b"42-new")
    first.close()
    second.close()


def test_a_command_with_a_terminal(service: Aio, shell: str) -> None:
    made = execute(service, shell, "sh")
    assert (made["output"], made["exit_code"], len(made["exec_id"])) == (None, None, 64)
    client = connect(made["proxy_url"])
    client.send_binary(b"tty; echo $((6*7))-done; exit\n")
    found, code = rest(client)
    assert (b"/dev/pts" in found, b"42-done" in found, code) == (True, True, 1000)


def test_a_command_without_a_terminal_loses_no_byte_of_a_megabyte(service: Aio, shell: str) -> None:
    made = execute(service, shell, "sh -c 'yes 0123456789abcde | head -c 1048576'", interactive=False)
    found, code = rest(connect(made["proxy_url"]))
    assert found == b"0123456789abcde\n" * 65536
    assert code == 1000


def test_a_slow_reader_gets_all_of_it(service: Aio, shell: str) -> None:
    # The kernel alone may hold four megabytes of what is sent on each of the connections that it goes through.
    size = 32 * 2**20
    made = execute(service, shell, f"sh -c 'yes 0123456789abcde | head -c {size}'", interactive=False)
    client = connect(made["proxy_url"])
    # The command cannot end while nobody reads: what is held on the way is bounded.
    eventually(lambda: "head" in processes(service, shell))
    assert len(rest(client)[0]) == size


@pytest.mark.parametrize("politely", [True, False])
def test_a_command_that_nobody_reads_any_more_is_ended(service: Aio, shell: str, politely: bool) -> None:
    client = connect(execute(service, shell, "sh -c 'sleep 98765'")["proxy_url"])
    eventually(lambda: "98765" in processes(service, shell))
    client.close() if politely else client.shutdown()
    eventually(lambda: "98765" not in processes(service, shell), "the command is gone")
    assert service.show(shell)["status"] == "Running"


def test_a_ticket_is_good_for_one_stream_once(service: Aio, shell: str) -> None:
    url = attach(service, shell)
    connect(url).close()
    assert refused(url) in REFUSED


def test_a_newer_ticket_for_attaching_takes_the_place_of_an_older(service: Aio, shell: str) -> None:
    older, newer = attach(service, shell), attach(service, shell)
    assert refused(older) in REFUSED
    connect(newer).close()


@pytest.mark.parametrize("other", ["uuid=00000000-0000-4000-8000-000000000000", "uuid=", "token=00000000-0000-4000-8000-000000000000"])
def test_a_ticket_opens_nothing_else(service: Aio, shell: str, other: str) -> None:
    url = attach(service, shell)
    name = other.partition("=")[0]
    base, _, query = url.partition("?")
    changed = "&".join(other if each.startswith(f"{name}=") else each for each in query.split("&"))
    assert refused(f"{base}?{changed}") in REFUSED
    connect(url).close()


def test_the_ticket_of_a_command_is_not_one_for_attaching_nor_the_other_way(service: Aio, shell: str) -> None:
    made = execute(service, shell, "sh")
    assert refused(made["proxy_url"].replace(made["exec_id"], "0" * 64)) in REFUSED
    assert refused(made["proxy_url"].partition("&exec_id")[0]) in REFUSED
    assert refused(attach(service, shell) + "&exec_id=" + made["exec_id"]) in REFUSED


@pytest.mark.parametrize("origin", ["https://127.0.0.1:6784", "http://evil.example", "null", "", "http://[", "ftp://127.0.0.1"])
def test_a_page_of_somebody_else_opens_nothing_and_spoils_nothing(service: Aio, shell: str, origin: str) -> None:
    url = attach(service, shell)
    assert refused(url, suppress_origin=True, header={"Origin": origin}) == 403
    connect(url).close()


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://127.0.0.1:1"}, {"Origin": "https://127.0.0.1", "X-Forwarded-Proto": "http"}, {"Origin": "ws://127.0.0.1"}],
)
def test_a_page_of_the_proxy_s_own_host_opens_a_stream(service: Aio, shell: str, header: dict[str, str]) -> None:
    connect(attach(service, shell), header=header).close()


def test_binary_is_chosen_wherever_it_is_offered_and_base64_is_spoken_where_it_is_not(service: Aio, shell: str) -> None:
    client = connect(attach(service, shell), subprotocols=["base64", "binary"])
    assert client.getsubprotocol() == "binary"
    client.close()
    client = connect(attach(service, shell), subprotocols=["base64"])
    assert client.getsubprotocol() == "base64"
    client.send(base64.b64encode(b"echo $((6*7))-done\n").decode())
    found = b""
    while b"42-done" not in found:
        found += base64.b64decode(client.recv())
    client.close()


def test_what_is_no_websocket_is_told_so_in_the_api_s_form(service: Aio, shell: str) -> None:
    url = attach(service, shell)
    answer = requests.get(url.replace("ws:", "http:"), timeout=PATIENCE)
    assert (answer.status_code, answer.json()["errors"][0]["status"]) == (400, 400)
    connect(url).close()


def test_what_is_stored_of_a_token_is_its_hash(service: Aio, shell: str) -> None:
    token = attach(service, shell).partition("token=")[2].partition("&")[0]
    stored = b"".join(file.read_bytes() for file in service.state.glob("zun.sqlite*"))
    assert token.encode() not in stored
    assert hashlib.sha256(token.encode()).hexdigest().encode() in stored


def test_no_token_gets_into_the_log(service: Aio, shell: str) -> None:
    url = attach(service, shell)
    token = url.partition("token=")[2].partition("&")[0]
    connect(url).close()
    assert refused(url) in REFUSED
    requests.get(f"{url.replace('ws:', 'http:')}&more={'x' * 20000}", timeout=PATIENCE)
    assert token not in service.log.read_text()


def test_a_restart_of_the_service_ends_streams_and_no_container(own_service: Aio) -> None:
    uuid = own_service.create("sh", interactive=True, tty=True)
    own_service.wait(uuid, "Running")
    client = connect(attach(own_service, uuid))
    client.send_binary(b"kept=here; echo $((6*7))\n")
    until(client, b"42")
    assert own_service.stop() == 0
    with pytest.raises((websocket.WebSocketException, OSError, AssertionError)):
        until(client, b"never")
    own_service.start()
    own_service.wait(uuid, "Running")
    client = connect(attach(own_service, uuid))
    client.send_binary(b"echo $kept-still\n")
    until(client, b"here-still")
    client.close()


def test_idle_streams_hold_no_worker_of_the_api(service: Aio, shell: str) -> None:
    clients = [connect(attach(service, shell)) for _ in range(100)]
    try:
        for _ in range(3):
            assert service.show(shell)["status"] == "Running"
        clients[-1].send_binary(b"echo $((6*7))-all\n")
        for client in clients:
            until(client, b"42-all")
    finally:
        for client in clients:
            client.close()
