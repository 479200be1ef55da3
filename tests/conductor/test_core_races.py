"""No core is ever in two sandboxes: many placers and many changes at once, on every database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.conductor.test_quota_races import conductor, race
from tests.stores import now
from zun.conductor import journal
from zun.conductor.accept import Defaults
from zun.conductor.place import Place
from zun.conductor.verbs import Verbs
from zun.db.store import SqlStore
from zun.domain.action import Caller
from zun.domain.container import DEDICATED, Container
from zun.domain.host import COMPUTE, Host, Service
from zun.domain.lifecycle import Status
from zun.domain.quota import Quota
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory.local import LocalInventory
from zun.interfaces.store import Store

PLENTY = Defaults(quota=Quota(containers=-1, cpu=-1, memory=-1, disk=-1))
DEDICATED_SET = [2, 3, 4, 5, 6, 7]
OWN: dict[str, Any] = {"image": "busybox", "cpu": 1.0, "memory": 16, "cpu_policy": DEDICATED}


def me(number: int) -> Caller:
    """Each with a project of his own, so that nobody waits for anybody's quota."""
    return Caller(user_id="me", project_id=f"mine-{number}", request_id="req-1")


@pytest.fixture
def host(stores: list[SqlStore]) -> str:
    with stores[0].write() as tx:
        tx.add(
            Host(
                uuid=journal.new_uuid(),
                hostname="one",
                cpus=8,
                mem_total=64_000,
                enable_cpu_pinning=True,
                cpu_dedicated_set=DEDICATED_SET,
                cpu_shared_set=[0, 1],
                numa_topology=[[0, 1, 2, 3], [4, 5, 6, 7]],
            )
        )
        tx.add(Service(uuid=journal.new_uuid(), host="one", binary=COMPUTE, last_seen_up=now()))
    return "one"


def placer(store: Store) -> Place:
    return Place(store, LocalInventory(store, now, 180), clock=now, poke=lambda host: None)


def verbs(store: Store) -> Verbs:
    return Verbs(
        store,
        None,  # type: ignore[arg-type]
        LocalInventory(store, now, 180),
        clock=now,
        defaults=PLENTY,
        service_down_time=180,
        poke=lambda host: None,
        images={},
    )


def given(store: Store) -> list[int]:
    """Every core that some sandbox has, as often as it is had."""
    with store.read() as tx:
        placed = [sandbox for sandbox in tx.find(Sandbox) if sandbox.host is not None]
        assert all(sandbox.pcpu == len(sandbox.cpuset) for sandbox in placed)
        return sorted(core for sandbox in placed for core in sandbox.cpuset)


def test_many_placers_give_each_core_once(stores: list[SqlStore], host: str, tmp_path: Path) -> None:
    accepts = [conductor(store, tmp_path) for store in stores]
    for number in range(20):
        accepts[0].create(me(number), OWN, True)
    ends = race(10, lambda number: placer(stores[number % len(stores)]).run())
    assert ends == {"accepted": 10}
    assert given(stores[0]) == DEDICATED_SET
    with stores[0].read() as tx:
        failed = [container for container in tx.find(Container) if container.status is Status.ERROR]
    assert len(failed) == 14
    assert all("dedicated cores" in (container.status_reason or "") for container in failed)


def test_creations_placements_and_deletions_at_once_leave_no_core_to_two_and_none_lost(
    stores: list[SqlStore], host: str, tmp_path: Path
) -> None:
    accepts = [conductor(store, tmp_path) for store in stores]

    def come_and_go(number: int) -> None:
        store = stores[number % len(stores)]
        for _ in range(3):
            made = accepts[number % len(stores)].create(me(number), OWN, True)
            placer(store).run()
            found = given(store)
            assert len(found) == len(set(found)), found

            def erase(tx: Any, uuid: str = made.uuid) -> None:
                container = tx.get(Container, uuid)
                if container is not None:
                    journal.erase(tx, container, LocalInventory(store, now, 180))

            store.settle(erase)

    assert race(8, come_and_go) == {"accepted": 8}
    assert given(stores[0]) == []


def test_of_many_that_want_another_core_at_once_as_many_get_one_as_there_are(stores: list[SqlStore], host: str) -> None:
    containers = []
    with stores[0].write() as tx:
        for number, core in enumerate(DEDICATED_SET[:4]):
            owner = {"project_id": me(number).project_id, "user_id": "me"}
            home = tx.add(Sandbox(uuid=journal.new_uuid(), host=host, pcpu=1, cpuset=[core], memory=16, **owner))
            own = Container(uuid=journal.new_uuid(), sandbox_uuid=home.uuid, name="c", status=Status.RUNNING, **OWN, **owner)
            containers.append(replace(tx.add(own), host=host))

    def grow(number: int) -> None:
        verbs(stores[number % len(stores)]).resize(me(number % 4), containers[number % 4], {"cpu": 2.0})

    ends = race(8, grow)
    # Of the two that each asks for, the second one wants no more than the first.
    assert ends["accepted"] + ends["InsufficientCapacity"] + ends["CoresNotSettled"] == 8
    assert ends["InsufficientCapacity"] >= 2
    assert given(stores[0]) == DEDICATED_SET
