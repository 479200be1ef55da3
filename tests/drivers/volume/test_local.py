"""Files that a request brings along: whole, open to whoever the container runs as, and to nobody else on the host."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from zun import errors
from zun.domain.container import Container
from zun.drivers.volume.local import LocalVolumes


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """As narrow as the embedded service's."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def container(*sources: str, kind: str = "bind") -> Container:
    mounts = [{"type": kind, "source": source, "destination": f"/{number}"} for number, source in enumerate(sources)]
    return Container(uuid="c", sandbox_uuid="s", project_id="p", user_id="u", name="n", image="i", mounts=mounts)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_are_open_to_all_in_a_folder_that_is_open_to_nobody(folder: Path) -> None:
    first, second = LocalVolumes(folder).attach(container(encoded("one"), encoded("")))
    assert (first.destination, second.destination) == ("/0", "/1")
    assert Path(first.source).read_text() == "one"
    assert Path(second.source).read_text() == ""
    assert mode(Path(first.source)) == 0o644
    assert mode(folder) == mode(folder / "c") == 0o700


def test_a_folder_that_was_open_is_closed(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    LocalVolumes(folder).attach(container(encoded("one")))
    assert mode(folder) == 0o700


def test_attaching_again_keeps_what_the_container_wrote(folder: Path) -> None:
    wanted = container(encoded("one"))
    (bind,) = LocalVolumes(folder).attach(wanted)
    Path(bind.source).write_text("changed")
    assert LocalVolumes(folder).attach(wanted) == [bind]
    assert Path(bind.source).read_text() == "changed"


def test_a_file_left_half_written_is_written_anew(folder: Path) -> None:
    (folder / "c").mkdir(parents=True)
    (folder / "c" / "0.partial").write_text("on")
    (bind,) = LocalVolumes(folder).attach(container(encoded("one")))
    assert Path(bind.source).read_text() == "one"
    assert [path.name for path in (folder / "c").iterdir()] == ["0"]


def test_detaching_leaves_nothing_and_may_be_repeated(folder: Path) -> None:
    wanted = container(encoded("one"))
    LocalVolumes(folder).attach(wanted)
    LocalVolumes(folder).detach(wanted)
    LocalVolumes(folder).detach(wanted)
    assert list(folder.iterdir()) == []


def test_what_this_driver_cannot_do_is_refused(folder: Path) -> None:
    with pytest.raises(errors.NotOffered):
        LocalVolumes(folder).refuse(container("a-volume", kind="volume"))
    with pytest.raises(errors.InvalidValue):
        LocalVolumes(folder).refuse(container("no base64!"))
    assert not folder.exists()
