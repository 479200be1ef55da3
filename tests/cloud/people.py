"""Who the tests are. Processes that share a cloud have users and projects of their own, so that nobody counts, or meets, another's things.

The first process takes the people that the cloud has from the beginning. Each other one has the same again, with its name behind
theirs, and a network ``private`` like demo's.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from cloud.inside import furnish
from cloud.services import neutron
from cloud.world import PEOPLE, REGION, World, write_private

#: the process of pytest-xdist that takes what is there
_FIRST = "gw0"


@dataclass(frozen=True, slots=True)
class Shared(World):
    """The cloud as a further process has it: its ``demo`` is another one, and so is everybody who is no service."""

    process: str
    #: where the file is that clients read
    keys: Path

    def account(self, user: str) -> dict[str, str]:
        """See World."""
        account = World.account(self, user)
        own = {name: f"{account[name]}-{self.process}" for name in ("username", "project_name")} if user in PEOPLE else {}
        return {**account, **own}

    @property
    def clouds_yaml(self) -> Path:
        """See World."""
        return self.keys / "clouds.yaml"


def of_this_process(found: World, folder: Path) -> World:
    """The cloud with the people of this process; they are there afterwards. ``folder`` is this process's own."""
    process = os.environ.get("PYTEST_XDIST_WORKER", _FIRST)
    if process == _FIRST:
        return found
    own = Shared(**{each.name: getattr(found, each.name) for each in fields(found)}, process=process, keys=folder)
    with closing(connect(found, "admin")) as admin:
        furnish.identity(admin, _plan(own))
        _let_rule(admin, own)
        furnish.networks(admin, {"physical": neutron.PHYSICAL, "public": found.public, "owner": own.account("demo")["project_name"]})
    # YAML reads JSON.
    clouds = {user: {"auth": own.account(user), "region_name": REGION, "identity_api_version": 3} for user in PEOPLE}
    write_private(own.clouds_yaml, json.dumps({"clouds": clouds}))
    return own


def _let_rule(admin: Any, own: Shared) -> None:
    """The administrator is one of the whole system, too."""
    user, role = admin.identity.find_user(own.account("admin")["username"]), admin.identity.find_role("admin")
    admin.identity.put(f"/system/users/{user.id}/roles/{role.id}").raise_for_status()


def connect(cloud: World, user: str) -> Any:
    """What openstacksdk makes of somebody's account."""
    openstack = pytest.importorskip("openstack")
    return openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account(user))


def _plan(own: Shared) -> dict[str, Any]:
    accounts = {user: own.account(user) for user in PEOPLE}
    users = {
        account["username"]: {"project": account["project_name"], "roles": PEOPLE[user][1], "password": account["password"]}
        for user, account in accounts.items()
    }
    return {"projects": sorted({user["project"] for user in users.values()}), "users": users, "catalog": []}
