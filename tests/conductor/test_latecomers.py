"""What other services make for somebody who is deleted already, because a call that nobody waits for any more is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.network.neutrons import FakeNeutron, FakeWires
from tests.drivers.volume.cinders import Cluster
from tests.world import ME, World
from zun import errors
from zun.conductor import latecomers
from zun.conductor.latecomers import LATE, PAGE, PAGES
from zun.domain.container import Container
from zun.domain.event import Event, Kind, What
from zun.drivers.network.activity import Activity
from zun.drivers.network.cloud import INTERFACE, OWN, OWNER, Port
from zun.drivers.network.engine import EngineNetwork
from zun.drivers.network.names import Names
from zun.drivers.network.neutron import NeutronNetwork
from zun.drivers.network.ports import Ports, group_name
from zun.drivers.volume.several import SeveralVolumes

#: seconds between two rounds
EVERY = 300


class Cloud:
    """A world with networks, in which calls are carried out late."""

    def __init__(self, folder: Path) -> None:
        self.neutron = FakeNeutron()
        self.net = self.neutron.add_network(ME.project_id).id
        wires = FakeWires(self.neutron)
        activity = Activity(self.neutron, host="one", timeout=5, clock=lambda: 0.0, sleep=lambda seconds: None)
        network = NeutronNetwork(self.neutron, Ports(self.neutron, host="one"), activity, lambda: wires, Names(folder / "names"))
        self.asked: list[int] = []
        there = self.neutron.ports_of

        def ports_of(devices: Any) -> list[Port]:
            self.asked.append(len(devices))
            return there(devices)

        self.neutron.ports_of = ports_of  # type: ignore[method-assign]
        self.cluster = Cluster(folder / "cluster")
        self.cinder = self.cluster.cinder
        self.volume = self.cinder.add(ME.project_id).id
        self.cinder.on_disk[self.volume] = "ext4"
        self.world = World(folder, network=network, volumes=self._volumes)

    def _volumes(self, host: str) -> SeveralVolumes:
        cinder = self.cluster.driver(host)
        return SeveralVolumes({"volume": cinder, "cinder": cinder}, {})

    def deleted(self) -> Container:
        made = self.world.create(exposed_ports={"80/tcp": {}}, mounts=[{"type": "volume", "source": self.volume, "destination": "/data"}])
        self.world.delete(made, force=True)
        assert self.world.container(made.uuid) is None
        assert self.neutron.ports(device_id=made.uuid) == []
        assert self.cinder.attachments(made.uuid) == []
        return made

    def attach(self, instance: str, volume: str | None = None) -> str:
        """What a call of a host's does that was given up. Its id."""
        return self.cinder.attach(volume or self.volume, instance, {"host": "one"}).id

    def port(self, device: str, **profile: Any) -> str:
        body = {"network_id": self.net, "project_id": ME.project_id, "device_id": device, "device_owner": OWNER, "binding_host_id": "one"}
        return self.neutron.make_port({**body, "binding_profile": profile}).id

    def late(self, device: str) -> str:
        return self.port(device, **{OWN: True, INTERFACE: "eth0"})

    def round(self, after: float = EVERY) -> None:
        self.world.clock.pass_time(after)
        self.world.latecomers.run()

    @property
    def ports(self) -> list[str]:
        return list(self.neutron.known_ports)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.world.stop()


def test_a_port_and_a_group_that_come_after_the_deletion_are_taken_away(cloud: Cloud) -> None:
    gone = cloud.deleted()
    cloud.round()
    cloud.late(gone.uuid)
    cloud.neutron.make_group(group_name(gone.uuid), "", ME.project_id)
    cloud.round()
    assert (cloud.ports, cloud.neutron.known_groups) == ([], {})


def test_a_port_of_a_capsule_is_one_of_these(cloud: Cloud) -> None:
    (member,) = cloud.world.create_capsule({})
    capsule = cloud.world.sandbox(member)
    assert capsule is not None
    cloud.world.verbs.delete_capsule(ME, capsule)
    cloud.world.settle()
    assert (cloud.world.containers(), cloud.ports) == ([], [])
    cloud.late(capsule.uuid)
    cloud.round()
    assert cloud.ports == []


