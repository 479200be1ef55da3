"""What is left in other services by what is no more, and volumes of what was never accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.drivers.network.neutrons import FakeNeutron, FakeWires
from tests.drivers.volume.cinders import TOKEN, Cluster
from tests.world import ME, World
from zun import errors
from zun.conductor.accept import Defaults
from zun.conductor.leavings import UNBORN
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Service
from zun.domain.idempotency import Once
from zun.domain.lifecycle import Status
from zun.domain.quota import Quota
from zun.domain.volume import Leaving, MadeVolume
from zun.drivers.network.activity import Activity
from zun.drivers.network.names import Names
from zun.drivers.network.neutron import NeutronNetwork
from zun.drivers.network.ports import Ports
from zun.drivers.volume.cloud import Volume
from zun.drivers.volume.local import LocalVolumes
from zun.drivers.volume.several import SeveralVolumes

USER = replace(ME, token=TOKEN)
NEW = {"type": "volume", "size": 1, "destination": "/new"}
QUOTA = Quota(containers=2, cpu=-1, memory=-1, disk=-1)


class Cloud:
    """A world with networks and volumes."""

    def __init__(self, folder: Path) -> None:
        self.neutron = FakeNeutron()
        self.wires = FakeWires(self.neutron)
        self.neutron.add_network(ME.project_id)
        self.mine = self.neutron.make_port({"network_id": next(iter(self.neutron.nets)), "project_id": ME.project_id}).id
        activity = Activity(self.neutron, host="one", timeout=5, clock=lambda: 0.0, sleep=lambda seconds: None)
        network = NeutronNetwork(self.neutron, Ports(self.neutron, host="one"), activity, lambda: self.wires, Names(folder / "names"))
        self.cluster = Cluster(folder / "cluster")
        self.cinder = self.cluster.cinder
        self.kept = self.cinder.add(ME.project_id).id
        self.cinder.on_disk[self.kept] = "ext4"

        def drivers(host: str) -> SeveralVolumes:
            local, cinder = LocalVolumes(folder / host), self.cluster.driver(host)
            return SeveralVolumes({"bind": local, "empty": local, "volume": cinder, "cinder": cinder}, {})

        self.world = World(folder, network=network, volumes=drivers, defaults=Defaults(quota=QUOTA))

    def create(self, **asked: object) -> Container:
        mounts = [{"type": "volume", "source": self.kept, "destination": "/kept"}, NEW]
        return self.world.create(caller=USER, nets=[{"port": self.mine}], exposed_ports={"80/tcp": {}}, mounts=mounts, **asked)

    def lose_host(self) -> None:
        """It burns down, and an operator says so."""
        self.world.kill()
        self.say_down(True)

    def say_down(self, down: bool) -> None:
        with self.world.store.write() as tx:
            (service,) = tx.find(Service, {"binary": COMPUTE})
            tx.save(replace(service, forced_down=down))

    def new(self) -> list[str]:
        return [volume for volume in self.cinder.known if volume != self.kept]

    def rows(self) -> list[object]:
        with self.world.store.read() as tx:
            return [*tx.find(Leaving), *tx.find(MadeVolume)]

    def clear(self) -> None:
        for _ in range(2):
            self.world.leavings.run()

    def is_free(self) -> None:
        """Nobody has anything in Neutron and Cinder, and the user has what was his before."""
        port = self.neutron.port(self.mine)
        assert port is not None and (port.device_id, port.host, list(self.neutron.known_ports)) == ("", "", [self.mine])
        assert (self.neutron.known_groups, self.cinder.attached) == ({}, {})
        assert (self.cinder.known[self.kept].status, self.new(), self.rows()) == ("available", [], [])


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.world.stop()


def test_what_a_container_of_a_dead_host_has_is_given_back_when_it_is_deleted_by_force(cloud: Cloud) -> None:
    made = cloud.create()
    assert made.status is Status.RUNNING
    cloud.lose_host()
    cloud.world.delete(made, force=True, settle=False)
    cloud.clear()
    assert cloud.world.container(made.uuid) is None
    cloud.is_free()


def test_a_host_that_returns_takes_off_what_is_left_there(cloud: Cloud) -> None:
    made = cloud.create()
    cloud.lose_host()
    cloud.world.delete(made, force=True, settle=False)
    cloud.clear()
    cloud.say_down(False)
    cloud.world.begin()
    cloud.world.settle()
    cloud.world.scans()
    assert (cloud.cluster.left(), cloud.wires.wires, cloud.world.engines["one"].things) == ([], {}, {})


def test_a_deletion_that_waits_for_its_host_waits_no_longer_when_that_is_down(cloud: Cloud) -> None:
    made = cloud.create()
    cloud.world.kill()
    cloud.world.delete(made, force=True, settle=False)
    cloud.clear()
    assert cloud.world.container(made.uuid) is not None, "nobody knows yet that its host is down"
    cloud.say_down(True)
    cloud.clear()
    assert cloud.world.container(made.uuid) is None
    cloud.is_free()


def test_who_is_deaf_buries_nobody(cloud: Cloud) -> None:
    made = cloud.create()
    cloud.world.kill()
    cloud.world.clock.pass_time(1000)
    cloud.world.hearing = lambda: None
    cloud.world.delete(made, force=True, settle=False)
    cloud.clear()
    assert cloud.world.container(made.uuid) is not None
    assert len(cloud.cinder.attached) == 2


def test_a_deletion_that_is_not_forced_waits_for_its_host(cloud: Cloud) -> None:
    made = cloud.world.do("stop", cloud.create())
    assert made is not None
    cloud.world.kill()
    cloud.world.delete(made, settle=False)
    cloud.say_down(True)
    cloud.clear()
    assert cloud.world.container(made.uuid) is not None
    assert len(cloud.cinder.attached) == 2


def test_a_capsule_of_a_dead_host_is_deleted_without_it(cloud: Cloud) -> None:
    volumes = [{"name": "new", "type": "cinder", "size": 1, "stays": False}]
    mount = {"volume_mounts": [{"volume": "new", "destination": "/new"}]}
    (made,) = cloud.world.create_capsule(mount, caller=USER, volumes=volumes)
    cloud.lose_host()
    sandbox = cloud.world.sandbox(made)
    assert sandbox is not None and len(cloud.neutron.ports(device_id=sandbox.uuid)) == 1
    cloud.world.verbs.delete_capsule(ME, sandbox)
    cloud.clear()
    assert cloud.world.containers() == []
    cloud.is_free()


@pytest.mark.parametrize("service", ["neutron", "cinder"])
def test_what_cannot_be_given_back_now_is_given_back_later(cloud: Cloud, service: str) -> None:
    made = cloud.create()
    cloud.lose_host()
    cloud.world.delete(made, force=True, settle=False)
    if service == "cinder":
        cloud.cinder.failing = dict.fromkeys(["attachments", "volume"], errors.VolumesUnavailable(reason="away"))
    else:
        there = cloud.neutron.ports

        def away(**where: str) -> list[object]:
            raise errors.NetworkUnavailable(reason="away")

        cloud.neutron.ports = away  # type: ignore[method-assign]
    cloud.clear()
    assert cloud.world.container(made.uuid) is None, "its user need not wait"
    assert len(cloud.cinder.attached) == 2
    cloud.cinder.failing = {}
    if service == "neutron":
        cloud.neutron.ports = there  # type: ignore[method-assign]
    cloud.clear()
    cloud.is_free()


def deleted_by_force_while_cinder_is_away(cloud: Cloud) -> None:
    made = cloud.create()
    cloud.cinder.failing = dict.fromkeys(["attachments", "detach", "volume", "delete_volume"], errors.VolumesUnavailable(reason="away"))
    cloud.world.delete(made, force=True)
    assert cloud.world.container(made.uuid) is None, "its user need not wait"
    cloud.cinder.failing = {}


def test_what_a_forced_deletion_could_not_take_off_is_its_hosts_to_take_off_first(cloud: Cloud) -> None:
    deleted_by_force_while_cinder_is_away(cloud)
    cloud.clear()
    assert len(cloud.cinder.attached) == 2, "it may be mounted there"
    cloud.world.scans()
    assert cloud.cluster.left() == []
    cloud.clear()
    cloud.is_free()


def test_what_a_forced_deletion_could_not_take_off_goes_without_its_host_when_that_is_down(cloud: Cloud) -> None:
    deleted_by_force_while_cinder_is_away(cloud)
    cloud.lose_host()
    cloud.clear()
    cloud.is_free()


def test_what_a_forced_deletion_could_not_take_off_goes_when_its_host_is_forgotten(cloud: Cloud) -> None:
    deleted_by_force_while_cinder_is_away(cloud)
    cloud.lose_host()
    with cloud.world.store.write() as tx:
        for service in tx.find(Service, {"binary": COMPUTE}):
            tx.drop(service)
    cloud.clear()
    cloud.is_free()


def test_of_a_deletion_that_left_nothing_nothing_is_looked_for(cloud: Cloud) -> None:
    cloud.world.delete(cloud.create(), force=True)
    assert not [row for row in cloud.rows() if isinstance(row, Leaving)]


def test_a_volume_of_a_request_that_is_refused_afterwards_is_undone_at_once(cloud: Cloud) -> None:
    cloud.world.create(), cloud.world.create()
    with pytest.raises(errors.OverQuota):
        cloud.world.create(caller=USER, mounts=[NEW])
    assert cloud.new() == []
    cloud.clear()
    assert cloud.rows() == []


def test_a_volume_that_cannot_be_undone_at_once_is_undone_later(cloud: Cloud) -> None:
    """It is still being made, and cannot be deleted."""
    cloud.world.create(), cloud.world.create()
    cloud.cinder.first_status = "creating"
    with pytest.raises(errors.OverQuota):
        cloud.world.create(caller=USER, mounts=[NEW])
    (volume,) = cloud.new()
    cloud.clear()
    assert cloud.new() == [volume]
    cloud.cinder.known[volume] = replace(cloud.cinder.known[volume], status="available")
    cloud.clear()
    assert (cloud.new(), cloud.rows()) == ([], [])


@pytest.mark.parametrize("answered", [True, False])
def test_a_process_that_dies_before_it_has_accepted_leaves_no_volume(cloud: Cloud, answered: bool) -> None:
    """A crash between Cinder's answer and the row of the container, or before the answer came."""
    cloud.cinder.make_volume({"name": "zun-lost-0", "size": 1, "metadata": {"zun_owner": "lost"}}, ME.project_id, TOKEN)
    (volume,) = cloud.new()
    with cloud.world.store.write() as tx:
        intent = MadeVolume(uuid="intent", project_id=ME.project_id, owner_uuid="lost", name="zun-lost-0", size=1)
        tx.add(replace(intent, volume_id=volume if answered else None))
    cloud.clear()
    assert cloud.new() == [volume], "its request may still be under way"
    cloud.world.clock.pass_time((UNBORN + timedelta(seconds=1)).total_seconds())
    cloud.clear()
    assert (cloud.new(), cloud.rows()) == ([], [])


