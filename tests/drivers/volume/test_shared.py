"""Places that the containers of a sandbox share."""

from __future__ import annotations

from pathlib import Path

import pytest

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.drivers.volume.local import LocalVolumes


class Kernel:
    """Remembers what is mounted."""

    def __init__(self) -> None:
        self.mounted: dict[Path, int] = {}

    def is_mounted(self, folder: Path) -> bool:
        return folder in self.mounted

    def mount(self, folder: Path, size: int) -> None:
        self.mounted[folder] = size

    def unmount(self, folder: Path) -> None:
        del self.mounted[folder]


def sandbox(*volumes: dict, memory: int = 64) -> Sandbox:
    return Sandbox(uuid="s", project_id="p", user_id="u", capsule=True, volumes=list(volumes), memory=memory)


def container(*mounts: dict, **more) -> Container:
    return Container(uuid="c", sandbox_uuid="s", project_id="p", user_id="u", name="n", image="i", volume_mounts=list(mounts), **more)


CACHE = {"name": "../../cache", "type": "empty", "medium": "", "size": None}
FAST = {"name": "fast", "type": "empty", "medium": "Memory", "size": 1 << 20}


def test_a_place_is_open_to_all_within_a_folder_that_is_closed_and_never_named_by_its_tenant(tmp_path: Path) -> None:
    volumes = LocalVolumes(tmp_path / "files", Kernel())
    places = volumes.attach_shared(sandbox(CACHE))
    assert places == {"../../cache": str(tmp_path / "files" / "s" / "0")}
    assert (tmp_path / "files" / "s" / "0").stat().st_mode & 0o777 == 0o777
    assert (tmp_path / "files" / "s").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700


def test_what_is_there_stays_until_the_sandbox_goes(tmp_path: Path) -> None:
    volumes = LocalVolumes(tmp_path / "files", Kernel())
    place = Path(volumes.attach_shared(sandbox(CACHE))["../../cache"])
    (place / "kept").write_text("hello")
    volumes.attach_shared(sandbox(CACHE))
    assert (place / "kept").read_text() == "hello"
    for _ in range(2):
        volumes.detach_shared(sandbox(CACHE))
        assert not list((tmp_path / "files").iterdir())


def test_a_place_in_memory_is_mounted_once_with_its_size_or_with_all_that_the_sandbox_may_have(tmp_path: Path) -> None:
    kernel = Kernel()
    volumes = LocalVolumes(tmp_path / "files", kernel)
    wanted = sandbox(FAST, {**FAST, "name": "wide", "size": None})
    for _ in range(2):
        volumes.attach_shared(wanted)
    assert list(kernel.mounted.values()) == [1 << 20, 64 << 20]
    volumes.detach_shared(wanted)
    assert not kernel.mounted


@pytest.mark.parametrize(
    ("given", "mounts", "refusal"),
    [
        ([{"name": "disk", "type": "cinder"}], [], errors.NotOffered),
        ([{**CACHE, "size": 10}], [], errors.NotOffered),
        ([FAST, FAST], [], errors.InvalidValue),
        ([FAST], [{"volume": "slow", "destination": "/x"}], errors.InvalidValue),
        ([FAST], [{"volume": "fast", "destination": "/x"}, {"volume": "fast", "destination": "/x"}], errors.InvalidValue),
    ],
    ids=["cinder", "size-on-disk", "twice", "not-there", "same-place"],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, given: list, mounts: list, refusal: type) -> None:
    with pytest.raises(refusal):
        LocalVolumes(tmp_path, Kernel()).refuse_shared(sandbox(*given), [container(*mounts)])
