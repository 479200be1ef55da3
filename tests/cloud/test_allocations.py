"""What containers take of their hosts, as Placement says: from their creation to their end, and while Placement is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud import daemons
from cloud.services import placement as service
from cloud.world import HOSTS, World
from tests.cloud.containers import Zun
from tests.cloud.test_placement import adapter
from zun.drivers.inventory import words
from zun.drivers.inventory.rest import Rest

#: whose the allocations are that somebody has made who is no project
NOBODY = ("p", "u")


@pytest.fixture(scope="module")
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo)


@pytest.fixture(scope="module")
def operator(cloud: World, admin: Any) -> Zun:
    return Zun(cloud, admin)


@pytest.fixture(scope="module")
def rest(cloud: World) -> Rest:
    return Rest(adapter(cloud))


@pytest.fixture(autouse=True)
def nothing_left(admin: Any, demo: Any) -> Iterator[None]:
    """Each test leaves as much allocated as it found."""

    def used() -> list[Any]:
        return [
            admin.placement.get(f"/usages?project_id={owner}", microversion="1.38").json() for owner in (demo.current_project_id, NOBODY[0])
        ]

    before = used()
    assert all("usages" in each for each in before), before
    yield
    soon(lambda: used() == before)


def provider(rest: Rest, host: str) -> str:
    found = rest.provider_named(host)
    assert found is not None
    return found


def taken(rest: Rest, consumer: str) -> list[dict[str, int]]:
    """What somebody takes, of whatever host."""
    found = rest.allocation(consumer)
    return [] if found is None else list(found.takes.values())


def soon(what: Callable[[], bool], patience: float = 60.0) -> None:
    until = time.monotonic() + patience
    while not what():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.2)


def test_both_hosts_are_providers_with_what_they_have(rest: Rest) -> None:
    for host in HOSTS:
        has = rest.inventories(provider(rest, host)).has
        assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= set(has)
        assert (has["VCPU"]["allocation_ratio"], has["MEMORY_MB"]["reserved"]) == (16.0, 512)
        assert {words.HOST, "CUSTOM_ZUN_RUNTIME_RUNC", "HW_ARCH_X86_64"} <= rest.traits(provider(rest, host)).has


def test_a_container_has_one_allocation_on_its_host_that_moves_with_its_limits(zun: Zun, operator: Zun, rest: Rest) -> None:
    with zun.running() as one:
        found = rest.allocation(one["uuid"])
        assert found is not None
        assert found.takes == {provider(rest, operator.show(one["uuid"])["host"]): {"VCPU": 1, "MEMORY_MB": 64}}
        assert zun.call("PATCH", f"/containers/{one['uuid']}", json={"memory": "128"}).status_code == 200
        assert taken(rest, one["uuid"]) == [{"VCPU": 1, "MEMORY_MB": 128}]
        assert zun.call("PATCH", f"/containers/{one['uuid']}", json={"memory": "32"}).status_code == 200
        soon(lambda: taken(rest, one["uuid"]) == [{"VCPU": 1, "MEMORY_MB": 32}])


def test_a_create_that_fails_leaves_no_allocation(zun: Zun, rest: Rest) -> None:
    made = zun.create(command=["nosuchprogram"]).json()["uuid"]
    assert zun.settle(made)["status"] == "Error"
    soon(lambda: taken(rest, made) == [])
    zun.delete(made)


@pytest.mark.whole
def test_a_disabled_host_has_a_trait_until_it_is_enabled(operator: Zun, rest: Rest) -> None:
    body = {"host": HOSTS[0], "binary": "zun-compute"}
    assert operator.call("PUT", "/services/disable", params=body).status_code == 200
    try:
        soon(lambda: words.DISABLED in rest.traits(provider(rest, HOSTS[0])).has)
    finally:
        assert operator.call("PUT", "/services/enable", params=body).status_code == 200
    soon(lambda: words.DISABLED not in rest.traits(provider(rest, HOSTS[0])).has)


def test_what_is_lost_is_allocated_again_and_what_leaked_is_given_back(zun: Zun, rest: Rest) -> None:
    with zun.running() as one:
        (host,) = rest.allocation(one["uuid"]).takes
        rest.release(one["uuid"])
        leaked = "0d8d1f6e-3b5a-4c55-8f1e-2a7f4b8c9d10"
        rest.allocate(leaked, {host: {"VCPU": 1}}, NOBODY, None)
        soon(lambda: taken(rest, one["uuid"]) == [{"VCPU": 1, "MEMORY_MB": 64}] and taken(rest, leaked) == [])


@pytest.mark.whole
def test_while_placement_is_away_a_create_waits_and_a_delete_ends(cloud: World, zun: Zun, rest: Rest) -> None:
    going = zun.create().json()["uuid"]
    assert zun.settle(going)["status"] == "Running"
    daemons.stop(cloud.controller, "placement", 0)
    try:
        made = zun.create().json()["uuid"]
        zun.delete(going)
        assert zun.show(made)["status"] == "Creating"
    finally:
        service.start(cloud)
    assert zun.settle(made)["status"] == "Running"
    assert len(taken(rest, made)) == 1
    zun.delete(made)
    soon(lambda: taken(rest, going) == taken(rest, made) == [])