def test_when_cinder_is_away_nothing_is_accepted(cloud: Cloud) -> None:
    cloud.cinder.failing = dict.fromkeys(["volume", "make_volume"], errors.VolumesUnavailable(reason="away"))
    for mount in (NEW, {"type": "volume", "source": cloud.kept, "destination": "/kept"}):
        with pytest.raises(errors.VolumesUnavailable):
            cloud.world.create(caller=USER, mounts=[mount])
    assert cloud.world.containers() == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_volume_that_cinder_makes_when_nobody_waits_for_it_any_more_is_deleted(cloud: Cloud, place: int) -> None:
    """The call was given up; Cinder carries it out later, of the first or of the second volume."""
    make, asked = cloud.cinder.make_volume, []

    def late(body: Mapping[str, Any], project_id: str, token: str) -> Volume:
        asked.append((body, project_id, token))
        if len(asked) > place:
            raise errors.VolumesUnavailable(reason="no answer")
        return make(body, project_id, token)

    cloud.cinder.make_volume = late  # type: ignore[method-assign]
    with pytest.raises(errors.VolumesUnavailable):
        cloud.world.create(caller=USER, mounts=[NEW, {**NEW, "destination": "/other"}, {**NEW, "destination": "/third"}])
    cloud.clear()
    assert (cloud.new(), len(cloud.rows()), len(asked)) == ([], 1, place + 1), "only of what was asked for it is not known"
    make(*asked[-1])
    cloud.clear()
    assert cloud.new() == []
    cloud.world.clock.pass_time((UNBORN + timedelta(seconds=1)).total_seconds())
    cloud.clear()
    assert cloud.rows() == []


def test_a_volume_that_cinder_refuses_is_not_waited_for(cloud: Cloud) -> None:
    cloud.cinder.quota = 0
    with pytest.raises(errors.NewVolumeForbidden):
        cloud.world.create(caller=USER, mounts=[NEW, {**NEW, "destination": "/other"}])
    assert cloud.rows() == []


def test_a_request_that_is_repeated_under_its_key_makes_no_other_volume(cloud: Cloud) -> None:
    key = Once(token="order", fingerprint="f" * 64)
    asked = {
        "image": "busybox",
        "cpu": 0.1,
        "memory": 16,
        "mounts": [NEW, {"type": "volume", "source": cloud.kept, "destination": "/kept"}],
    }
    first = cloud.world.accept.create(USER, dict(asked), True, key)
    cloud.world.settle()
    assert cloud.world.accept.create(USER, dict(asked), True, key).uuid == first.uuid
    assert len(cloud.new()) == 1


def test_the_token_is_written_nowhere(cloud: Cloud) -> None:
    cloud.create()
    assert TOKEN not in repr(USER)
    with cloud.world.store.read() as tx:
        assert TOKEN not in repr([*tx.find(Container), *tx.find(MadeVolume), *cloud.world.actions()])
