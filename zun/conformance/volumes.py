"""What a driver of volumes that users have elsewhere must do: subclass :class:`VolumesSuite` and provide its fixtures."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MADE, MadeVolume
from zun.interfaces.volumes import Volumes


class Ground:
    """What the suite needs of the volume service behind the driver, with a project's own credentials."""

    project: str
    #: of a user of the project
    token: str

    def volume(self, *, content: str | None = None, multiattach: bool = False) -> str:
        """Make a volume of the project's. ``content`` is in a file on it, ``garbage`` is on the bare device. Returns its id."""
        raise NotImplementedError

    def content(self, volume: str) -> str | None:
        """What :meth:`volume` has put there, as it is now."""
        raise NotImplementedError

    def has_file_system(self, volume: str) -> bool:
        """Whether there is a file system on the volume."""
        raise NotImplementedError

    def status(self, volume: str) -> str | None:
        """``available``, ``in-use``, ... or None for one that is gone."""
        raise NotImplementedError

    def owners(self, volume: str) -> list[str]:
        """Who has it."""
        raise NotImplementedError

    def left(self) -> list[str]:
        """Whatever there is of anybody's: attachments, devices, mounts, notes of the host."""
        raise NotImplementedError


class VolumesSuite:
    """Fixtures: ``volumes`` (the driver), ``ground``."""

    def test_a_volume_is_chosen_by_its_id_and_comes_and_goes(self, volumes: Volumes, ground: Ground) -> None:
        volume = ground.volume(content="precious")
        container = volumes.choose(wish(ground, {"source": volume}))
        (bind,) = volumes.attach(container)
        assert (bind.destination, bind.read_only) == ("/0", False)
        assert (ground.status(volume), ground.owners(volume)) == ("in-use", [container.uuid])
        assert volumes.left() == [container.uuid]
        volumes.detach(container)
        assert (ground.status(volume), ground.content(volume)) == ("available", "precious")
        assert (volumes.left(), ground.left()) == ([], [])

    def test_attaching_and_detaching_may_be_repeated(self, volumes: Volumes, ground: Ground) -> None:
        container = volumes.choose(wish(ground, {"source": ground.volume(content="precious")}))
        assert volumes.attach(container) == volumes.attach(container)
        volumes.detach(container)
        volumes.detach(container)
        assert ground.left() == []

    @pytest.mark.parametrize("content", [None, "garbage"])
    def test_what_was_not_made_for_it_is_never_formatted(self, volumes: Volumes, ground: Ground, content: str | None) -> None:
        volume = ground.volume(content=content)
        container = volumes.choose(wish(ground, {"source": volume}))
        for _ in range(2):
            with pytest.raises(errors.VolumeFailed, match="it has no file system"):
                volumes.attach(container)
            volumes.detach(container)
        assert (ground.has_file_system(volume), ground.content(volume)) == (False, content)
        assert (ground.status(volume), ground.left()) == ("available", [])

    def test_a_new_volume_gets_a_file_system_once(self, volumes: Volumes, ground: Ground) -> None:
        container = wish(ground, {"size": "1"})
        made = new(ground, container.uuid)
        volume = volumes.make(made, ground.token)
        container = replace(container, mounts=[{**container.mounts[0], "source": volume, MADE: True}])
        volumes.attach(container)
        assert ground.has_file_system(volume)
        volumes.detach(container)
        assert ground.status(volume) == "available"
        volumes.attach(container)
        volumes.detach(container)
        volumes.remove(container)
        volumes.remove(container)
        assert (ground.status(volume), ground.left()) == (None, [])

    def test_a_new_volume_that_was_written_is_not_formatted_again(self, volumes: Volumes, ground: Ground) -> None:
        """Somebody has been at it between its making and its mounting."""
        volume = ground.volume(content="garbage")
        container = wish(ground, {"size": "1"})
        container = replace(container, mounts=[{**container.mounts[0], "source": volume, MADE: True}])
        with pytest.raises(errors.VolumeFailed, match="is not blank"):
            volumes.attach(container)
        volumes.detach(container)
        assert (ground.content(volume), ground.left()) == ("garbage", [])

    def test_what_was_made_is_unmade_by_its_id_or_its_name(self, volumes: Volumes, ground: Ground) -> None:
        for knows_id in (True, False):
            made = new(ground, str(uuid.uuid4()))
            volume = volumes.make(made, ground.token)
            made = replace(made, volume_id=volume if knows_id else None)
            assert not volumes.unmake(made)
            assert volumes.unmake(made)
            assert ground.status(volume) is None
        assert volumes.unmake(new(ground, str(uuid.uuid4())))

    def test_a_volume_in_use_is_refused_unless_it_may_be_attached_again(self, volumes: Volumes, ground: Ground) -> None:
        for multiattach in (False, True):
            volume = ground.volume(content="precious", multiattach=multiattach)
            first = volumes.choose(wish(ground, {"source": volume}))
            volumes.attach(first)
            if not multiattach:
                with pytest.raises(errors.VolumeNotUsable):
                    volumes.choose(wish(ground, {"source": volume}))
            else:
                second = volumes.choose(wish(ground, {"source": volume}))
                assert volumes.attach(second)[0].source == volumes.attach(first)[0].source
                assert set(ground.owners(volume)) == {first.uuid, second.uuid}
                volumes.detach(second)
                assert (ground.owners(volume), ground.status(volume)) == ([first.uuid], "in-use")
            volumes.detach(first)
            assert (ground.status(volume), ground.left()) == ("available", [])

    def test_what_is_not_there_and_what_is_another_projects_is_refused(self, volumes: Volumes, ground: Ground) -> None:
        for name in ("no-such", str(uuid.uuid4())):
            with pytest.raises(errors.VolumeNotFound):
                volumes.choose(wish(ground, {"source": name}))
        volume = ground.volume()
        with pytest.raises(errors.VolumeNotUsable):
            volumes.choose(replace(wish(ground, {"source": volume}), project_id="somebody-else"))
        with pytest.raises(errors.InvalidValue):
            volumes.choose(wish(ground, {"source": volume}, {"source": volume}))

    def test_what_is_only_to_be_read_is_bound_so(self, volumes: Volumes, ground: Ground) -> None:
        container = volumes.choose(wish(ground, {"source": ground.volume(content="precious"), "read_only": True}))
        (bind,) = volumes.attach(container)
        assert bind.read_only
        volumes.detach(container)

    def test_a_capsules_volumes_are_its_own(self, volumes: Volumes, ground: Ground) -> None:
        volume = ground.volume(content="precious")
        sandbox = Sandbox(uuid=str(uuid.uuid4()), project_id=ground.project, user_id="user", capsule=True)
        sandbox = volumes.choose_shared(replace(sandbox, volumes=[{"name": "data", "type": "cinder", "source": volume}]))
        assert list(volumes.attach_shared(sandbox)) == ["data"]
        assert volumes.attach_shared(sandbox) == volumes.attach_shared(sandbox)
        assert (ground.owners(volume), volumes.left()) == ([sandbox.uuid], [sandbox.uuid])
        volumes.detach_shared(sandbox)
        volumes.remove_shared(sandbox)
        assert (ground.status(volume), ground.left()) == ("available", [])

    def test_what_a_lost_host_has_is_given_back_and_taken_off_when_it_returns(self, volumes: Volumes, ground: Ground) -> None:
        volume = ground.volume(content="precious")
        container = volumes.choose(wish(ground, {"source": volume}))
        volumes.attach(container)
        volumes.release(container.uuid)
        volumes.release(container.uuid)
        assert (ground.owners(volume), ground.status(volume)) == ([], "available")
        assert volumes.left() == [container.uuid]
        volumes.clean(container.uuid)
        volumes.clean(container.uuid)
        assert (volumes.left(), ground.left(), ground.content(volume)) == ([], [], "precious")


def wish(ground: Ground, *mounts: dict[str, Any]) -> Container:
    """A new container of the project's."""
    asked = [{"type": "volume", "destination": f"/{number}", **mount} for number, mount in enumerate(mounts)]
    own: dict[str, Any] = {"project_id": ground.project, "user_id": "user", "name": "n", "image": "i"}
    return Container(uuid=str(uuid.uuid4()), sandbox_uuid=str(uuid.uuid4()), mounts=asked, **own)


def new(ground: Ground, owner: str) -> MadeVolume:
    """A volume that is to be made for somebody."""
    return MadeVolume(uuid=str(uuid.uuid4()), project_id=ground.project, owner_uuid=owner, name=f"zun-{owner}-0", size=1)
