import sys
from pathlib import Path

from tools import stages
from tools.progress import Progress
from tools.stages import Check, Result


def test_how_long_processors_worked_is_all_that_they_were_not_idle_or_waiting_for_a_disk(tmp_path: Path):
    (tmp_path / "stat").write_text("cpu  100 10 50 900 40 5 5 30 7 7\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    assert stages.processors(tmp_path / "stat") == (200, 940)


def test_a_check_is_told_by_its_code_and_how_busy_the_machine_was(tmp_path: Path):
    found = stages.run(Check("it fails", [sys.executable, "-c", "raise SystemExit(3)"]), {}, Progress())
    assert found.code == 3
    assert 0 <= found.busy <= 1 and found.seconds > 0


def test_what_cannot_be_run_has_failed(tmp_path: Path):
    assert stages.run(Check("nothing", [str(tmp_path / "no-such-program")]), {}, Progress()).code == 127


def test_the_summary_names_what_failed(capsys):
    good, bad = Result(Check("good", []), 0, 61.25, 0.634), Result(Check("bad", []), 1, 2, 1)
    assert stages.summary([good], Progress()) == 0
    assert "ok     good, 61.2 s, 63% busy" in capsys.readouterr().out
    assert stages.summary([good, bad], Progress()) == 1
    assert "FAILED bad, 2.0 s, 100% busy" in capsys.readouterr().out
