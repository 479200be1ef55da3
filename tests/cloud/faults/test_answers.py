"""Each call that creates and deletes make of another service is answered with 500, with 503, and not at all although it was done.

The containers and capsules of a round are made together, and all services fail in it: the first call of each kind with 500, the next one
with 503, the third one in silence, whoever makes it. So each kind of call is met in the state in which it is really made, and the services
fail one after another and together.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cloud.nodes import Node
from cloud.world import REGION, World
from tests.cloud.capsules import Capsules
from tests.cloud.containers import Zun
from tests.cloud.faults.books import OWNER, Books
from tests.cloud.faults.cupboard import Cupboard
from tests.cloud.faults.relay import Call, Fault, Relay, detour
from tests.image_archives import docker
from tests.images import busybox, root_archive

#: of a round, on two hosts, how many containers beside one capsule: those that find a host at once, and meet the services of the hosts
#: first; and those that meet Placement first
PLACED, WAITING = 2, 1
ANSWERS = (Fault.INTERNAL, Fault.UNAVAILABLE, Fault.SILENCE)
#: what is long enough to be broken off in the middle
DATA = "GET /v2/images/*/file"
_PATIENCE = 240.0


def each_in_turn(call: Call) -> Fault | None:
    """The fault of a call: the first of its kind meets the first fault, ..."""
    faults = (*ANSWERS, Fault.HALF) if call.kind == DATA else ANSWERS
    return faults[call.number - 1] if call.number <= len(faults) else None


@dataclass(frozen=True)
class Service:
    """A service that containers need something of: who calls it, for what, and which calls must be among those that fail."""

    kind: str
    callers: Callable[[World], Sequence[Node]]
    asked: Mapping[str, Any]
    creating: frozenset[str]
    deleting: frozenset[str] = frozenset()


def _hosts(cloud: World) -> Sequence[Node]:
    return cloud.hosts


def _controller(cloud: World) -> Sequence[Node]:
    return [cloud.controller]


SERVICES = {
    "neutron": Service(
        "network",
        _hosts,
        {"exposed_ports": {"80/tcp": {}}},
        frozenset({"POST /v2.0/ports", "GET /v2.0/ports", "POST /v2.0/security-groups"}),
        frozenset({"GET /v2.0/ports", "DELETE /v2.0/ports/*", "DELETE /v2.0/security-groups/*"}),
    ),
    "cinder": Service(
        "block-storage",
        _hosts,
        {"mounts": [{"size": 1, "destination": "/data"}]},
        frozenset({"GET /v3/volumes/*", "GET /v3/attachments", "POST /v3/attachments", "POST /v3/attachments/*/action"}),
        frozenset({"GET /v3/attachments", "DELETE /v3/attachments/*", "DELETE /v3/volumes/*"}),
    ),
    "glance": Service("image", _hosts, {"image_driver": "glance"}, frozenset({"GET /v2/images/*", DATA})),
    "placement": Service(
        "placement",
        _controller,
        {},
        frozenset({"GET /allocation_candidates", "PUT /allocations/*"}),
        frozenset({"GET /allocations/*", "PUT /allocations/*"}),
    ),
}
ASKED: dict[str, Any] = {name: value for service in SERVICES.values() for name, value in service.asked.items()}


@contextmanager
def all_led_away(cloud: World) -> Iterator[dict[str, Relay]]:
    """Meanwhile each service is called by way of a relay."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(detour(cloud, one.kind, one.callers(cloud))) for name, one in SERVICES.items()}


def accepted(zun: Zun, capsules: Capsules, relays: Mapping[str, Relay], **asked: Any) -> tuple[list[str], list[str]]:
    """The uuids of a round's containers and capsules: some have a host before Placement begins to fail, too."""
    placement = relays["placement"]
    for relay in relays.values():
        relay.begin((lambda call: None) if relay is placement else each_in_turn)
    containers = [zun.accepted(**asked) for _ in range(PLACED)]
    pods = [capsules.accepted(volume=True, port=80)]
    _wait(lambda: sum(call.kind == "PUT /allocations/*" for call in placement.calls) >= PLACED + 1, "Placement is not asked")
    placement.begin(each_in_turn)
    containers += [zun.accepted(**asked) for _ in range(WAITING)]
    return containers, [*pods, capsules.accepted(volume=True, port=80)]


def all_failed(relay: Relay, expected: frozenset[str]) -> None:
    """Each of these kinds of calls has met each fault."""
    met: dict[str, set[Fault]] = {}
    for call, fault in relay.broken:
        met.setdefault(call.kind.partition("?")[0], set()).add(fault)
    assert {kind: set(ANSWERS) - met.get(kind, set()) for kind in expected} == {kind: set() for kind in expected}


@pytest.fixture(scope="module")
def image(demo: Any) -> Iterator[str]:
    """An image of demo's in Glance that no host has, with a layer that no other image has. Its uuid."""
    try:
        busybox()
    except LookupError as missing:
        pytest.skip(str(missing))
    formats = {"container_format": "docker", "disk_format": "raw"}
    made = demo.image.post("/images", json={"name": f"faults-{uuid.uuid4()}", "visibility": "private", **formats}).json()["id"]
    data = docker(layer=root_archive(f"{made}\n".encode()))
    answer = demo.image.put(f"/images/{made}/file", data=data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 204, answer.text
    yield made
    demo.image.delete(f"/images/{made}")


@pytest.fixture
def service(cloud: World) -> Iterator[Any]:
    """Our service's own account."""
    import openstack

    made = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account("zun"))
    yield made
    made.close()


