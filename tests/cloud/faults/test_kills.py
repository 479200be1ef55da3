"""Every process that a container depends on is killed in the middle of creates and deletes of containers and capsules: all that was
accepted comes to its end, and nothing is left of what was deleted."""

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
from tests.cloud.capsules import Capsules
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


#: What is made and deleted. A capsule has two containers. A volume is made, attached and mounted for it, and goes with it.
CONTAINER = "container"
PLAIN = (CONTAINER, "capsule")
WITH_VOLUME = ("container with a volume", "capsule with a volume")
VOLUME = {"size": 1, "destination": "/data"}

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


@dataclass(frozen=True)
class Made:
    """A container or a capsule."""

    of: Zun | Capsules
    uuid: str

    def lives(self) -> bool:
        """Whether it comes to life. Neutron's agents may have to find back first from what was done to them."""
        shown = self.of.settle(self.uuid, _PATIENCE)
        assert (shown["status"], shown["status_reason"]) == ("Running", None), shown
        return True


class Herd:
    """Containers and capsules that run from one test to the next: those that came to life under one blow are deleted under the next."""

    def __init__(self, zun: Zun) -> None:
        self._zun, self._capsules = zun, Capsules(zun)
        self._living: list[tuple[str, Made]] = []

    def accepted(self, kind: str) -> Made:
        """One of a kind of KINDS, that is to come to life."""
        if kind.startswith("capsule"):
            return Made(self._capsules, self._capsules.accepted(volume=kind in WITH_VOLUME))
        return Made(self._zun, self._zun.accepted(**({"mounts": [VOLUME]} if kind in WITH_VOLUME else {})))

    def ready(self, kinds: Sequence[str]) -> list[Made]:
        """One of each of these kinds that runs, and is the herd's no more."""
        return [self._taken(kind) or self._new(kind) for kind in kinds]

    def keep(self, kind: str, made: Made) -> None:
        """One more, that runs."""
        self._living.append((kind, made))

    def go(self) -> None:
        """All of them."""
        for _, made in self._living:
            made.of.let_go(made.uuid)
        for _, made in self._living:
            made.of.gone(made.uuid)

    def _taken(self, kind: str) -> Made | None:
        found = next((each for each in self._living if each[0] == kind), None)
        if found is None:
            return None
        self._living.remove(found)
        return found[1]

    def _new(self, kind: str) -> Made:
        made = self.accepted(kind)
        assert made.lives()
        return made


@pytest.fixture(scope="module")
def herd(cloud: World, admin: Any, zun: Zun) -> Iterator[Herd]:
    made = Herd(zun)
    yield made
    made.go()
    Books(cloud, admin).agree()


@pytest.mark.parametrize("name", VICTIMS)
def test_what_was_accepted_comes_to_its_end(cloud: World, books: Books, herd: Herd, zun: Zun, name: str) -> None:
    victim = VICTIMS[name]
    node = victim.node(cloud)
    # The first ones have volumes, where Cinder is not struck, too.
    kinds = PLAIN if victim.shared else WITH_VOLUME
    dying = herd.ready(kinds)
    coming: list[tuple[str, Made]] = []
    for kind, made in zip(kinds, dying, strict=True):
        coming.append((kind, herd.accepted(kind)))
        time.sleep(APART)
        made.of.let_go(made.uuid)
    coming.append((CONTAINER, herd.accepted(CONTAINER)))
    kill(node, victim.daemons)
    victim.start(cloud, node)
    zun.answers()
    for made in dying:
        made.of.gone(made.uuid)
    for kind, made in coming:
        assert made.lives()
        herd.keep(kind, made)
    books.agree()
