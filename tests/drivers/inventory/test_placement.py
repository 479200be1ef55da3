"""Placement beside our own account: the suite, on a small Placement over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.inventory.placements import FakePlacement, Kept
from zun import errors
from zun.conformance.inventory import InventorySuite
from zun.conformance.store_fixtures import container, host, sandbox, written
from zun.db.store import SqlStore
from zun.domain.claim import claim_of
from zun.domain.host import Host
from zun.drivers.inventory import words
from zun.drivers.inventory.reconcile import Amiss


@pytest.fixture
def placement() -> Iterator[FakePlacement]:
    fake = FakePlacement()
    yield fake
    fake.stop()


@pytest.fixture
def books(placement: FakePlacement, sqlite_store: SqlStore) -> Kept:
    return Kept(placement.adapter(), sqlite_store)


class TestPlacement(InventorySuite):
    pass


# -- hosts ----------------------------------------------------------------------------------------


def test_a_host_becomes_a_provider_with_what_it_has(books: Kept, placement: FakePlacement) -> None:
    name = books.host(
        cpus=8, mem_total=2048, reserved_memory=512, disk_total=100, reserved_disk=20, ram_allocation_ratio=1.5, cpu_allocation_ratio=16.0
    )
    books.change(name, runtimes=["runc", "io.containerd.kata.v2"], architecture="x86_64")
    books.reconciler.run()
    provider = placement.provider(name)
    has = {key: (each["total"], each["reserved"], each["allocation_ratio"]) for key, each in provider["inventories"].items()}
    assert has == {"VCPU": (8, 0, 16.0), "MEMORY_MB": (2048, 512, 1.5), "DISK_GB": (100, 20, 1.0)}
    assert set(provider["traits"]) == {
        "CUSTOM_ZUN_COMPUTE",
        "CUSTOM_ZUN_RUNTIME_RUNC",
        "CUSTOM_ZUN_RUNTIME_IO_CONTAINERD_KATA_V2",
        "HW_ARCH_X86_64",
    }
    with books.store.read() as tx:
        assert provider["uuid"] == tx.find(Host, {"hostname": name})[0].uuid


def test_placement_is_not_asked_twice_about_a_host_that_has_not_changed(books: Kept, placement: FakePlacement) -> None:
    books.host()
    books.reconciler.keep_hosts()
    placement.calls.clear()
    books.reconciler.keep_hosts()
    assert placement.calls == []


def test_what_others_have_changed_of_a_provider_is_changed_back_by_the_next_round(books: Kept, placement: FakePlacement) -> None:
    name = books.host(cpus=8)
    books.reconciler.run()
    placement.provider(name)["inventories"]["VCPU"]["total"] = 1
    placement.provider(name)["traits"].clear()
    books.reconciler.run()
    assert placement.provider(name)["inventories"]["VCPU"]["total"] == 8
    assert placement.provider(name)["traits"] == [words.HOST]


def test_what_a_host_has_no_more_is_taken_from_its_provider(books: Kept, placement: FakePlacement) -> None:
    name = books.host(cpu_dedicated_set=[2, 3], cpu_shared_set=[0, 1])
    books.reconciler.run()
    books.change(name, cpu_dedicated_set=[], cpu_shared_set=[], mem_total=4096)
    books.reconciler.run()
    found = {key: each["total"] for key, each in placement.provider(name)["inventories"].items()}
    assert found == {"VCPU": 4, "MEMORY_MB": 4096, "DISK_GB": 10}


def test_what_is_in_use_stays_on_the_provider_until_it_is_given_back(books: Kept, placement: FakePlacement) -> None:
    name = books.host(cpu_dedicated_set=[2, 3], cpu_shared_set=[0, 1])
    pinned = books.wish(cpu=0.0, pcpu=1)
    books.reconciler.run()
    books.take(pinned, name)
    books.change(name, cpu_dedicated_set=[], cpu_shared_set=[], mem_total=4096)
    books.reconciler.run()
    assert placement.provider(name)["inventories"]["PCPU"]["total"] == 2
    assert placement.provider(name)["inventories"]["MEMORY_MB"]["total"] == 4096
    books.remove(pinned)
    books.reconciler.run()
    assert "PCPU" not in placement.provider(name)["inventories"]


def test_a_disabled_host_is_not_offered_until_it_is_enabled(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    books.disable(name, True)
    assert not books.candidate(name, books.wish()).offered
    assert "CUSTOM_ZUN_COMPUTE_STATUS_DISABLED" in placement.provider(name)["traits"]
    books.disable(name, False)
    assert books.candidate(name, books.wish()).offered


def test_traits_that_an_operator_has_added_stay(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    books.reconciler.run()
    placement.known_traits.add("CUSTOM_FAST")
    placement.provider(name)["traits"].append("CUSTOM_FAST")
    books.disable(name, True)
    books.reconciler.run()
    assert {"CUSTOM_FAST", words.DISABLED} <= set(placement.provider(name)["traits"])


def test_a_host_that_is_forgotten_leaves_no_provider(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    books.reconciler.run()
    with books.store.write() as tx:
        tx.drop(tx.find(Host, {"hostname": name})[0])
    books.reconciler.run()
    assert placement.providers == {}


def test_a_host_takes_over_the_name_of_its_earlier_life(books: Kept, placement: FakePlacement) -> None:
    placement.make({}, {"uuid": "before", "name": "again"})
    placement.providers["before"]["traits"] = [words.HOST]
    row = written(books.store, host("again"))[0]
    books.reconciler.run()
    assert placement.provider("again")["uuid"] == row.uuid


def test_a_provider_of_the_same_name_that_is_none_of_ours_is_left_alone(books: Kept, placement: FakePlacement) -> None:
    placement.make({}, {"uuid": "novas", "name": "theirs"})
    written(books.store, host("theirs"))
    assert not books.candidate("theirs", books.wish()).offered
    assert placement.provider("theirs") == {"uuid": "novas", "name": "theirs", "generation": 0, "inventories": {}, "traits": []}


# -- a host that is Nova's, too -------------------------------------------------------------------


@pytest.fixture
def shared(books: Kept, placement: FakePlacement) -> str:
    name = books.host(shared_with_nova=True, mem_total=8192, architecture="x86_64")
    placement.make({}, {"uuid": "novas", "name": name})
    placement.known_traits.update({"HW_CPU_X86_AVX2"})
    placement.providers["novas"]["traits"] = ["HW_CPU_X86_AVX2"]
    amounts = {"VCPU": 4, "MEMORY_MB": 1024}
    placement.providers["novas"]["inventories"] = {
        key: {"total": total, "reserved": 0, "allocation_ratio": 1.0, "max_unit": total} for key, total in amounts.items()
    }
    instance = {"allocations": {"novas": {"resources": {"MEMORY_MB": 700}}}, "consumer_generation": None, "consumer_type": "INSTANCE"}
    placement.allocate({}, {**instance, "project_id": "p", "user_id": "u"}, "instance")
    return name


def test_on_a_shared_host_what_nova_says_holds(books: Kept, placement: FakePlacement, shared: str) -> None:
    assert not books.candidate(shared, books.wish(memory=400)).offered
    fits = books.candidate(shared, books.wish(memory=300))
    assert fits.offered
    assert fits.used.memory == 700
    assert placement.providers["novas"]["inventories"]["MEMORY_MB"]["total"] == 1024
    assert {"HW_CPU_X86_AVX2", words.HOST, words.SHARED} == set(placement.providers["novas"]["traits"])


def test_on_a_shared_host_instances_are_never_touched(books: Kept, placement: FakePlacement, shared: str) -> None:
    books.take(books.wish(memory=100), shared)
    for _ in range(3):
        books.reconciler.run()
    assert books.reconciler.audit() == []
    assert placement.taken("instance") == {shared: {"MEMORY_MB": 700}}
    books.reconciler.follow("instance")
    books.reconciler.run()
    assert placement.taken("instance") == {shared: {"MEMORY_MB": 700}}


def test_a_shared_host_that_is_forgotten_keeps_its_provider(books: Kept, placement: FakePlacement, shared: str) -> None:
    books.reconciler.run()
    with books.store.write() as tx:
        tx.drop(tx.find(Host, {"hostname": shared})[0])
    books.reconciler.run()
    assert placement.providers["novas"]["traits"] == ["HW_CPU_X86_AVX2"]


def test_a_shared_host_that_nova_has_not_written_down_yet_gets_nothing(books: Kept) -> None:
    name = books.host(shared_with_nova=True)
    wish = books.wish()
    assert not books.candidate(name, wish).offered
    with pytest.raises(errors.InventoryUnavailable):
        books.inventory.claim(claim_of(wish[0], wish[1].uuid, name))


# -- what is taken --------------------------------------------------------------------------------


def test_an_allocation_is_in_whole_cores_and_by_the_uuid_that_the_user_knows(books: Kept, placement: FakePlacement) -> None:
    name = books.host(cpu_allocation_ratio=16.0)
    wish = books.wish(cpu=1.5, memory=0, disk=3)
    books.reconciler.run()
    books.take(wish, name)
    assert placement.taken(wish[1].uuid) == {name: {"VCPU": 2, "MEMORY_MB": 1, "DISK_GB": 3}}
    kept = placement.consumers[wish[1].uuid]
    assert (kept["consumer_type"], kept["project_id"], kept["user_id"]) == ("CONTAINER", "red", "ann")


def test_an_allocation_that_no_row_knows_is_given_back(books: Kept, placement: FakePlacement, caplog: pytest.LogCaptureFixture) -> None:
    name = books.host()
    gone = books.wish()
    books.reconciler.run()
    books.take(gone, name)
    with books.store.write() as tx:
        for row in tx.find(type(gone[1]), {"uuid": gone[1].uuid}):
            tx.drop(row)
    assert books.reconciler.audit() == [Amiss(consumer=gone[1].uuid, what="leaked", host=name)]
    books.reconciler.run()
    assert placement.taken(gone[1].uuid) != {}, "it may be on its way"
    with caplog.at_level("INFO"):
        books.reconciler.run()
    assert placement.taken(gone[1].uuid) == {}
    assert gone[1].uuid in caplog.text


def test_an_allocation_that_is_lost_is_made_again(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    placed, capsule = books.wish(memory=100), written(books.store, sandbox(host=name, capsule=True, cpu=2, memory=300))[0]
    written(books.store, container(capsule, capsule=True))
    books.reconciler.run()
    books.take(placed, name)
    placement.consumers.clear()
    assert {found.what for found in books.reconciler.audit()} == {"missing"}
    assert {found.consumer for found in books.reconciler.heal()} == {placed[1].uuid, capsule.uuid}
    assert placement.taken(placed[1].uuid) == {name: {"VCPU": 1, "MEMORY_MB": 100}}
    assert placement.taken(capsule.uuid) == {name: {"VCPU": 2, "MEMORY_MB": 300}}
    assert books.reconciler.audit() == []


def test_an_allocation_of_other_amounts_is_put_right(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    placed = books.wish(memory=100)
    books.reconciler.run()
    books.take(placed, name)
    placement.consumers[placed[1].uuid]["allocations"][placement.provider(name)["uuid"]]["resources"]["MEMORY_MB"] = 50
    assert [found.what for found in books.reconciler.heal()] == ["different"]
    assert placement.taken(placed[1].uuid) == {name: {"VCPU": 1, "MEMORY_MB": 100}}


def test_what_waits_for_a_host_keeps_what_it_has_claimed(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    waiting = books.wish()
    books.reconciler.run()
    books.inventory.claim(claim_of(waiting[0], waiting[1].uuid, name))
    for _ in range(3):
        books.reconciler.run()
    books.reconciler.follow(waiting[1].uuid)
    books.reconciler.run()
    assert placement.taken(waiting[1].uuid) != {}


def test_what_is_claimed_while_it_is_looked_at_is_not_taken_away(books: Kept, placement: FakePlacement) -> None:
    """The row says nothing yet when it is read, and all of it when the allocation is written."""
    name = books.host()
    wish = books.wish()
    books.reconciler.run()
    books.inventory.claim(claim_of(wish[0], wish[1].uuid, name))
    looked = placement.serve

    def serve(method: str, path: str, query: dict[str, str], body: object) -> object:
        answer = looked(method, path, query, body)
        if method == "GET" and path.startswith("/allocations/"):
            placement.serve = looked
            books.take(wish, name)
        return answer

    placement.serve = serve
    books.reconciler.settle(wish[1].uuid)
    assert placement.taken(wish[1].uuid) == {name: {"VCPU": 1, "MEMORY_MB": 256}}


# -- Placement is away ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 401, 0])
def test_whatever_placement_fails_with_is_named(books: Kept, placement: FakePlacement, status: int) -> None:
    name, wish = books.host(), books.wish()
    placement.answer = lambda method, path: status
    with pytest.raises(errors.InventoryUnavailable, match="Placement does not answer"):
        books.inventory.candidates(*(wish[0], wish[1].uuid))
    with pytest.raises(errors.InventoryUnavailable):
        books.inventory.claim(claim_of(wish[0], wish[1].uuid, name))
    assert placement.url not in str(errors.InventoryUnavailable(reason="x"))


def test_what_could_not_be_given_back_is_given_back_later(books: Kept, placement: FakePlacement) -> None:
    name = books.host()
    gone = books.wish()
    books.reconciler.run()
    books.take(gone, name)
    placement.answer = lambda method, path: 503
    books.remove(gone)
    assert placement.taken(gone[1].uuid) != {}
    placement.answer = lambda method, path: None
    books.reconciler.run()
    assert placement.taken(gone[1].uuid) == {}
