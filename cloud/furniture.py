"""Who and what is in the cloud from the beginning: users, catalog, networks, volume types, and the files by which one gets in."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from cloud import daemons
from cloud.services import neutron
from cloud.world import PEOPLE, REGION, SERVICE_USERS, World, write_private
from tools.progress import Trouble

_FURNISH = Path(__file__).parent / "inside" / "furnish.py"
_CATALOG = {
    "image": "glance",
    "placement": "placement",
    "network": "neutron",
    "block-storage": "cinder",
    "container": "zun",
}

_OPENRC = """\
# Source this; then `openstack network list`, and as somebody else `OS_CLOUD=admin openstack ...` ({users}).
export OS_CLIENT_CONFIG_FILE={clouds}
export OS_CLOUD=demo
export PATH='{programs}':$PATH
"""


def furnish(world: World, stage: str) -> bool:
    """Do a stage of ``inside/furnish.py``, once. Raises Trouble with its last words."""
    done = world.folder / "furnished" / stage
    if done.exists():
        return False
    log = world.logs / f"furnish-{stage}.log"
    command = [world.program("python"), str(_FURNISH), stage, str(done)]
    environment = daemons.variables(world, world.controller)
    with log.open("ab") as output:
        ended = subprocess.run(
            command, input=json.dumps(plan(world)).encode(), stdout=output, stderr=output, check=False, env=environment, cwd="/"
        )
    if ended.returncode != 0:
        raise Trouble(f"furnishing ({stage}) failed. The end of {log}:\n{daemons.tail(log)}")
    done.parent.mkdir(exist_ok=True)
    done.touch()
    return True


def plan(world: World) -> dict[str, Any]:
    """What ``inside/furnish.py`` is told."""
    users = {
        name: {"project": project, "roles": roles, "password": world.secrets[f"user/{name}"]} for name, (project, roles) in PEOPLE.items()
    }
    for name in SERVICE_USERS:
        users[name] = {"project": "service", "roles": ("admin", "service"), "password": world.secrets[f"user/{name}"]}
    return {
        "admin": world.account("admin"),
        "region": REGION,
        "projects": sorted({user["project"] for user in users.values()}),
        "users": users,
        "catalog": [{"type": kind, "name": name, "url": world.url(kind)} for kind, name in _CATALOG.items()],
        "physical": neutron.PHYSICAL,
        "public": world.public,
        "owner": "demo",
    }


def write_keys(world: World) -> bool:
    """Write ``clouds.yaml`` and ``openrc``, with which ``openstack`` works at once. Returns whether they were not there."""
    users = (*PEOPLE, *SERVICE_USERS)
    clouds = {user: {"auth": world.account(user), "region_name": REGION, "identity_api_version": 3} for user in users}
    openrc = world.folder / "openrc"
    new = not openrc.exists()
    # YAML reads JSON.
    write_private(world.clouds_yaml, json.dumps({"clouds": clouds}, indent=1) + "\n")
    write_private(openrc, _OPENRC.format(users=", ".join(users), clouds=shlex.quote(str(world.clouds_yaml)), programs=world.venv / "bin"))
    return new
