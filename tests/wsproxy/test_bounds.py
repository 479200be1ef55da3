"""What bounds streams, end to end: the size of a frame, how many a host carries, for how long an address is good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import requests
import websocket

from tests.served import PATIENCE, Served
from zun.drivers.runtime.fake import Program
from zun.wiring.parts import utcnow
from zun.wsproxy.websocket import LARGEST_FRAME

#: streams that a host carries here, and seconds that an address is good
MOST, LIFETIME = 3, 30


class Clock:
    """The time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utcnow() + self.ahead


class Cloud(Served):
    """A service whose host carries few streams, with a container that echoes."""

    clock: Clock
    container_uuid: str

    def address(self, what: str) -> str:
        """Where a stream is to be had."""
        path = f"/containers/{self.container_uuid}"
        if what == "attach":
            return str(self.ask("GET", f"{path}/attach").json())
        if what == "execute":
            return str(self.ask("POST", f"{path}/execute?command=talk&run=false&interactive=true").json()["proxy_url"])
        if what == "logs":
            return self.ask("GET", f"{path}/logs?follow=true", allow_redirects=False).headers["Location"]
        return self.ask("GET", "/events", headers={"Accept": "text/event-stream"}, allow_redirects=False).headers["Location"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    clock = Clock()
    settings = f"max_streams = {MOST}\n[websocket_proxy]\ntoken_ttl = {LIFETIME}\n"
    made = Cloud(tmp_path_factory.mktemp("bounds"), {"talk": Program(writes=((1, b"talking\n"),), echoes=True)}, settings, clock)
    made.clock = clock
    made.start()
    made.container_uuid = made.container(command=["talk"], interactive=True, tty=True)
    yield made
    made.stop()


def connect(url: str) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=PATIENCE, subprotocols=["binary"], suppress_origin=True)


def refused(url: str) -> int:
    """The status that an address is refused with."""
    if url.startswith("http"):
        with requests.get(url, stream=True, timeout=PATIENCE) as answer:
            return answer.status_code
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        connect(url)
    return int(refusal.value.status_code)


def echoed(client: websocket.WebSocket, data: bytes) -> None:
    client.send_binary(data)
    found = b""
    while data not in found:
        found += client.recv()


# -- the size of a frame -------------------------------------------------------------------------------


def test_a_frame_of_the_largest_size_goes_through_whole(cloud: Cloud) -> None:
    client = connect(cloud.address("attach"))
    client.send_binary(b"x" * LARGEST_FRAME)
    size = 0
    while size < LARGEST_FRAME:
        size += len(client.recv())
    assert size == LARGEST_FRAME
    client.close()


@pytest.mark.parametrize("parts", [1, 8])
def test_a_frame_that_is_larger_ends_the_stream_with_1009_and_nothing_else(cloud: Cloud, parts: int) -> None:
    client = connect(cloud.address("attach"))
    piece = b"x" * (LARGEST_FRAME * 2 // parts)
    code = 0
    try:
        for number in range(parts):  # a message in several frames counts as one
            opcode = websocket.ABNF.OPCODE_BINARY if number == 0 else websocket.ABNF.OPCODE_CONT
            client.send_frame(websocket.ABNF(int(number == parts - 1), 0, 0, 0, opcode, 1, piece))
        while code == 0:
            opcode, data = client.recv_data()
            assert opcode == websocket.ABNF.OPCODE_CLOSE, "nothing of it has gone through"
            code = int.from_bytes(data[:2], "big")
        assert code == 1009
    except (ConnectionError, websocket.WebSocketConnectionClosedException):
        pass  # hung up on while it was being sent
    client.shutdown()
    assert (cloud.show(cloud.container_uuid) or {})["status"] == "Running"
    again = connect(cloud.address("attach"))
    echoed(again, b"still here\n")
    again.close()


# -- how many --------------------------------------------------------------------------------------------


def test_a_host_carries_so_many_streams_and_takes_the_next_when_one_has_ended(cloud: Cloud) -> None:
    uuids = [cloud.container_uuid] + [cloud.container(command=["talk"], interactive=True, tty=True) for _ in range(MOST)]
    addresses = [str(cloud.ask("GET", f"/containers/{uuid}/attach").json()) for uuid in uuids]
    cloud.until(lambda: cloud.service.doors._open == 0)
    open_ones = [connect(address) for address in addresses[:MOST]]
    assert refused(addresses[MOST]) == 503
    assert cloud.ask("GET", f"/containers/{uuids[0]}/get_archive?path=/etc/group").status_code == 503, "an archive is one of them"
    for each in open_ones:
        echoed(each, b"the others go on\n")
    open_ones[0].close()

    def taken() -> bool:
        address = str(cloud.ask("GET", f"/containers/{uuids[MOST]}/attach").json())
        try:
            connect(address).close()
        except websocket.WebSocketBadStatusException:
            return False
        return True

    cloud.until(taken)
    for each in open_ones[1:]:
        each.close()


# -- for how long ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["attach", "execute", "logs", "events"])
def test_an_address_is_good_for_its_time_and_no_longer(cloud: Cloud, what: str) -> None:
    cloud.clock.ahead = timedelta(0)
    late, good = cloud.address(what), ""
    cloud.clock.ahead = timedelta(seconds=LIFETIME + 1)
    try:
        assert refused(late) in (401, 403)
        good = cloud.address(what)
        cloud.clock.ahead += timedelta(seconds=LIFETIME - 5)
        if good.startswith("ws"):
            client = connect(good)
            echoed(client, b"in time\n")
            client.close()
        else:
            assert refused(good) == 200
        assert refused(good) in (401, 403), "it is good once"
    finally:
        cloud.clock.ahead = timedelta(0)


# -- for what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "path"), [("attach", "logs"), ("execute", "logs"), ("logs", ""), ("attach", "events"), ("logs", "events")]
)
def test_an_address_is_for_one_kind_of_stream(cloud: Cloud, what: str, path: str) -> None:
    base, _, query = cloud.address(what).partition("?")
    proxy = base.partition("://")[2].partition("/")[0]
    other = f"ws://{proxy}/?{query}" if path == "" else f"http://{proxy}/{path}?{query}"
    assert refused(other) in (401, 403)
    made = cloud.address("events").partition("?")[2]
    assert refused(f"ws://{proxy}/?{made}&uuid={cloud.container_uuid}") in (401, 403)
