"""Of conductors, and of workers of the API, there are two each: one that is killed is not missed, before anybody starts it again."""

from __future__ import annotations

import time

from cloud import daemons
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books
from tools import processes

_PATIENCE = 60.0


def test_one_conductor_and_one_worker_of_the_api_are_enough(cloud: World, zun: Zun, books: Books) -> None:
    dying = zun.accepted()
    assert zun.settle(dying)["status"] == "Running"
    coming = [zun.accepted(), zun.accepted()]
    first, second = service.CONDUCTORS
    conductor, (worker, other) = daemons.pid(cloud.controller, first), service.api_workers(cloud)
    assert conductor is not None
    processes.kill([conductor, worker])
    zun.answers()
    assert zun.call("DELETE", f"/containers/{dying}", params={"stop": "true"}).status_code == 204
    coming.append(zun.accepted())
    ended = [zun.settle(uuid) for uuid in coming]
    assert [(one["status"], one["status_reason"]) for one in ended] == [("Running", None)] * len(coming)
    zun.gone(dying)
    assert daemons.pid(cloud.controller, first) is None
    assert daemons.pid(cloud.controller, second) is not None
    until = time.monotonic() + _PATIENCE
    while len(workers := service.api_workers(cloud)) < service.API_WORKERS:
        assert time.monotonic() < until, "the server starts no worker in the place of the dead one"
        time.sleep(0.2)
    assert other in workers
    assert worker not in workers
    service.start_conductor(cloud)
    for uuid in coming:
        zun.delete(uuid)
    books.agree()
