"""Every process that a container depends on is killed in the middle of creates and deletes: all that was accepted comes to its end, and
nothing is left of what was deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cloud import daemons
from cloud.nodes import Node
from cloud.services import agents, docker, openvswitch, rabbitmq
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
    """A daemon, where it is, and how it is started again."""

    daemon: str
    node: Callable[[World], Node]
    start: Callable[[World, Node], object]
    #: Whether others stand on it, too, who may lose what they were told: a volume that Cinder was making is one of these.
    shared: bool = False


#: a volume is made, attached and mounted for it, and goes with it
WITH_VOLUME = {"mounts": [{"size": 1, "destination": "/data"}]}

VICTIMS = {
    "conductor": Victim("zun-conductor", lambda cloud: cloud.controller, lambda cloud, node: service.start_conductor(cloud)),
    "agent": Victim("zun-compute", lambda cloud: cloud.hosts[0], service.start_compute),
    "api": Victim("zun-api", lambda cloud: cloud.controller, lambda cloud, node: service.start_api(cloud)),
    "broker": Victim("rabbitmq", lambda cloud: cloud.controller, lambda cloud, node: rabbitmq.start(cloud), shared=True),
    "switch": Victim("ovs-vswitchd", lambda cloud: cloud.hosts[0], openvswitch.start),
    "engine": Victim("docker", lambda cloud: cloud.hosts[0], docker.start),
}


def kill(node: Node, daemon: str) -> None:
    """Nothing of it says goodbye to anybody. What an engine has started is none of it: containers and their keepers are left alone."""
    pid = daemons.pid(node, daemon)
    assert pid is not None, f"{daemon} does not run on {node.name}"
    below = [] if daemon == "docker" else processes.descendants(pid)
    # And it is gone: who is asked to start it again must not find it alive still.
    processes.kill([pid, *below])


def is_well(container: dict[str, Any]) -> bool:
    """It runs; or it says that Neutron, whose agents may have been cut off for longer, has never had its port ready."""
    return container["status"] == "Running" or "did not become active" in (container["status_reason"] or "")


def living(zun: Zun, **asked: Any) -> str:
    """A container that runs. Neutron's agents may not have found back yet from what the test before did to them."""
    until = time.monotonic() + _PATIENCE
    while True:
        uuid = zun.accepted(**asked)
        shown = zun.settle(uuid)
        if shown["status"] == "Running":
            return uuid
        assert is_well(shown), shown["status_reason"]
        assert time.monotonic() < until, "Neutron has no port ready"
        zun.delete(uuid)


@pytest.mark.parametrize("name", VICTIMS)
def test_what_was_accepted_comes_to_its_end(cloud: World, zun: Zun, books: Books, name: str) -> None:
    victim = VICTIMS[name]
    node = victim.node(cloud)
    asked = {} if victim.shared else WITH_VOLUME
    dying = [living(zun), living(zun, **asked)]
    coming = []
    for uuid in dying:
        coming += [zun.accepted(**asked)]
        time.sleep(APART)
        assert zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"}).status_code == 204
    coming += [zun.accepted()]
    kill(node, victim.daemon)
    victim.start(cloud, node)
    if name == "switch":
        agents.start_switch(cloud, node)
    zun.answers()
    for uuid in dying:
        zun.gone(uuid)
    ended = [zun.settle(uuid) for uuid in coming]
    assert all(is_well(one) for one in ended), [(one["status"], one["status_reason"]) for one in ended]
    books.agree()
    for uuid in coming:
        zun.delete(uuid)
    books.agree()
