"""The sagas with volumes of Cinder in them: whichever step fails or is killed, when it is over everybody has what he should have, nothing
is left of what is gone, and what a user keeps on a volume is still there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.drivers.volume.cinders import TOKEN, Cluster
from tests.hands import Killed
from tests.world import ME, World
from zun import errors
from zun.compute import whole
from zun.compute.verbs import SAGAS
from zun.domain.container import Container
from zun.domain.lifecycle import Status
from zun.domain.volume import MadeVolume
from zun.drivers.volume.local import LocalVolumes
from zun.drivers.volume.several import SeveralVolumes

USER = replace(ME, token=TOKEN)


class Place:
    """A world with volumes."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder / "cluster")
        self.cinder = self.cluster.cinder
        self.kept = self.cinder.add(ME.project_id).id
        self.cinder.on_disk[self.kept], self.cinder.files[self.kept] = "ext4", "precious"
        self._folder = folder
        self.world = World(folder, volumes=self._drivers)

    def _drivers(self, host: str) -> SeveralVolumes:
        local, cinder = LocalVolumes(self._folder / host), self.cluster.driver(host)
        return SeveralVolumes({"bind": local, "empty": local, "volume": cinder, "cinder": cinder}, {})

    def create(self, *, settle: bool = True) -> Container:
        """A container with a volume of its user's, a new one and a file."""
        mounts = [
            {"type": "volume", "source": self.kept, "destination": "/kept"},
            {"type": "bind", "source": "aGVsbG8=", "destination": "/file"},
            {"type": "volume", "size": 1, "destination": "/new"},
        ]
        return self.world.create(settle=settle, caller=USER, mounts=mounts)

    def create_capsule(self, *, settle: bool = True) -> list[Container]:
        """The same, shared by two containers."""
        mounts = [{"volume": name, "destination": f"/{name}"} for name in ("kept", "new", "stays", "empty")]
        volumes = [
            {"name": "kept", "type": "cinder", "source": self.kept},
            {"name": "new", "type": "cinder", "size": 1, "stays": False},
            {"name": "stays", "type": "cinder", "size": 1, "stays": True},
            {"name": "empty", "type": "empty"},
        ]
        return self.world.create_capsule({"volume_mounts": mounts}, {"volume_mounts": mounts}, caller=USER, settle=settle, volumes=volumes)

    def break_at(self, point: str, error: BaseException) -> None:
        """The first pass of a point fails so."""
        left = iter([error])

        def fault(reached: str) -> None:
            if reached == point:
                for what in left:
                    raise what

        self.world.fault = fault

    def clear(self) -> None:
        """The conductor's rounds go on for a while."""
        self.world.settle()
        for _ in range(2):
            self.world.leavings.run()

    def others(self) -> list[str]:
        """The volumes that there are besides the one that was there before."""
        return [volume for volume in self.cinder.known if volume != self.kept]

    def is_free(self) -> None:
        """Nobody has anything, on no host and in Cinder."""
        assert self.cluster.left() == []
        assert self.cinder.known[self.kept].status == "available"
        assert self.cinder.files[self.kept] == "precious"

    def is_gone(self, *, staying: int = 0) -> None:
        """Nothing is left but what is its user's."""
        self.clear()
        self.is_free()
        assert len(self.others()) == staying
        with self.world.store.read() as tx:
            assert tx.find(MadeVolume) == []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.world.stop()


#: Those that are a create's steps over again are here with the step that is about volumes only.
VERBS = ("create", "start", "reboot", "rebuild", "delete")
WHOLE = ("create", "delete")
POINTS = [
    pytest.param(verb, f"{step.name}:{when}", id=f"{verb}-{step.name}-{when}")
    for verb in VERBS
    for step in SAGAS[verb]
    if verb in WHOLE or step.name == "attach_volumes"
    for when in ("before", "after")
]
POINTS_OF_CAPSULES = [pytest.param(verb, f"{step.name}:after", id=f"{verb}-{step.name}") for verb in WHOLE for step in whole.SAGAS[verb]]


def before(place: Place, verb: str) -> Container | None:
    if verb == "create":
        return None
    made = place.create()
    return place.world.do("stop", made) if verb == "start" else made


def ask(place: Place, verb: str, container: Container | None) -> Container:
    """Ask for work, of which nothing is done yet."""
    if container is None:
        return place.create(settle=False)
    if verb == "delete":
        place.world.delete(container, settle=False, stop=True)
    else:
        place.world.do(verb, container, settle=False)
    return container


def has_both(place: Place, owner: str) -> bool:
    """Whether somebody has the volume that was there and a new one, on the host too."""
    attached = {each.volume_id for each in place.cinder.attached.values() if each.instance == owner}
    mounted = {volume for volume, _ in place.cluster.host("one").mounts.values()}
    return attached == mounted and place.kept in attached and len(attached) > 1


