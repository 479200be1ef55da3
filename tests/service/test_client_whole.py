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

#: why a command succeeds in no test: anywhere, and where there is no cloud
NEVER = {
    "appcontainer top": "The client prints with a format that is none in Python 3; test_client.py has what the service answers.",
    "appcontainer network list": "The client's formatter of addresses is none that osc-lib takes any more; the library's call is right.",
}
_NO_NEUTRON = "There is no Neutron; on the cloud it succeeds."
_WITHOUT_CLOUD = {
    f"appcontainer {words}": _NO_NEUTRON
    for words in (
        "network attach",
        "network detach",
        "add security group",
        "remove security group",
        "add floating ip",
        "remove floating ip",
    )
}


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
def made(commands: dict[str, set[str]], request: pytest.FixtureRequest) -> list[tuple[str, set[str], bool]]:
    """The calls of these tests, without those of tests that are not run here: command, options, whether it is to succeed."""
    unfit = "embedded" if request.config.getoption("--on-cloud") else "on_cloud"
    found = []
    for file in Path(__file__).parent.glob("test_*.py"):
        for words, succeeds in calls(without(unfit, ast.parse(file.read_text(encoding="utf-8")))):
            fitting = [name for name in commands if words[: name.count(" ") + 1] == name.split()]
            if fitting:
                found.append((max(fitting, key=len), {word for word in words if word.startswith("--")}, succeeds))
    return found


def without(mark: str, tree: ast.Module) -> ast.Module:
    """A module without what has the mark, which may be all of it."""

    def has(each: ast.expr) -> bool:
        return isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == mark

    if any(isinstance(each, ast.Assign) and has(each.value) for each in tree.body):
        return ast.Module(body=[], type_ignores=[])
    kept = [each for each in tree.body if not (isinstance(each, ast.FunctionDef) and any(map(has, each.decorator_list)))]
    return ast.Module(body=kept, type_ignores=[])


def calls(tree: ast.Module) -> Iterator[tuple[list[str], bool]]:
    """The words of every call that runs a command, and whether it is to succeed: literals, and those of constants of the module; others
    are left out."""
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
            says = {each.arg: each.value.value for each in node.keywords if isinstance(each.value, ast.Constant)}
            succeeds = says.get("succeeds") is not False and says.get("refused") is not True
            yield [RUNNERS[node.func.id], *(word for each in node.args for word in words(each))], succeeds


def test_every_command_succeeds_or_there_is_a_reason(
    commands: dict[str, set[str]], made: list[tuple[str, set[str], bool]], request: pytest.FixtureRequest
) -> None:
    reasons = NEVER if request.config.getoption("--on-cloud") else {**NEVER, **_WITHOUT_CLOUD}
    assert set(commands) - {name for name, _, succeeds in made if succeeds} == set(reasons)
    assert set(reasons) <= {name for name, _, _ in made}, "it is tried all the same"


def test_every_option_is_driven(commands: dict[str, set[str]], made: list[tuple[str, set[str], bool]]) -> None:
    driven = {name: {option for other, options, _ in made if other == name for option in options} for name in commands}
    missing = {name: options - driven[name] for name, options in commands.items()}
    assert {name: options for name, options in missing.items() if options} == {}