def test_each_call_of_creates_and_deletes_fails_in_each_way(cloud: World, zun: Zun, books: Books, hurried: None, image: str) -> None:
    # Then both hosts have what all containers need.
    with zun.running() as one, zun.running(hints={"different_host": one["uuid"]}):
        pass
    cupboard, capsules = Cupboard(cloud), Capsules(zun)
    with all_led_away(cloud) as relays:
        uuids, pods = accepted(zun, capsules, relays, **ASKED, image=image)
        ended = [zun.settle(one, _PATIENCE) for one in uuids] + [capsules.settle(one, _PATIENCE) for one in pods]
        assert [(one["status"], one["status_reason"]) for one in ended] == [("Running", None)] * len(ended)
        assert {zun.run(one, "cat /root/extra") for one in uuids} == {f"{image}\n"}
        for name, service in SERVICES.items():
            all_failed(relays[name], service.creating)
        assert Fault.HALF in {fault for _, fault in relays["glance"].broken}
        books.agree()
        for relay in relays.values():
            relay.begin(each_in_turn)
        for of, those in ((zun, uuids), (capsules, pods)):
            for one in those:
                of.let_go(one)
        for of, those in ((zun, uuids), (capsules, pods)):
            for one in those:
                of.gone(one, _PATIENCE)
        books.agree()
        for name, service in SERVICES.items():
            all_failed(relays[name], service.deleting)
    cupboard.holds(image)


def test_a_request_that_is_not_answered_for_is_503_and_leaves_nothing(
    cloud: World, zun: Zun, books: Books, hurried: None, image: str
) -> None:
    # Placement is asked when the request has been accepted.
    asking = {name: service for name, service in SERVICES.items() if name != "placement"}

    def ask(name: str, relay: Relay) -> None:
        asked = {"image": image, **asking[name].asked} if name == "glance" else asking[name].asked
        for fault in ANSWERS:
            relay.begin(lambda call, fault=fault: fault)  # type: ignore[misc]
            while not relay.broken:  # the first one may meet a connection that the detour has cut
                assert zun.create(**asked).status_code == 503

    for name, service in asking.items():
        with detour(cloud, service.kind, _controller(cloud)) as relay:
            ask(name, relay)
    assert books.differences() == []


@pytest.fixture
def kept(demo: Any) -> Iterator[Any]:
    """A volume of demo's with a file system on it."""
    storage = demo.block_storage
    made = storage.create_volume(size=1, name=f"kept-{uuid.uuid4()}", volume_type="formatted")
    yield storage.wait_for_status(made, "available", interval=0.2)
    storage.delete_volume(made)
    storage.wait_for_delete(made, interval=0.2)


def late_once(kind: str) -> Callable[[Call], Fault | None]:
    """The first call of this kind is carried out when nobody waits for it any more."""
    return lambda call: Fault.LATE if call.kind == kind and call.number == 1 else None


def test_what_is_made_after_its_container_was_deleted_goes_too(
    cloud: World, zun: Zun, service: Any, demo: Any, kept: Any, books: Books, hurried: None
) -> None:
    """A port and an attachment; and none that only looks like it."""
    net = next(demo.network.networks(name="private")).id
    marks = {"zun_own": True, "zun_interface": "eth0"}
    others = []

    def port(device: str, **more: Any) -> None:
        others.append(service.network.create_port(network_id=net, device_id=device, device_owner=OWNER, **more).id)

    with detour(cloud, "network", cloud.hosts) as neutron, detour(cloud, "block-storage", cloud.hosts) as cinder:
        neutron.begin(late_once("POST /v2.0/ports"))
        cinder.begin(late_once("POST /v3/attachments"))
        made = zun.accepted(mounts=[{"source": kept.id, "destination": "/data"}])
        assert zun.settle(made)["status"] == "Running"
        zun.delete(made)
        try:
            port(made)  # anybody can write that on a port of his own
            port(str(uuid.uuid4()), binding_profile=marks)  # of another deployment
            for relay, done in ((neutron, 201), (cinder, 200)):
                relay.let_go()
                _wait(lambda relay=relay: bool(relay.late), "the call is not carried out")  # type: ignore[misc]
                assert relay.late == [done]
            _wait(lambda: {one.id for one in service.network.ports(device_id=made)} == {others[0]}, "the port that came too late is there")
            _wait(lambda: demo.block_storage.get_volume(kept.id).status == "available", "the attachment that came too late is there")
            assert all(service.network.find_port(one) is not None for one in others)
        finally:
            for one in others:
                service.network.delete_port(one)
    books.agree()


def test_a_volume_that_is_made_after_its_request_was_given_up_goes_too(
    cloud: World, zun: Zun, demo: Any, books: Books, hurried: None
) -> None:
    with detour(cloud, "block-storage", _controller(cloud)) as cinder:
        cinder.begin(late_once("POST /v3/volumes"))

        def refused() -> bool:
            """A first request may fail by a connection of the time before the relay was there."""
            assert zun.create(mounts=[{"size": 1, "destination": "/data"}]).status_code == 503
            return bool(cinder.broken)

        _wait(refused, "the call does not come")
        cinder.let_go()
        _wait(lambda: bool(cinder.late), "the call is not carried out")
        assert cinder.late == [202]
        _wait(lambda: not [each for each in demo.block_storage.volumes() if each.name.startswith("zun-")], "the volume is there")
    books.agree()


def _wait(until: Callable[[], bool], trouble: str) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end, trouble
        time.sleep(0.3)
