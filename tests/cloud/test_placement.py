"""Placement itself: the suite of inventories, and what becomes of containers' allocations."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from cloud.world import REGION, World
from tests.drivers.inventory.placements import Kept
from zun import errors
from zun.conformance.inventory import InventorySuite
from zun.db.store import SqlStore
from zun.domain.claim import claim_of
from zun.domain.host import Host
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory import words


def adapter(cloud: World) -> Any:
    """The way of our service's own user to Placement."""
    loading = pytest.importorskip("keystoneauth1.loading")
    from keystoneauth1 import adapter, session

    auth = loading.get_plugin_loader("password").load_from_options(**cloud.account("zun"))
    return adapter.Adapter(session.Session(auth=auth, timeout=30), service_type="placement", region_name=REGION, interface="public")


@pytest.fixture
def books(cloud: World, sqlite_store: SqlStore) -> Iterator[Kept]:
    kept = Kept(adapter(cloud), sqlite_store)
    yield kept
    with kept.store.write() as tx:
        homes, hosts = tx.find(Sandbox), tx.find(Host)
    consumers = {consumer for row in hosts for consumer in kept.rest.consumers(row.uuid)}
    assert homes or not consumers
    for consumer in consumers:
        kept.rest.release(consumer)
    assert all(kept.rest.delete_provider(row.uuid) for row in hosts)


class TestPlacement(InventorySuite):
    """By our rows in SQLite, and Placement as it is."""


def test_a_host_is_a_provider_with_traits_that_come_and_go(books: Kept) -> None:
    name = books.host()
    books.change(name, runtimes=["runc"], architecture="x86_64")
    books.disable(name, True)
    books.settle()
    with books.store.read() as tx:
        row = tx.find(Host, {"hostname": name})[0]
    assert books.rest.provider_named(name) == row.uuid
    assert books.rest.traits(row.uuid).has == {words.HOST, words.DISABLED, "CUSTOM_ZUN_RUNTIME_RUNC", "HW_ARCH_X86_64"}
    books.disable(name, False)
    books.settle()
    assert words.DISABLED not in books.rest.traits(row.uuid).has


def test_a_disk_is_taken_with_the_rest_stays_with_a_change_of_limits_and_is_given_back(books: Kept) -> None:
    """The cloud's engines cannot limit disks, so its containers ask for none."""
    first, second = books.host(disk_total=10), books.host(disk_total=10)
    wish = books.wish(memory=100, disk=7)

    def taken() -> dict[str, dict[str, int]]:
        with books.store.read() as tx:
            return {row.hostname: books.rest.consumers(row.uuid).get(wish[1].uuid, {}) for row in tx.find(Host)}

    books.inventory.claim(claim_of(wish[0], wish[1].uuid, first))
    assert taken() == {first: {"VCPU": 1, "MEMORY_MB": 100, "DISK_GB": 7}, second: {}}
    books.take(wish, second)
    assert taken() == {first: {}, second: {"VCPU": 1, "MEMORY_MB": 100, "DISK_GB": 7}}
    late = books.wish(disk=4)
    assert not books.candidate(second, late).offered
    with pytest.raises(errors.ClaimRefused):
        books.inventory.claim(claim_of(late[0], late[1].uuid, second))
    books.resize(wish, Resources(cpu=2, memory=200, disk=7))
    books.settle()
    assert taken()[second] == {"VCPU": 2, "MEMORY_MB": 200, "DISK_GB": 7}
    books.remove(wish)
    assert taken() == {first: {}, second: {}}
    books.take(late, second)


def test_what_leaked_and_what_was_lost_is_put_right(books: Kept) -> None:
    name = books.host()
    leaked, lost = books.wish(memory=100), books.wish(memory=200)
    books.take(leaked, name)
    books.take(lost, name)
    with books.store.write() as tx:
        tx.drop(tx.find(type(leaked[1]), {"uuid": leaked[1].uuid})[0])
    books.rest.release(lost[1].uuid)
    assert {(found.consumer, found.what) for found in books.reconciler.audit()} == {(leaked[1].uuid, "leaked"), (lost[1].uuid, "missing")}
    books.settle()
    books.settle()
    with books.store.read() as tx:
        row = tx.find(Host, {"hostname": name})[0]
    assert books.rest.consumers(row.uuid) == {lost[1].uuid: {"VCPU": 1, "MEMORY_MB": 200}}


def test_what_is_not_ours_is_left_alone(books: Kept, admin: Any) -> None:
    """As Nova's instances on a host that both have."""
    name = books.host()
    with books.store.read() as tx:
        row = tx.find(Host, {"hostname": name})[0]
    body = {
        "allocations": {row.uuid: {"resources": {"VCPU": 1}}},
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": None,
        "consumer_type": "INSTANCE",
    }
    instance = "6c1b4e1c-1f55-4ac5-9d0a-6bb8be0a3ba4"
    answer = admin.placement.put(f"/allocations/{instance}", json=body, microversion="1.38")
    assert answer.status_code == 204, answer.text
    try:
        books.settle()
        books.settle()
        assert books.reconciler.heal() == []
        assert books.rest.consumers(row.uuid) == {instance: {"VCPU": 1}}
    finally:
        books.rest.release(instance)


def test_a_provider_of_novas_is_had_in_common_and_stays(books: Kept, admin: Any) -> None:
    name, theirs = books.host(shared_with_nova=True, mem_total=8192, architecture="x86_64"), "HW_CPU_X86_AVX2"
    provider = str(uuid.uuid4())
    path = f"/resource_providers/{provider}"
    ask = partial(_ask, admin)
    ask("post", "/resource_providers", {"name": name, "uuid": provider})
    try:
        inventories = {"VCPU": {"total": 4}, "MEMORY_MB": {"total": 1024, "reserved": 100}}
        ask("put", f"{path}/inventories", {"resource_provider_generation": 0, "inventories": inventories})
        ask("put", f"{path}/traits", {"resource_provider_generation": 1, "traits": [theirs]})
        before = books.rest.inventories(provider).has
        books.settle()
        assert books.rest.traits(provider).has == {theirs, words.HOST, words.SHARED}
        fits = books.wish(memory=900)
        assert not books.candidate(name, books.wish(memory=1000)).offered
        assert books.candidate(name, fits).offered
        books.take(fits, name)
        assert books.rest.consumers(provider) == {fits[1].uuid: {"VCPU": 1, "MEMORY_MB": 900}}
        books.remove(fits)
        with books.store.write() as tx:
            tx.drop(tx.find(Host, {"hostname": name})[0])
        books.settle()
        assert books.rest.consumers(provider) == {}
        assert (books.rest.traits(provider).has, books.rest.inventories(provider).has) == ({theirs}, before)
    finally:
        for consumer in books.rest.consumers(provider):
            books.rest.release(consumer)
        ask("delete", path)


def _ask(admin: Any, method: str, path: str, body: Any = None) -> None:
    answer = getattr(admin.placement, method)(path, microversion="1.38", **({} if body is None else {"json": body}))
    assert answer.ok, answer.text
