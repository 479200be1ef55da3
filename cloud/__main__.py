"""``python -m cloud up [STEP...] | down | status | run NODE COMMAND...``."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud import assembly, daemons, remains, steps, world
from cloud.world import World
from tools.progress import Progress, Trouble, fail


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when what was asked for is so."""
    given = _parse(arguments)
    home = given.home.resolve()
    try:
        if os.geteuid() != 0:
            raise Trouble("the cloud needs root: for namespaces, wires and mounts")
        if given.verb == "run":
            command = world.load(home).node(given.node).command(*given.command)
            os.execvp(command[0], command)  # noqa: S606
        with _alone(home):
            if given.verb == "up":
                return _up(home, given.steps)
            return {"down": _down, "status": _status}[given.verb](home)
    except Trouble as trouble:
        return fail(trouble)


def _up(home: Path, names: Sequence[str]) -> int:
    progress = Progress()
    cloud = world.begin(home)
    took = steps.run(steps.wanted(assembly.steps(cloud), names), progress)
    progress.say("the cloud is up" if took else "the cloud was up already")
    print(f"\n    source {cloud.folder}/openrc\n    openstack network list\n\n    {cloud.logs} has the logs")
    return 0


def _down(home: Path) -> int:
    progress = Progress()
    remains.clear(home)
    left = remains.found(home)
    if left:
        raise Trouble("this is left:\n" + "\n".join(left))
    progress.say("the cloud is gone")
    return 0


def _status(home: Path) -> int:
    cloud = world.load(home)
    well = True
    for node in cloud.nodes():
        for name in daemons.names(node):
            number = daemons.pid(node, name)
            well = well and number is not None
            print(f"{node.name:12} {name:28} {number if number is not None else 'DEAD'}")
        well = well and node.init is not None
    print(f"\n{_resident(cloud)} MiB resident in all")
    return 0 if well else 1


def _resident(cloud: World) -> int:
    return sum(daemons.resident(node) for node in cloud.nodes()) >> 20


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One at a time for each cloud. Raises Trouble when there is another."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise Trouble(f"somebody else works on the cloud in {home} just now") from cause
        yield


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cloud", description="A whole OpenStack on this machine, of real services.")
    parser.add_argument("--home", type=Path, default=world.default_home(), help="where it is kept (default: %(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="bring it up; does nothing where it is up")
    up.add_argument("steps", nargs="*", metavar="STEP", help="these steps alone and what they need, as in: glance 'users and catalog'")
    verbs.add_parser("down", help="end it and remove all that it has on this machine")
    verbs.add_parser("status", help="its daemons and their numbers; fails when one is dead")
    run = verbs.add_parser("run", help="run a command in a node")
    run.add_argument("node")
    run.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
