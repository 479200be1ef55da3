"""The people of the contract's tests, on the cloud: users of Keystone's with tokens, in two projects that each have a network."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import requests

from cloud import world
from cloud.world import REGION, World
from tests.service.aio import PATIENCE, eventually
from tests.service.people import OTHER, OWN, USERS
from tools.progress import Trouble

#: whose ports are ours
_OWNER = "compute:zun"


class OnCloud:
    """The service of the cloud, and users that are there as long as these tests last: nobody else sees, or counts, what they make."""

    #: where rows of the contract are played
    place = "cloud"

    def __init__(self, found: World, admin: Any) -> None:
        self.url = found.url("container").removesuffix("/v1")
        self._found, self._admin = found, admin
        self._password, tail = secrets.token_urlsafe(16), secrets.token_hex(3)
        keystone = admin.identity
        known = {role.name: role for role in keystone.roles()}
        #: a role that means nothing to us, and nothing to anybody else
        self._janitor = keystone.create_role(name=f"janitor-{tail}")
        roles = {role: known.get(role, self._janitor) for _, _, role in USERS}
        self._projects = {key: keystone.create_project(name=f"contract-{key[0]}-{tail}", domain_id="default") for key in (OWN, OTHER)}
        self._users = {
            name: keystone.create_user(name=f"{name}-{tail}", password=self._password, domain_id="default")
            for name in (*(name for name, _, _ in USERS), "pit")
        }
        for name, project, role in USERS:
            keystone.assign_project_role_to_user(self._projects[project], self._users[name], roles[role])
        self._networks = {key: self._furnish(project) for key, project in self._projects.items()}
        self._of = {name: project for name, project, _ in USERS}
        with ThreadPoolExecutor() as many:
            self._tokens = dict(zip(self._users, many.map(self._token, self._users), strict=True))

    def words(self) -> dict[str, str]:
        """What $words of the contract stand for from the beginning."""
        own, other = self._projects[OWN].id, self._projects[OTHER].id
        return {"url": self.url, "own": own, "other": other, "mia": self._users["mia"].id, "network": self._networks[OWN].id}

    def ask(self, user: str, method: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response:
        """A request by one of the users, or by ``nobody``."""
        token = {} if user == "nobody" else {"X-Auth-Token": self._tokens[user]}
        return requests.request(method, self.url + path, headers={**headers, **token}, timeout=PATIENCE, **options)

    def assert_nothing_leaked(self) -> None:
        """No port of ours is left in the networks."""
        for network in self._networks.values():
            eventually(lambda of=network: not list(self._admin.network.ports(network_id=of.id, device_owner=_OWNER)), "no port is left")

    def clean(self) -> None:
        """Nothing is left of them."""
        for network in self._networks.values():
            self._admin.network.delete_network(network)
        for user in self._users.values():
            self._admin.identity.delete_user(user)
        for project in self._projects.values():
            for image in self._admin.image.images(owner=project.id):
                self._admin.image.delete_image(image)
            for group in self._admin.network.security_groups(project_id=project.id):
                self._admin.network.delete_security_group(group)
            self._admin.identity.delete_project(project)
        self._admin.identity.delete_role(self._janitor)

    def _furnish(self, project: Any) -> Any:
        mine = {"project_id": project.id}
        network = self._admin.network.create_network(name="own", **mine)
        # What is told of addresses is the same without DHCP, and each port is there sooner.
        subnet = {"ip_version": 4, "cidr": "10.45.0.0/24", "is_dhcp_enabled": False}
        self._admin.network.create_subnet(name="own", network_id=network.id, **subnet, **mine)
        return network

    def _token(self, name: str) -> str:
        user = {"id": self._users[name].id, "password": self._password}
        body: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if project := self._of.get(name):
            body["scope"] = {"project": {"id": self._projects[project].id}}
        answer = requests.post(f"{self._found.url('identity')}/auth/tokens", json={"auth": body}, timeout=PATIENCE)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])


def on_cloud() -> Iterator[OnCloud]:
    """The users, on the cloud that is up."""
    openstack = pytest.importorskip("openstack")
    try:
        found = world.load()
    except Trouble as trouble:
        pytest.fail(str(trouble))
    with closing(openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **found.account("admin"))) as admin:
        made = OnCloud(found, admin)
        try:
            yield made
        finally:
            made.clean()
