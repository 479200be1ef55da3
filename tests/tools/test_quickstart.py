import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import quickstart


@pytest.mark.parametrize("what", ["--stop", "--remove"])
def test_ending_what_never_began_succeeds_and_makes_nothing(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "state"
    assert quickstart.main([what, "--state-dir", str(folder)]) == 0
    assert f"there is no {folder}" in capsys.readouterr().out
    assert not folder.exists()


def test_one_thing_at_a_time(tmp_path: Path):
    with pytest.raises(SystemExit):
        quickstart.main(["--stop", "--remove", "--state-dir", str(tmp_path)])


@pytest.mark.skipif(os.geteuid() != 0, reason="it would ask for root's rights first")
def test_the_command_explains_itself():
    command = Path(__file__).parents[2] / "quickstart"
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in ("--stop", "--remove", "--state-dir", "--port"))


def test_it_needs_nothing_but_the_standard_library():
    """It runs on machines that have nothing else."""
    repository = Path(__file__).parents[2]
    isolated = f"import sys; sys.path = [{str(repository)!r}, *(p for p in sys.path if 'site-packages' not in p)]; import tools.quickstart"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", isolated], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
