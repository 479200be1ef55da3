"""Two hundred at once against a quota of ten end with ten, on every database, with two conductors that share it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stores import now
from zun import errors
from zun.conductor.accept import Accept, Defaults
from zun.conductor.admin import Admin
from zun.db.store import SqlStore
from zun.domain.action import Action, Caller
from zun.domain.capsule import CapsuleWish
from zun.domain.container import Container
from zun.domain.quota import Quota
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.network.engine import EngineNetwork
from zun.drivers.volume.local import LocalVolumes
from zun.interfaces.store import Store

ME = Caller(user_id="me", project_id="mine", request_id="req-1")
TEN = Quota(containers=10, cpu=-1, memory=-1, disk=-1)


class Anything:
    name = "docker"

    def check(self, reference: str) -> None:
        pass

    def choose(self, reference: str, caller: Caller) -> None:
        return None


def conductor(store: Store, folder: Path) -> Accept:
    return Accept(
        store,
        LocalInventory(store, now, 180),
        network=EngineNetwork(),
        volumes=LocalVolumes(folder),
        images={"docker": Anything()},  # type: ignore[dict-item]
        clock=now,
        defaults=Defaults(quota=TEN),
        poke=lambda: None,
        poke_host=lambda host: None,
        chance=random.Random(1),
    )


def race(count: int, do: Callable[[int], Any]) -> Counter[str]:
    ends: Counter[str] = Counter()
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait()
        try:
            do(number)
            ends["accepted"] += 1
        except errors.ZunError as error:
            ends[type(error).__name__] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def counted(store: Store) -> list[int]:
    with store.read() as tx:
        return [tx.count(entity) for entity in (Container, Sandbox, Action)]


def test_two_hundred_creates_at_once_end_with_ten(stores: list[SqlStore], tmp_path: Path) -> None:
    conductors = [conductor(store, tmp_path) for store in stores]
    ends = race(200, lambda number: conductors[number % len(conductors)].create(ME, {"image": "busybox"}, False))
    assert ends == {"accepted": 10, "OverQuota": 190}
    assert counted(stores[0]) == [10, 10, 10]


def test_capsules_and_containers_at_once_share_the_ten(stores: list[SqlStore], tmp_path: Path) -> None:
    conductors = [conductor(store, tmp_path) for store in stores]
    wish = CapsuleWish(sandbox={}, containers=[{"image": "busybox"}, {"image": "busybox"}])

    def do(number: int) -> None:
        accept = conductors[number % len(conductors)]
        if number % 2:
            accept.create_capsule(ME, wish)
        else:
            accept.create(ME, {"image": "busybox"}, False)

    ends = race(60, do)
    containers, sandboxes, _ = counted(stores[0])
    assert set(ends) == {"accepted", "OverQuota"}
    assert containers == 10 and sandboxes == ends["accepted"]


def test_a_limit_that_is_lowered_meanwhile_lets_in_none_beyond_it(stores: list[SqlStore], tmp_path: Path) -> None:
    conductors = [conductor(store, tmp_path) for store in stores]
    admin = Admin(stores[-1], LocalInventory(stores[-1], now, 180), clock=now, configured=TEN, service_down_time=180, sweep=lambda: None)

    def do(number: int) -> None:
        if number == 0:
            admin.limit_project("mine", {"containers": 4})
            lowered.append(counted(stores[0])[0])
        else:
            conductors[number % len(conductors)].create(ME, {"image": "busybox"}, False)

    lowered: list[int] = []
    race(60, do)
    assert counted(stores[0])[0] <= max(4, lowered[0])
