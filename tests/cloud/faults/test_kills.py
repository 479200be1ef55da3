"""Every process that a container depends on is killed in the middle of creates and deletes: all that was accepted comes to its end, and
nothing is left of what was deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cloud import daemons
from cloud.nodes import Node
from cloud.services import agents, docker, mariadb, openvswitch, rabbitmq
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books
from tools import processes

#: seconds between two requests, so that each container is at another step when the blow falls
APART = 0.4
_PATIENCE = 300.0


@dataclass(frozen=True)
class Victim:
    """Daemons, where they are, and how they are started again."""

    daemons: Sequence[str]
    node: Callable[[World], Node]
    start: Callable[[World, Node], object]
    #: Whether others stand on it, too, who may lose what they were told: a volume that Cinder was making is one of these.
    shared: bool = False


def _controller(cloud: World) -> Node:
    return cloud.controller


def _host(cloud: World) -> Node:
    return cloud.hosts[0]


def _start_switch(cloud: World, node: Node) -> None:
    openvswitch.start(cloud, node)
    agents.start_switch(cloud, node)


#: a volume is made, attached and mounted for it, and goes with it
WITH_VOLUME = {"mounts": [{"size": 1, "destination": "/data"}]}

#: Those that Neutron's agents need come last: they take their time to find back.
VICTIMS = {
    "conductor": Victim(list(service.CONDUCTORS), _controller, lambda cloud, node: service.start_conductor(cloud)),
    "agent": Victim(["zun-compute"], _host, service.start_compute),
    "api": Victim(["zun-api"], _controller, lambda cloud, node: service.start_api(cloud)),
    "engine": Victim(["docker"], _host, docker.start),
    "switch": Victim(["ovs-vswitchd"], _host, _start_switch),
    "database": Victim(["mariadb"], _controller, lambda cloud, node: mariadb.start(cloud), shared=True),
    "broker": Victim(["rabbitmq"], _controller, lambda cloud, node: rabbitmq.start(cloud), shared=True),
}


def kill(node: Node, names: Sequence[str]) -> None:
    """Nothing of them says goodbye to anybody. What an engine has started is none of it: containers and their keepers are left alone."""
    doomed = []
    for name in names:
        pid = daemons.pid(node, name)
        assert pid is not None, f"{name} does not run on {node.name}"
        doomed += [pid, *([] if name == "docker" else processes.descendants(pid))]
    # And they are gone: who is asked to start them again must not find them alive still.
    processes.kill(doomed)


class Herd:
    """Containers that run from one test to the next: those that came to life under one blow are deleted under the next."""

    def __init__(self, zun: Zun) -> None:
        self._zun = zun
        self.plain: list[str] = []
        self.with_volume: list[str] = []

    def ready(self, *, volume: bool) -> list[str]:
        """Two of them, which are the herd's no more; one with a volume if that is wanted."""
        kinds: list[tuple[list[str], dict[str, Any]]] = [(self.plain, {}), (self.with_volume, WITH_VOLUME) if volume else (self.plain, {})]
        return [kind.pop() if kind else self._living(asked) for kind, asked in kinds]

    def keep(self, uuid: str, *, volume: bool) -> None:
        """One more."""
        (self.with_volume if volume else self.plain).append(uuid)

    def go(self) -> None:
        """All of them."""
        left = [*self.plain, *self.with_volume]
        for uuid in left:
            self._zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"})
        for uuid in left:
            self._zun.gone(uuid)

    def _living(self, asked: dict[str, Any]) -> str:
        """A new one. Neutron's agents may not have found back yet from what the test before did to them."""
        uuid = self._zun.accepted(**asked)
        shown = self._zun.settle(uuid, _PATIENCE)
        assert (shown["status"], shown["status_reason"]) == ("Running", None)
        return uuid


@pytest.fixture(scope="module")
def herd(cloud: World, admin: Any, zun: Zun) -> Iterator[Herd]:
    made = Herd(zun)
    yield made
    made.go()
    Books(cloud, admin).agree()


@pytest.mark.parametrize("name", VICTIMS)
def test_what_was_accepted_comes_to_its_end(cloud: World, zun: Zun, books: Books, herd: Herd, name: str) -> None:
    victim = VICTIMS[name]
    node = victim.node(cloud)
    dying = herd.ready(volume=not victim.shared)
    coming: list[str] = []
    for uuid in dying:
        # The first one has a volume, where Cinder is not struck, too.
        coming += [zun.accepted(**({} if victim.shared or coming else WITH_VOLUME))]
        time.sleep(APART)
        assert zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"}).status_code == 204
    coming += [zun.accepted()]
    kill(node, victim.daemons)
    victim.start(cloud, node)
    zun.answers()
    for uuid in dying:
        zun.gone(uuid)
    # Neutron's agents, too, may have to find back first.
    ended = [zun.settle(uuid, _PATIENCE) for uuid in coming]
    assert [(one["status"], one["status_reason"]) for one in ended] == [("Running", None)] * len(coming)
    for place, uuid in enumerate(coming):
        herd.keep(uuid, volume=place == 0 and not victim.shared)
    books.agree()
