"""``python -m cloud``."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from cloud.__main__ import main

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the command is root's")


def test_there_is_nothing_to_tell_of_a_cloud_that_was_never_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "status"]) == 1
    assert "make cloud" in capsys.readouterr().err


def test_ending_what_is_not_there_is_as_good(tmp_path: Path) -> None:
    assert main(["--home", str(tmp_path), "down"]) == 0


def test_two_do_not_work_on_one_cloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["--home", str(tmp_path), "down"]) == 1
    assert "somebody else" in capsys.readouterr().err
