"""What a cloud remembers of itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloud import software, world
from tools.progress import Trouble

pytestmark = pytest.mark.skipif(shutil.which("ip") is None, reason="free networks are found with iproute2")


def test_a_cloud_is_found_again_as_it_was_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("cl")
    made = world.begin(home)
    assert world.load(home) == made
    assert world.begin(home) == made


def test_each_cloud_has_secrets_of_its_own_and_tells_them_to_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = (world.begin(tmp_path_factory.mktemp("cl")) for _ in range(2))
    assert set(first.secrets.values()).isdisjoint(second.secrets.values())
    assert not [secret for secret in first.secrets.values() if secret in repr(first)]
    assert (first.folder / "world.json").stat().st_mode & 0o077 == 0
    assert first.tag != second.tag


def test_a_folder_without_a_cloud_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="make cloud"):
        world.load(tmp_path)


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="60 characters"):
        world.begin(tmp_path / ("x" * 60))


def test_everything_that_is_installed_has_one_version_and_no_place_it_comes_from() -> None:
    pinned = [line for line in software.CONSTRAINTS.read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line and "://" not in line for line in pinned)
    wanted = [line for line in software.REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    names = {line.partition("==")[0] for line in pinned}
    assert {line.partition(">=")[0] for line in wanted} <= names
