from dataclasses import replace
from pathlib import Path

import pytest

from tools import environment
from tools.environment import Environment


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "constraints.txt", "zun/a.py", "tests/test_a.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.fixture
def made(repository: Path) -> Environment:
    return Environment(repository / "venv", repository, ["client"])


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "zun/a.py", "zun/new.py"])
def test_what_goes_into_the_environment_changes_its_fingerprint(name: str, made: Environment):
    before = environment.fingerprint(made)
    (made.repository / name).write_text("changed")
    assert environment.fingerprint(made) != before


@pytest.mark.parametrize("name", ["tests/test_a.py", "README.md", "zun/__pycache__/a.cpython-311.pyc"])
def test_what_does_not_go_into_it_does_not(name: str, made: Environment):
    before = environment.fingerprint(made)
    path = made.repository / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed")
    assert environment.fingerprint(made) == before


def test_other_extras_are_another_environment(made: Environment):
    assert environment.fingerprint(replace(made, extras=["client", "test"])) != environment.fingerprint(made)


def test_one_for_those_who_work_on_it_follows_the_sources_by_itself(made: Environment):
    editable = replace(made, editable=True)
    before = environment.fingerprint(editable)
    (made.repository / "zun" / "a.py").write_text("changed")
    assert environment.fingerprint(editable) == before


def test_one_that_was_never_finished_is_not_ready(made: Environment):
    (made.folder / "bin").mkdir(parents=True)
    assert not environment.ready(made)


def test_one_that_was_made_with_another_python_is_not_ready(made: Environment):
    made.folder.mkdir()
    (made.folder / "zun-fingerprint").write_text(f"{environment.fingerprint(made)}\n/opt/python 3.11.0\n")
    assert not environment.ready(made)
