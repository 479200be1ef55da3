import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import record
from tools.progress import Trouble


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Shorter than pytest's own: sockets lie below a state folder, and their paths have little room."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_what_was_noted_is_there_for_the_next_run(tmp_path: Path):
    folder = tmp_path / "state"
    made = record.begin(folder)
    made.add_packages(["docker.io", "runc"])
    made.add_packages(["runc", "python3-venv"])
    made.socket = "/run/x.sock"
    made.save()

    again = record.begin(folder)
    assert again.packages == ["docker.io", "runc", "python3-venv"]
    assert again == made


def test_nothing_done_is_no_record(tmp_path: Path):
    assert record.load(tmp_path) is None


def test_a_folder_with_something_of_others_in_it_is_refused(tmp_path: Path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(Trouble, match="--state-dir"):
        record.begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_a_run_that_ended_while_it_made_the_record_does_not_bar_the_next(tmp_path: Path):
    (tmp_path / ".made.json.123").write_text("{")
    assert record.begin(tmp_path).packages == []


def test_a_path_too_long_for_sockets_is_refused_before_anything_is_made(tmp_path: Path):
    folder = tmp_path / ("x" * 80)
    with pytest.raises(Trouble, match="longer"):
        record.begin(folder)
    assert not folder.exists()
