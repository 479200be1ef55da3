"""The sagas with ports of Neutron in them: whichever step fails or is killed, when it is over there are the ports that there should be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.drivers.network.neutrons import FakeNeutron, FakeWires
from tests.hands import Killed
from tests.world import ME, World
from zun import errors
from zun.compute.verbs import SAGAS
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Service
from zun.domain.lifecycle import Status
from zun.drivers.network.activity import Activity
from zun.drivers.network.names import Names
from zun.drivers.network.neutron import NeutronNetwork
from zun.drivers.network.ports import Ports


class Place:
    """A world with networks."""

    def __init__(self, folder: Path) -> None:
        self.neutron = FakeNeutron()
        self.wires = FakeWires(self.neutron)
        ticks = itertools.count()
        self.meanwhile: list[Callable[[], object]] = []
        activity = Activity(self.neutron, host="one", timeout=5, clock=lambda: float(next(ticks)), sleep=self.wait)
        ports = Ports(self.neutron, host="one")
        self.network = NeutronNetwork(self.neutron, ports, activity, lambda: self.wires, Names(folder / "names"), lambda seconds: None)
        self.first, self.second = (self.neutron.add_network(ME.project_id).id for _ in range(2))
        self.groups = [self.neutron.make_group(name, "", ME.project_id).id for name in ("one", "other")]
        self.world = World(folder, network=self.network)

    def wait(self, seconds: float) -> None:
        """What happens while a port is waited for."""
        if self.meanwhile:
            self.meanwhile.pop()()

    def ask(self, verb: str, container: Container | None) -> Container:
        """Ask for work, of which nothing is done yet."""
        if container is None:
            return self.world.create(settle=False, exposed_ports={"80/tcp": {}})
        arguments = {
            "network_attach": {"network": self.second},
            "network_detach": {"network": self.first},
            "add_security_group": {"name": self.groups[1]},
            "remove_security_group": {"name": self.groups[0]},
        }
        if verb == "delete":
            self.world.delete(container, settle=False, stop=True)
        else:
            self.world.verbs.accept(ME, container, verb, arguments.get(verb, {}))
        return container

    def nets(self) -> set[str]:
        """Where there are ports with wires to them."""
        return {port.network_id for port in self.neutron.known_ports.values() if port.id in self.wires.wires}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.world.stop()


VERBS = ("create", "network_attach", "network_detach", "add_security_group", "remove_security_group", "delete")
POINTS = [
    pytest.param(verb, f"{step.name}:{when}", id=f"{verb}-{step.name}-{when}")
    for verb in VERBS
    for step in SAGAS[verb]
    for when in ("before", "after")
]


def breaking(place: Place, point: str, error: BaseException) -> None:
    """The first pass of a point fails so."""
    left = iter([error])

    def fault(reached: str) -> None:
        if reached == point:
            for what in left:
                raise what

    place.world.fault = fault


def is_sound(place: Place, container: Container) -> None:
    """What the container is said to be in is what it has, and nothing is left once it is gone."""
    assert len(place.neutron.known_ports) == len(place.wires.wires)
    assert place.nets() == set(place.world.sandbox(container).addresses)
    place.world.fault = lambda point: None
    place.world.delete(place.world.container(container.uuid), force=True)
    is_gone(place)


def is_gone(place: Place) -> None:
    assert (place.neutron.known_ports, place.wires.wires, place.wires.laid) == ({}, {}, {})
    assert sorted(place.neutron.known_groups) == sorted(place.groups)
    assert not place.world.engines["one"].things


def before(place: Place, verb: str) -> Container | None:
    return None if verb == "create" else place.world.create(security_groups=[place.groups[0]])


@pytest.mark.parametrize(("verb", "point"), POINTS)
def test_a_step_that_fails(place: Place, verb: str, point: str) -> None:
    container = before(place, verb)
    breaking(place, point, errors.EngineError(reason="so the test orders"))
    container = place.ask(verb, container)
    place.world.settle()
    found = place.world.container(container.uuid)
    assert found is not None
    if verb == "create":
        assert found.status is Status.ERROR
        is_gone(place)
    elif verb != "delete":
        place.ask("reboot", found)  # whoever looks next has it as it is
        place.world.settle()
        is_sound(place, container)


@pytest.mark.parametrize(("verb", "point"), POINTS)
def test_an_agent_that_is_killed_is_followed_by_one_that_does_it(place: Place, verb: str, point: str) -> None:
    container = before(place, verb)
    breaking(place, point, Killed())
    container = place.ask(verb, container)
    place.world.settle()
    found = place.world.container(container.uuid)
    if verb == "delete":
        assert found is None
        is_gone(place)
        return
    assert found is not None and found.status is Status.RUNNING
    wanted = {"network_attach": {place.first, place.second}, "network_detach": set()}.get(verb, {place.first})
    assert place.nets() == wanted
    is_sound(place, container)


@pytest.mark.parametrize("whole", [False, True], ids=["a container", "a capsule"])
def test_a_deletion_does_not_wait_for_a_port_that_is_not_active(place: Place, whole: bool) -> None:
    place.neutron.lively = False
    world = place.world
    reasons: list[str] = []

    def delete() -> None:
        if whole:
            world.verbs.delete_capsule(ME, world.sandbox(container))
        else:
            world.delete(container, settle=False, force=True)
        world.lives["one"].beat("agent-claims")

    def give_up() -> None:
        reasons.append("it waited on")
        place.neutron.lively = True

    place.meanwhile += [give_up, delete]
    container = world.create_capsule({}, {}, settle=False)[0] if whole else world.create(settle=False)
    world.settle()
    assert world.containers() == []
    assert reasons == []
    is_gone(place)


@pytest.mark.parametrize("away", ["neutron", "switch"])
def test_what_a_forced_deletion_could_not_take_away_is_taken_away_by_the_next_scan(place: Place, away: str) -> None:
    container, living = place.world.create(exposed_ports={"80/tcp": {}}), place.world.create()

    def refused(*_: Any, **__: Any) -> Any:
        raise errors.NetworkUnavailable(reason="away") if away == "neutron" else errors.WiringFailed(port="any", reason="away")

    part, name = (place.neutron, "ports") if away == "neutron" else (place.wires, "disconnect")
    there = getattr(part, name)
    setattr(part, name, refused)
    place.world.delete(container, force=True)
    assert place.world.container(container.uuid) is None
    place.world.scans()
    assert (len(place.neutron.known_ports), len(place.wires.wires)) == (2, 1 if away == "neutron" else 2)
    setattr(part, name, there)
    place.world.restart()
    place.world.settle()
    place.world.scans()
    assert [port.device_id for port in place.neutron.known_ports.values()] == [living.uuid]
    is_sound(place, living)


def test_wires_of_what_is_gone_with_its_engine_are_cut_when_the_host_returns(place: Place) -> None:
    """It was deleted while the host was down, and the host's engine has forgotten it, too."""
    container = place.world.create()
    place.world.kill()
    place.world.engines["one"].things.clear()
    with place.world.store.write() as tx:
        (service,) = tx.find(Service, {"binary": COMPUTE})
        tx.save(replace(service, forced_down=True))
    place.world.delete(container, force=True, settle=False)
    for _ in range(2):
        place.world.leavings.run()
    assert (place.world.container(container.uuid), len(place.wires.wires)) == (None, 1)
    place.world.begin()
    place.world.settle()
    place.world.scans()
    is_gone(place)


def test_every_verb_that_changes_networks_is_here() -> None:
    assert {verb for verb in SAGAS if "network" in verb or "group" in verb} <= set(VERBS)
