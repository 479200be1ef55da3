"""Keys are not raced, and not kept for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api.edge import Images
from tests.db.test_store import on
from tests.stores import now
from zun import errors
from zun.conductor import once
from zun.conductor.accept import Accept, Defaults
from zun.db.store import SqlStore
from zun.domain.action import Action, Caller
from zun.domain.container import Container
from zun.domain.idempotency import LASTS, IdempotencyKey, Once
from zun.domain.quota import Quota
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.network.engine import EngineNetwork
from zun.drivers.volume.local import LocalVolumes

MIA = Caller(user_id="mia", project_id="a" * 32, request_id="req-1")
KEY = Once(token="order", fingerprint="f" * 64)


@pytest.fixture(params=["sqlite_store", "postgresql", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """Each database."""
    found = request.getfixturevalue(request.param)
    if isinstance(found, SqlStore):
        yield found
    else:
        with on(found) as made:
            yield made


def accept(store: SqlStore, folder: Path, clock: Any = now) -> Accept:
    return Accept(
        store,
        LocalInventory(store, clock, 180),
        network=EngineNetwork(),
        volumes=LocalVolumes(folder),
        images={"docker": Images()},  # type: ignore[dict-item]
        clock=clock,
        defaults=Defaults(quota=Quota(containers=1, cpu=-1, memory=-1, disk=-1)),
        poke=lambda: None,
        poke_host=lambda host: None,
        chance=random.Random(1),
    )


def test_a_hundred_requests_with_one_key_make_one_container(store: SqlStore, tmp_path: Path) -> None:
    accepting = accept(store, tmp_path)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: accepting.create(MIA, {"image": "busybox"}, True, KEY), range(100)))
    assert len({each.uuid for each in made}) == 1
    with store.read() as tx:
        assert [tx.count(entity) for entity in (Container, Sandbox, Action, IdempotencyKey)] == [1, 1, 1, 1]


def test_a_key_of_yesterday_is_free_again(sqlite_store: SqlStore, tmp_path: Path, make_store: Any) -> None:
    moment = [datetime(2026, 1, 1)]
    store = make_store(clock=lambda: moment[0])
    accepting = accept(store, tmp_path, lambda: moment[0])
    first = accepting.create(MIA, {"image": "busybox"}, False, KEY)
    moment[0] += LASTS - timedelta(seconds=1)
    assert once.sweep(store, moment[0]) == 0
    assert accepting.create(MIA, {"image": "busybox"}, False, KEY).uuid == first.uuid
    moment[0] += timedelta(seconds=1)
    # Free before the sweep has come by: the one container that the quota allows is the proof that a second one is asked for.
    with pytest.raises(errors.OverQuota):
        accepting.create(MIA, {"image": "busybox"}, False, KEY)
    assert once.sweep(store, moment[0]) == 1
    assert once.sweep(store, moment[0]) == 0


def test_many_old_keys_go_in_parts(make_store: Any) -> None:
    moment = [datetime(2026, 1, 1)]
    store = make_store(clock=lambda: moment[0])
    with store.write() as tx:
        for number in range(once.BATCH + 1):
            once.remember(tx, MIA, Once(token=str(number), fingerprint=""), Sandbox(uuid="s", project_id="p", user_id="u"))
    moment[0] += LASTS
    with store.write() as tx:
        once.remember(tx, MIA, KEY, Sandbox(uuid="s", project_id="p", user_id="u"))
    assert [once.sweep(store, moment[0]) for _ in range(3)] == [once.BATCH, 1, 0]
    with store.read() as tx:
        assert [row.token for row in tx.find(IdempotencyKey)] == ["order"]