def test_a_port_of_a_users_that_was_taken_too_late_is_given_back(cloud: Cloud) -> None:
    gone = cloud.deleted()
    mine = cloud.port(gone.uuid, **{INTERFACE: "eth0", "his": "own"})
    cloud.round()
    port = cloud.neutron.port(mine)
    assert port is not None
    assert (port.device_id, port.device_owner, port.host, port.profile) == ("", "", "", {"his": "own"})


def test_what_a_forced_deletion_has_left_while_neutron_was_away_is_one_of_these(cloud: Cloud) -> None:
    made = cloud.world.create()
    there = cloud.neutron.ports

    def away(**where: str) -> list[Port]:
        raise errors.NetworkUnavailable(reason="away")

    cloud.neutron.ports = away  # type: ignore[method-assign]
    cloud.world.delete(made, force=True)
    assert cloud.world.container(made.uuid) is None
    cloud.round()
    assert len(cloud.ports) == 1
    cloud.neutron.ports = there  # type: ignore[method-assign]
    cloud.round()
    assert cloud.ports == []


def test_whatever_is_not_known_to_be_ours_is_left_alone(cloud: Cloud) -> None:
    gone = cloud.deleted()
    by_hand = cloud.port(gone.uuid)
    of_others = cloud.late("5d0c2a57-9f0e-4d0c-8a51-0d7f6a3f2f10")
    living = cloud.world.create()
    before = cloud.ports
    for _ in range(3):
        cloud.round()
    assert cloud.ports == before
    assert {by_hand, of_others} < set(before)
    assert [port.status for port in cloud.neutron.ports(device_id=living.uuid)] == ["ACTIVE"]


def test_who_has_a_row_has_his_ports_whatever_the_events_say(cloud: Cloud) -> None:
    living = cloud.world.create()
    with cloud.world.store.write() as tx:
        tx.tell(Event(uuid="", project_id=ME.project_id, kind=Kind.CONTAINER, what=What.DELETED, resource_uuid=living.uuid))
    before = cloud.ports
    cloud.round()
    assert (cloud.ports, len(before)) == (before, 1)


