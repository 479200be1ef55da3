"""No command of the official client, and no option of one, is left out: each is in a call of a test against the live service."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.engines import absent

#: what runs a command in the tests, and the group that it stands for
RUNNERS = {"openstack": "appcontainer", "capsule": "capsule", "Terminal": "appcontainer"}
GROUP = "openstack.container.v1"


@pytest.fixture(scope="module")
def commands() -> dict[str, set[str]]:
    """Every command of the installed client, with the long names of its own options. The forms of output that all commands of all
    OpenStack clients have in common are no part of it."""
    found = {}
    for command in entry_points(group=GROUP):
        parser = command.load()(None, None).get_parser(command.name)
        options = {action.option_strings[-1] for action in parser._optionals._group_actions if action.option_strings}
        found[command.name.replace("_", " ")] = options - {"--help"}
    return found or absent("python-zunclient is not installed")


@pytest.fixture(scope="module")
def driven(commands: dict[str, set[str]], request: pytest.FixtureRequest) -> dict[str, set[str]]:
    """The commands and options that calls in these tests have, word by word; without those of tests that are not run here."""
    unfit = "embedded" if request.config.getoption("--on-cloud") else "on_cloud"
    found: dict[str, set[str]] = {}
    for file in Path(__file__).parent.glob("test_*.py"):
        for words in calls(without(unfit, ast.parse(file.read_text(encoding="utf-8")))):
            fitting = [name for name in commands if words[: name.count(" ") + 1] == name.split()]
            if fitting:
                options = found.setdefault(max(fitting, key=len), set())
                options.update(word for word in words if word.startswith("--"))
    return found


def without(mark: str, tree: ast.Module) -> ast.Module:
    """A module without what has the mark, which may be all of it."""

    def has(each: ast.expr) -> bool:
        return isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == mark

    if any(isinstance(each, ast.Assign) and has(each.value) for each in tree.body):
        return ast.Module(body=[], type_ignores=[])
    kept = [each for each in tree.body if not (isinstance(each, ast.FunctionDef) and any(map(has, each.decorator_list)))]
    return ast.Module(body=kept, type_ignores=[])


def calls(tree: ast.Module) -> Iterator[list[str]]:
    """The words of every call that runs a command: literals, and those of constants of the module; others are left out."""
    constants = {
        name.id: each.value for each in tree.body if isinstance(each, ast.Assign) for name in each.targets if isinstance(name, ast.Name)
    }

    def words(node: ast.expr) -> Iterator[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Starred):
            yield from words(constants.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value)
        elif isinstance(node, ast.Tuple):
            for each in node.elts:
                yield from words(each)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNNERS:
            yield [RUNNERS[node.func.id], *(word for each in node.args for word in words(each))]


def test_every_command_is_driven(commands: dict[str, set[str]], driven: dict[str, set[str]]) -> None:
    assert set(commands) - set(driven) == set()


def test_every_option_is_driven(commands: dict[str, set[str]], driven: dict[str, set[str]]) -> None:
    missing = {name: options - driven.get(name, set()) for name, options in commands.items()}
    assert {name: options for name, options in missing.items() if options} == {}
