"""The driver of Cinder's volumes, with a small Cinder and a host that only writes down what it is told to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.drivers.volume.cinders import TOKEN, Cluster, FakeGround
from zun import errors
from zun.conformance.volumes import VolumesSuite, new, wish
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MADE
from zun.drivers.volume.attached import FORMATTING
from zun.drivers.volume.cinder import CinderVolumes


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.fixture
def ground(cluster: Cluster) -> FakeGround:
    return FakeGround(cluster)


@pytest.fixture
def volumes(cluster: Cluster) -> CinderVolumes:
    return cluster.driver("one")


class TestCinder(VolumesSuite):
    pass


def made(volumes: CinderVolumes, ground: FakeGround) -> Container:
    """A container with a new volume, which is not attached yet."""
    container = wish(ground, {"size": 1})
    volume = volumes.make(new(ground, container.uuid), TOKEN)
    return replace(container, mounts=[{**container.mounts[0], "source": volume, MADE: True}])


def test_a_making_of_a_file_system_that_was_broken_off_is_begun_anew(cluster: Cluster, ground: FakeGround) -> None:
    """What is there then is half a file system, and nobody's."""
    container = made(cluster.driver("one"), ground)
    volume, host = container.mounts[0]["source"], cluster.host("one")
    host.broken = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        cluster.driver("one").attach(container)
    host.broken = None
    cluster.cinder.on_disk[volume] = "garbage"
    cluster.driver("one").attach(container)
    assert ground.has_file_system(volume)


def test_a_making_of_a_file_system_that_has_failed_is_begun_anew_by_whichever_host(cluster: Cluster, ground: FakeGround) -> None:
    """Its create was undone, so that the first host remembers nothing of it."""
    container = made(cluster.driver("one"), ground)
    volume, host = container.mounts[0]["source"], cluster.host("one")
    host.broken = OSError("the storage went away")
    with pytest.raises(errors.VolumeFailed, match="went away"):
        cluster.driver("one").attach(container)
    cluster.driver("one").detach(container)
    assert (ground.left(), cluster.cinder.on_disk[volume]) == ([], "garbage")
    cluster.driver("two").attach(container)
    assert cluster.host("two").formatted == [volume]
    assert FORMATTING not in cluster.cinder.known[volume].metadata


def test_a_volume_that_was_once_mounted_is_never_made_again(cluster: Cluster, ground: FakeGround) -> None:
    """Whatever is on it, and whatever its user writes on it in Cinder."""
    container = made(cluster.driver("one"), ground)
    volume = container.mounts[0]["source"]
    cluster.driver("one").attach(container)
    assert FORMATTING not in cluster.cinder.known[volume].metadata
    cluster.driver("one").detach(container)
    cluster.cinder.files[volume] = "written"
    cluster.cinder.mark(volume, FORMATTING, container.uuid)
    cluster.driver("one").attach(container)
    assert (cluster.cinder.files[volume], cluster.host("one").formatted) == ("written", [volume])
    cluster.driver("one").detach(container)
    cluster.cinder.on_disk[volume] = "garbage"
    for one in (container, replace(container, incarnation=1)):
        if one.incarnation:
            cluster.cinder.mark(volume, FORMATTING, container.uuid)
        with pytest.raises(errors.VolumeFailed, match="is not blank"):
            cluster.driver("two").attach(one)
        cluster.driver("two").detach(one)
    assert (cluster.cinder.on_disk[volume], cluster.host("two").formatted) == ("garbage", [])


def test_a_mark_that_is_for_somebody_else_or_on_a_users_own_volume_says_nothing(cluster: Cluster, ground: FakeGround) -> None:
    container = made(cluster.driver("one"), ground)
    volume = container.mounts[0]["source"]
    cluster.cinder.on_disk[volume] = "garbage"
    cluster.cinder.mark(volume, FORMATTING, "somebody-else")
    with pytest.raises(errors.VolumeFailed, match="is not blank"):
        cluster.driver("one").attach(container)
    cluster.driver("one").detach(container)
    mine = wish(ground, {"source": volume})
    cluster.cinder.mark(volume, FORMATTING, mine.uuid)
    with pytest.raises(errors.VolumeFailed, match="it has no file system"):
        cluster.driver("one").attach(mine)
    assert cluster.cinder.on_disk[volume] == "garbage"