def test_a_deletion_is_looked_at_for_a_quarter_of_an_hour_and_then_no_more(cloud: Cloud) -> None:
    cloud.deleted()
    for _ in range(10):
        cloud.round()
    assert cloud.asked == [1] * (int(LATE.total_seconds()) // EVERY)


def test_between_two_rounds_and_where_nothing_was_deleted_nobody_is_asked(cloud: Cloud) -> None:
    cloud.world.create()
    cloud.round()
    assert cloud.asked == []
    cloud.deleted()
    cloud.round()
    cloud.round(after=1)
    assert cloud.asked == [1]


def test_a_conductor_that_begins_looks_at_all_that_is_told_still(cloud: Cloud) -> None:
    gone = cloud.deleted()
    cloud.round(after=7200)
    cloud.late(gone.uuid)
    cloud.round()
    assert len(cloud.ports) == 1, "nobody expects it any more"
    cloud.world.begin_conductor()
    cloud.round()
    assert cloud.ports == []


def test_no_round_asks_without_end_and_the_next_goes_on_at_once(cloud: Cloud) -> None:
    count = PAGE * PAGES + 10
    with cloud.world.store.write() as tx:
        for number in range(count):
            tx.tell(Event(uuid="", project_id=ME.project_id, kind=Kind.CONTAINER, what=What.DELETED, resource_uuid=f"gone-{number}"))
    cloud.round(after=3600)
    assert cloud.asked == [PAGE] * PAGES
    cloud.round(after=30)
    assert cloud.asked == [*[PAGE] * PAGES, 10]
    cloud.round(after=30)
    assert sum(cloud.asked) == count


@pytest.mark.parametrize("step", ["ports_of", "groups_named", "ports", "delete_port", "groups", "delete_group"])
def test_while_neutron_is_away_it_waits_and_keeps_nothing_else_waiting(cloud: Cloud, step: str) -> None:
    gone = [cloud.deleted(), cloud.deleted()]
    for one in gone:
        cloud.late(one.uuid)
        cloud.neutron.make_group(group_name(one.uuid), "", ME.project_id)
    there = getattr(cloud.neutron, step)
    failed = []

    def away(*asked: Any, **more: Any) -> Any:
        failed.append(asked)
        raise errors.NetworkUnavailable(reason="away")

    setattr(cloud.neutron, step, away)
    cloud.round()
    cloud.round(after=latecomers.LATE.total_seconds() * 2)
    assert failed
    assert cloud.neutron.known_groups
    setattr(cloud.neutron, step, there)
    cloud.round()
    assert (cloud.ports, cloud.neutron.known_groups) == ([], {})


def test_an_attachment_that_comes_after_the_deletion_is_taken_away(cloud: Cloud) -> None:
    gone = cloud.deleted()
    cloud.round()
    cloud.attach(gone.uuid)
    assert cloud.cinder.known[cloud.volume].status == "attaching"
    cloud.round()
    assert (cloud.cinder.attached, cloud.cinder.known[cloud.volume].status) == ({}, "available")


def test_only_attachments_that_are_not_done_and_of_whom_we_have_deleted_are_taken_away(cloud: Cloud) -> None:
    """Whoever else has volumes, and what a host may still have mounted."""
    gone = cloud.deleted()
    done = cloud.attach(gone.uuid)
    cloud.cinder.complete(done)
    others = [cloud.attach(instance, cloud.cinder.add(ME.project_id).id) for instance in ("a-server", "another")]
    mine = cloud.cinder.add(ME.project_id).id
    cloud.cinder.on_disk[mine] = "ext4"
    living = cloud.world.create(mounts=[{"type": "volume", "source": mine, "destination": "/data"}])
    cloud.attach(living.uuid, cloud.cinder.add(ME.project_id).id)
    late = cloud.attach(gone.uuid, cloud.cinder.add(ME.project_id).id)
    before = set(cloud.cinder.attached)
    for _ in range(3):
        cloud.round()
    assert before - cloud.cinder.attached.keys() == {late}
    assert {done, *others} <= cloud.cinder.attached.keys()
    assert len(cloud.cinder.attachments(living.uuid)) == 2


@pytest.mark.parametrize("step", ["begun", "attachments", "detach"])
def test_while_cinder_is_away_neutron_does_not_wait(cloud: Cloud, step: str) -> None:
    gone = cloud.deleted()
    cloud.attach(gone.uuid)
    cloud.late(gone.uuid)
    cloud.cinder.failing = {step: errors.VolumesUnavailable(reason="away")}
    cloud.round()
    cloud.round(after=LATE.total_seconds() * 2)
    assert (cloud.ports, len(cloud.cinder.attached)) == ([], 1)
    cloud.cinder.failing = {}
    cloud.round()
    assert cloud.cinder.attached == {}


def test_a_round_that_has_much_to_look_at_comes_to_its_end(cloud: Cloud) -> None:
    """All of it young, so that every round looks at all of it."""
    count = PAGE * PAGES + 10
    with cloud.world.store.write() as tx:
        for number in range(count):
            tx.tell(Event(uuid="", project_id=ME.project_id, kind=Kind.CONTAINER, what=What.DELETED, resource_uuid=f"gone-{number}"))
    cloud.late(f"gone-{count - 1}")
    for begun in (EVERY, EVERY):
        cloud.asked.clear()
        cloud.round(after=begun)
        assert cloud.asked == [PAGE] * PAGES
        cloud.round(after=1)
        assert cloud.asked == [*[PAGE] * PAGES, 10]
        cloud.round(after=1)
        assert sum(cloud.asked) == count
        assert cloud.ports == []


def test_where_all_is_on_the_hosts_there_is_nobody_to_ask(tmp_path: Path) -> None:
    assert EngineNetwork().left(["anybody"]) == []