@pytest.mark.parametrize(("verb", "point"), POINTS)
def test_a_step_that_fails(place: Place, verb: str, point: str) -> None:
    container = before(place, verb)
    place.break_at(point, errors.EngineError(reason="so the test orders"))
    container = ask(place, verb, container)
    place.world.settle()
    place.world.fault = lambda point: None
    found = place.world.container(container.uuid)
    assert found is not None
    if verb == "create":
        assert found.status is Status.ERROR
        place.is_free()
        assert len(place.others()) == 1, "the new volume goes when the container does"
        place.world.do("start", found)
        assert place.world.container(found.uuid).status is Status.RUNNING  # type: ignore[union-attr]
    if verb != "delete":
        assert has_both(place, container.uuid)
    place.world.delete(place.world.container(container.uuid), force=True)  # type: ignore[arg-type]
    place.is_gone()


@pytest.mark.parametrize(("verb", "point"), POINTS)
def test_an_agent_that_is_killed_is_followed_by_one_that_does_it(place: Place, verb: str, point: str) -> None:
    container = before(place, verb)
    place.break_at(point, Killed())
    container = ask(place, verb, container)
    place.world.settle()
    found = place.world.container(container.uuid)
    if verb == "delete":
        assert found is None
    else:
        assert found is not None and found.status is Status.RUNNING
        assert has_both(place, container.uuid)
        assert len(place.cluster.host("one").formatted) == 1
        place.world.delete(found, force=True)
    place.is_gone()


@pytest.mark.parametrize(("verb", "point"), POINTS_OF_CAPSULES)
@pytest.mark.parametrize("how", ["fails", "is killed"])
def test_a_capsule(place: Place, how: str, verb: str, point: str) -> None:
    members = place.create_capsule() if verb == "delete" else []
    place.break_at(point, Killed() if how == "is killed" else errors.EngineError(reason="so the test orders"))
    if verb == "create":
        members = place.create_capsule(settle=False)
    sandbox = place.world.sandbox(members[0])
    assert sandbox is not None
    if verb == "delete":
        place.world.verbs.delete_capsule(ME, sandbox)
    place.world.settle()
    place.world.fault = lambda point: None
    if how == "is killed" and verb == "create":
        assert has_both(place, sandbox.uuid)
    elif verb == "create":
        place.is_free()
    if place.world.containers():
        place.world.verbs.delete_capsule(ME, sandbox)
    place.is_gone(staying=1)


@pytest.mark.parametrize("call", ["volume", "attachments", "attach", "complete", "detach", "delete_volume"])
def test_a_cinder_that_does_not_answer_for_a_while_is_waited_for(place: Place, call: str) -> None:
    place.cinder.failing = {call: errors.VolumesUnavailable(reason="away")} if call not in ("volume", "attach") else {}
    container = place.create(settle=False)
    place.cinder.failing = {call: errors.VolumesUnavailable(reason="away")}
    place.world.settle(longest=20)
    place.cinder.failing = {}
    place.world.settle()
    assert has_both(place, container.uuid)
    place.cinder.failing = {call: errors.VolumesUnavailable(reason="away")}
    place.world.delete(container, stop=True, settle=False)
    place.world.settle(longest=20)
    place.cinder.failing = {}
    place.is_gone()


def test_a_cinder_that_never_answers_again_fails_the_container_and_leaves_nothing_when_it_does(place: Place) -> None:
    container = place.create(settle=False)
    place.cinder.failing = dict.fromkeys(["volume", "attachments", "attach"], errors.VolumesUnavailable(reason="away"))
    place.world.settle(longest=600)
    found = place.world.container(container.uuid)
    assert found is not None and found.status is Status.ERROR and "does not answer" in (found.status_reason or "")
    place.cinder.failing = {}
    place.world.settle()
    place.is_free()


def test_a_forced_deletion_leaves_nothing_when_cinder_is_back(place: Place) -> None:
    """The container is gone at once; what its host could not give back it gives back later."""
    container = place.create()
    place.cinder.failing = dict.fromkeys(["attachments", "detach", "delete_volume"], errors.VolumesUnavailable(reason="away"))
    place.world.delete(container, force=True)
    assert place.world.container(container.uuid) is None
    place.cinder.failing = {}
    place.world.scans()
    place.is_gone()


def test_a_host_that_was_restarted_has_its_volumes_again_before_anything_runs(place: Place) -> None:
    container = place.create()
    place.world.kill()
    place.cluster.host("one").reboot()
    place.world.begin()
    place.world.settle()
    assert has_both(place, container.uuid)
    assert len(place.cluster.host("one").formatted) == 1


def test_a_container_that_no_host_takes_has_no_volume_when_it_is_deleted(place: Place) -> None:
    """There is nobody to do it but the conductors."""
    place.world.kill()
    place.world.clock.pass_time(1000)
    container = place.create(settle=False)
    place.world.place.run()
    assert place.world.container(container.uuid).status is Status.ERROR  # type: ignore[union-attr]
    place.world.delete(container, force=True, settle=False)
    place.is_gone()
