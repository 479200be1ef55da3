"""``python -m cloud.tempest [PATTERN]``: zun-tempest-plugin's tests on the cloud that is up, at the oldest and the newest microversions."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud import daemons, fabric, software, world
from cloud.nodes import Node
from cloud.tempest import accounts, configuration, images, verdict
from cloud.tempest.accounts import Account
from cloud.tempest.configuration import SETTINGS, Setting
from cloud.tempest.verdict import Outcome, Verdict
from cloud.world import World
from tools import packages
from tools.progress import Progress, Trouble, fail

_HERE = Path(__file__).parent
_INSIDE = _HERE.parent / "inside"
#: Where the plugin's tests expect an engine, on the loopback interface of where they run.
_ENGINE_PORT = 2375
_VISITOR, _NUMBER = "visitor", 9
_BOUND = 1800.0


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when every test passes, but those that may be skipped."""
    given = _parse(arguments)
    progress = Progress()
    try:
        cloud = world.load(given.home.resolve())
        if missing := packages.missing(["iputils-ping"]):
            raise Trouble(f"these packages are missing: {missing}; 'make cloud' installs them")
        program = _prepare(cloud, progress)
        with _visitor(cloud) as visitor:
            outcomes = _run(cloud, visitor, program, given, progress)
    except Trouble as trouble:
        return fail(trouble)
    judged = verdict.judge(outcomes, verdict.allowed(), whole=given.pattern == "" and given.setting is None)
    _tell(outcomes, judged)
    return 1 if judged.failures else 0


def _prepare(cloud: World, progress: Progress) -> Path:
    """The Python of an environment with tempest and the plugin, once that is there and the registry has the images."""
    venv = cloud.home / "tempest-venv"
    if software.install_environment(venv, _HERE / "requirements.txt", _HERE / "constraints.txt"):
        progress.say("an environment with tempest is made")
    images.put(cloud)
    return venv / "bin" / "python"


@contextmanager
def _visitor(cloud: World) -> Iterator[Node]:
    """Somebody who reaches the cloud's services and its public addresses, and has an engine on TCP in a network of his own."""
    visitor = fabric.admit(cloud, _VISITOR, _NUMBER)
    try:
        command = visitor.command(sys.executable, str(_INSIDE / "relay.py"), str(cloud.engine("host-a")), str(_ENGINE_PORT))
        with (cloud.logs / "tempest-relay.log").open("ab") as log:
            relay = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        try:
            yield visitor
        finally:
            fabric.dismiss(cloud, visitor)
            relay.wait()
    finally:
        fabric.dismiss(cloud, visitor)


def _run(cloud: World, visitor: Node, program: Path, given: argparse.Namespace, progress: Progress) -> list[Outcome]:
    """All settings at once: the tests wait more than they work."""
    settings = [setting for setting in SETTINGS if given.setting in (None, setting.name)]
    owned = {setting: accounts.named(cloud, setting.name, given.workers) for setting in settings}
    accounts.make(cloud, [account for each in owned.values() for account in each])
    begun = [(setting, _begin(cloud, visitor, program, setting, owned[setting], given)) for setting in settings]
    outcomes: list[Outcome] = []
    for setting, process in begun:
        log = cloud.logs / f"tempest-{setting.name}.log"
        try:
            code = process.wait(_BOUND)
        except subprocess.TimeoutExpired as cause:
            raise Trouble(f"the tests with {setting.name} microversions have not ended. The end of {log}:\n{daemons.tail(log)}") from cause
        if code != 0:
            raise Trouble(f"the tests with {setting.name} microversions could not be run. The end of {log}:\n{daemons.tail(log)}")
        lines = _results(cloud, setting).read_text().splitlines()
        outcomes += [_outcome(setting, json.loads(line)) for line in lines]
        progress.say(f"{setting.name} microversions (from {setting.lowest}): {len(lines)} outcomes")
    return outcomes


def _begin(
    cloud: World, visitor: Node, program: Path, setting: Setting, owned: list[Account], given: argparse.Namespace
) -> subprocess.Popen[bytes]:
    folder = cloud.folder / "tempest" / setting.name
    configuration.write(cloud, setting, owned, folder)
    results = _results(cloud, setting)
    results.write_text("")
    variables = {
        **daemons.variables(cloud, visitor),
        "TEMPEST_CONFIG_DIR": str(folder),
        "TEMPEST_CONFIG": "tempest.conf",
    }
    command = visitor.command(
        str(program), str(_INSIDE / "tempest_tests.py"), str(results), str(given.workers), setting.tests, given.pattern
    )
    with (cloud.logs / f"tempest-{setting.name}.log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=variables)


def _results(cloud: World, setting: Setting) -> Path:
    return cloud.folder / "tempest" / setting.name / "results"


def _outcome(setting: Setting, line: dict[str, str | float]) -> Outcome:
    # "package.module.Class.test[id-...]"
    name = ".".join(str(line["test"]).partition("[")[0].split(".")[-2:])
    return Outcome(setting.name, name, str(line["outcome"]), str(line["why"]), float(line["seconds"]))


def _tell(outcomes: Sequence[Outcome], judged: Verdict) -> None:
    for outcome in sorted(outcomes, key=lambda each: each.seconds, reverse=True):
        print(f"  {outcome.outcome:8} {outcome.seconds:6.1f} s  {outcome.run}  {outcome.test}")
    if judged.skipped:
        print("\nSkipped with every setting")
        for test, reason in judged.skipped.items():
            print(f"  {test}: {reason}")
    for failure in judged.failures:
        print(f"\nFAILED {failure}")
    print(f"\n{judged.passed} of {judged.total} tests of zun-tempest-plugin pass, {len(judged.skipped)} are skipped for a written reason")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cloud.tempest", description="zun-tempest-plugin, unmodified, on the cloud that is up.")
    parser.add_argument("--home", type=Path, default=world.default_home(), help="where the cloud is kept (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="tests at once with each setting (default: %(default)s)")
    parser.add_argument("--setting", choices=[setting.name for setting in SETTINGS], help="one setting alone (default: all)")
    parser.add_argument("pattern", nargs="?", default="", help="only tests whose names have this regular expression in them")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