@pytest.mark.parametrize("call", ["mark", "unmark"])
def test_nothing_is_made_without_a_mark_and_nothing_mounted_with_one(cluster: Cluster, ground: FakeGround, call: str) -> None:
    container = made(cluster.driver("one"), ground)
    volume, host = container.mounts[0]["source"], cluster.host("one")
    cluster.cinder.failing = {call: errors.VolumesUnavailable(reason="away")}
    with pytest.raises(errors.VolumesUnavailable):
        cluster.driver("one").attach(container)
    assert (host.formatted, host.mounts) == ([volume] if call == "unmark" else [], {})
    cluster.cinder.failing = {}
    cluster.driver("one").attach(container)
    assert (host.formatted, len(host.mounts)) == ([volume], 1)
    assert FORMATTING not in cluster.cinder.known[volume].metadata


def test_a_capsules_volume_is_made_anew_only_before_it_has_run(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    sandbox = Sandbox(uuid="capsule", project_id=ground.project, user_id="user", capsule=True)
    volume = volumes.make(new(ground, sandbox.uuid), TOKEN)
    sandbox = replace(sandbox, volumes=[{"name": "data", "type": "cinder", "source": volume, MADE: True}])
    cluster.cinder.on_disk[volume] = "garbage"
    cluster.cinder.mark(volume, FORMATTING, sandbox.uuid)
    with pytest.raises(errors.VolumeFailed, match="is not blank"):
        volumes.attach_shared(replace(sandbox, engine_id="engine"))
    volumes.attach_shared(sandbox)
    assert ground.has_file_system(volume)


def test_what_a_container_has_written_survives_every_return(cluster: Cluster, ground: FakeGround) -> None:
    container = made(cluster.driver("one"), ground)
    volume = container.mounts[0]["source"]
    cluster.driver("one").attach(container)
    cluster.cinder.files[volume] = "written"
    cluster.host("one").reboot()
    cluster.driver("one").attach(container)
    assert (cluster.cinder.files[volume], cluster.host("one").formatted) == ("written", [volume])
    assert len(cluster.cinder.attached) == 1


def test_where_all_is_well_cinder_is_not_asked(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    container = volumes.choose(wish(ground, {"source": ground.volume(content="precious")}))
    binds = volumes.attach(container)
    cluster.cinder.failing = dict.fromkeys(["volume", "attach", "refresh", "complete"], errors.VolumesUnavailable(reason="away"))
    assert cluster.driver("one").attach(container) == binds


def test_an_attachment_that_somebody_has_deleted_is_made_anew(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    """How the volume was reached before says nothing of now: another one may be there."""
    container = volumes.choose(wish(ground, {"source": ground.volume(content="precious")}))
    volumes.attach(container)
    (before,) = cluster.cinder.attached
    cluster.cinder.detach(before)
    cluster.host("one").reboot()
    volumes.attach(container)
    (after,) = cluster.cinder.attached
    assert after != before


CALLS = ("volume", "attachments", "attach", "complete")


@pytest.mark.parametrize("call", CALLS)
def test_whatever_cinder_does_not_answer_can_be_tried_again_and_undone(cluster: Cluster, ground: FakeGround, call: str) -> None:
    for again in (True, False):
        container = cluster.driver("one").choose(wish(ground, {"source": ground.volume(content="precious")}))
        cluster.cinder.failing = {call: errors.VolumesUnavailable(reason="away")}
        with pytest.raises(errors.VolumesUnavailable):
            cluster.driver("one").attach(container)
        cluster.cinder.failing = {}
        if again:
            cluster.driver("one").attach(container)
        cluster.driver("one").detach(container)
        assert ground.left() == []


def test_a_host_is_rid_of_a_volume_before_cinder_is_told(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    container = volumes.choose(wish(ground, {"source": ground.volume(content="precious")}))
    volumes.attach(container)
    cluster.cinder.failing = {"detach": errors.VolumesUnavailable(reason="away")}
    with pytest.raises(errors.VolumesUnavailable):
        volumes.detach(container)
    assert (cluster.host("one").mounts, cluster.host("one").devices) == ({}, set())
    assert volumes.left() == [container.uuid], "it is not forgotten"
    cluster.cinder.failing = {}
    cluster.driver("one").clean(container.uuid)
    assert ground.left() == []


def test_a_volume_that_one_reads_and_another_writes_can_be_written(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    volume = ground.volume(content="precious", multiattach=True)
    reader = volumes.choose(wish(ground, {"source": volume, "read_only": True}))
    volumes.attach(reader)
    (mount,) = cluster.host("one").mounts.values()
    assert mount == (volume, True)
    writer = volumes.choose(wish(ground, {"source": volume}))
    volumes.attach(writer)
    (mount,) = cluster.host("one").mounts.values()
    assert mount == (volume, False)


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"status": "error"}, "it is error"),
        ({"status": "deleting"}, "it is deleting"),
        ({"encrypted": True}, "it is encrypted"),
    ],
)
def test_volumes_that_cannot_be_had(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes, known: dict[str, Any], why: str) -> None:
    volume = cluster.cinder.add(ground.project, **known)
    with pytest.raises(errors.VolumeNotUsable, match=why):
        volumes.choose(wish(ground, {"source": volume.id}))


def test_a_volume_that_was_only_just_asked_for_is_accepted(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    volume = cluster.cinder.add(ground.project, status="creating")
    assert volumes.choose(wish(ground, {"source": volume.id})).mounts[0]["source"] == volume.id


def test_a_name_that_several_volumes_have_says_nothing(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    one = cluster.cinder.add(ground.project, name="data")
    assert volumes.choose(wish(ground, {"source": "data"})).mounts[0]["source"] == one.id
    cluster.cinder.add(ground.project, name="data")
    with pytest.raises(errors.SeveralMatches):
        volumes.choose(wish(ground, {"source": "data"}))


def test_a_new_volume_that_never_is_ready_or_fails_is_told_of(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    for status, why in (("creating", "it is still creating after 5 s"), ("error", "Cinder could not make it")):
        cluster.cinder.first_status = status
        container = made(volumes, ground)
        with pytest.raises(errors.VolumeFailed, match=why):
            volumes.attach(container)
        volumes.detach(container)
        assert ground.left() == []


def test_a_new_volume_of_an_encrypted_type_is_not_written_as_plain_text(
    cluster: Cluster, ground: FakeGround, volumes: CinderVolumes
) -> None:
    cluster.cinder.encrypting = True
    container = made(volumes, ground)
    with pytest.raises(errors.VolumeFailed, match="it is encrypted"):
        volumes.attach(container)
    assert not cluster.cinder.attached


def test_a_new_volume_goes_though_an_attachment_has_come_too_late(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    container = made(volumes, ground)
    volume = container.mounts[0]["source"]
    volumes.attach(container)
    volumes.detach(container)
    cluster.cinder.attach(volume, container.uuid, {"host": "one"})
    volumes.remove(container)
    assert (ground.status(volume), cluster.cinder.attached) == (None, {})


def test_what_somebody_has_is_held_until_it_is_given_back(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    container = made(volumes, ground)
    held = [volumes.held(container.uuid)]
    volumes.attach(container)
    held += [volumes.held(container.uuid), volumes.held("another")]
    volumes.release(container.uuid)
    assert [*held, volumes.held(container.uuid)] == [False, True, False, False]


def test_what_was_begun_for_somebody_is_given_up_and_nothing_else(cluster: Cluster, volumes: CinderVolumes) -> None:
    for number, instance in enumerate(("gone", "gone", "living")):
        made = cluster.cinder.attach(cluster.cinder.add("project").id, instance, {"host": "one"})
        if number == 0:
            cluster.cinder.complete(made.id)
    assert volumes.begun(["gone", "nobody"]) == ["gone"]
    volumes.give_up("gone")
    volumes.give_up("gone")
    assert volumes.begun(["gone", "living"]) == ["living"]
    assert sorted(each.instance for each in cluster.cinder.attached.values()) == ["gone", "living"]


def test_without_a_token_nothing_new_is_made(volumes: CinderVolumes, ground: FakeGround) -> None:
    with pytest.raises(errors.NotOffered):
        volumes.make(new(ground, "owner"), "")


def test_a_volume_with_its_users_snapshots_stays_with_him(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    container = made(volumes, ground)
    cluster.cinder.failing = {"delete_volume": errors.VolumesRefused(reason="it has snapshots")}
    volumes.remove(container)
    assert ground.status(container.mounts[0]["source"]) == "available"


def test_what_the_host_remembers_is_for_nobody_else(cluster: Cluster, ground: FakeGround, volumes: CinderVolumes) -> None:
    volumes.attach(volumes.choose(wish(ground, {"source": ground.volume(content="precious")})))
    (file,) = (cluster.folder / "one" / "mnt").rglob("*.json")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
