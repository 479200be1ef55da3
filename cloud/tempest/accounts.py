"""The accounts that the tests are run with, each with a project and a network of its own.

Tempest can make accounts itself, a new one for each class and process, each with a network and a router. Most of the time of the tests went
into that, and none of it tries anything that is ours.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud import daemons
from cloud.world import REGION, World
from tools.progress import Trouble

_FURNISH = Path(__file__).parents[1] / "inside" / "furnish.py"


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a project that has the same name, and so has its network."""

    name: str
    role: str
    password: str


def named(world: World, setting: str, workers: int) -> list[Account]:
    """The accounts of a setting: one of a member and one of an administrator for each process."""
    return [
        Account(name, role, hashlib.sha256(f"{name} {world.secrets['user/admin']}".encode()).hexdigest())
        for number in range(workers)
        for role in ("member", "admin")
        for name in [f"tempest-{setting}-{role}-{number}"]
    ]


def make(world: World, accounts: list[Account]) -> None:
    """See that they are there. Raises Trouble."""
    log = world.logs / "tempest-accounts.log"
    command = [world.program("python"), str(_FURNISH), "testers"]
    variables = daemons.variables(world, world.controller)
    with log.open("ab") as output:
        made = subprocess.run(
            command,
            input=json.dumps(_plan(world, accounts)).encode(),
            stdout=output,
            stderr=output,
            check=False,
            env=variables,
            cwd="/",
        )
    if made.returncode != 0:
        raise Trouble(f"accounts for the tests cannot be made. The end of {log}:\n{daemons.tail(log)}")


def _plan(world: World, accounts: list[Account]) -> dict[str, Any]:
    testers = [{"name": each.name, "role": each.role, "password": each.password} for each in accounts]
    return {"admin": world.account("admin"), "region": REGION, "testers": testers}


def listed(accounts: list[Account]) -> str:
    """The text of tempest's file of accounts."""
    # YAML reads JSON.
    return json.dumps(
        [
            {
                "username": each.name,
                "password": each.password,
                "project_name": each.name,
                "domain_name": "Default",
                "roles": [each.role],
                "resources": {"network": each.name},
            }
            for each in accounts
        ],
        indent=1,
    )
