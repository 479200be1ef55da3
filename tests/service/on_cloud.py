"""The service of the test cloud, in the place of the embedded one: ``pytest --on-cloud`` asks it what the tests of the official client ask.

The caller is an administrator in a project that has nothing else in it, and gets a network behind a router. Each process of pytest-xdist
has an administrator of its own.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from cloud import world
from cloud.world import REGION, World
from tests.service.aio import PATIENCE, Aio, eventually
from tests.stores import now
from tools.progress import Trouble
from zun.db.store import SqlStore
from zun.domain.host import COMPUTE, Host, Service
from zun.drivers.runtime.docker_http import DockerHttp

USER = "operator"


class OnCloud(Aio):
    """What the tests do to an embedded service, as far as that is asking. It is started and ended by the cloud, not by tests."""

    def __init__(self, found: World, folder: Path) -> None:
        # Nothing of an embedded service is made.
        self.cloud = found
        self.folder = folder
        self._account = _account(found)
        #: of the network, its subnet and its router
        self.network = self._account["project_name"]
        self.url = found.url("container").removesuffix("/v1")
        self.nearby = found.gateway
        self.clouds = folder / "clouds.yaml"
        self.clouds.write_text(json.dumps({"clouds": {"zun": {"auth": self._account, "region_name": REGION, "identity_api_version": 3}}}))
        self.connection = _connect(self._account)
        self.user_id = str(self.connection.current_user_id)

    def request(self, method: str, path: str, version: str = "1.40", **options: Any) -> requests.Response:
        """A request by the administrator, with a token."""
        headers = {"OpenStack-API-Version": f"container {version}", "X-Auth-Token": self.connection.session.get_token()}
        headers |= options.pop("headers", {})
        return requests.request(method, f"{self.url}/v1{path}", headers=headers, timeout=PATIENCE, **options)

    def empty(self) -> None:
        """Remove what tests that were killed have left in the project."""
        for kind in ("capsules", "containers"):
            for row in self.get(f"/{kind}").json()[kind]:
                path = f"/{kind}/{row['uuid']}"
                self.delete(path, params={"force": True} if kind == "containers" else {})
                self.until_gone(path)
        for row in self.get("/registries").json()["registries"]:
            self.delete(f"/registries/{row['uuid']}")

    def until_gone(self, path: str) -> None:
        """Wait until there is no such thing."""
        eventually(lambda: self.get(path).status_code == 404, f"{path} is gone")

    def inspect(self, uuid: str) -> dict[str, Any]:
        """See Aio."""
        for host in self.cloud.hosts:
            http = DockerHttp(str(self.cloud.engine(host.name)), timeout=30)
            try:
                labels = json.dumps({"label": [f"org.openstack.zun.container={uuid}"]})
                found = http.call("GET", "/containers/json", query={"all": "true", "filters": labels})
                if found.data:
                    return dict(http.call("GET", f"/containers/{found.data[0]['Id']}/json").data)
            finally:
                http.close()
        return pytest.fail(f"no engine has {uuid}")

    def account(self) -> dict[str, str]:
        """What an openrc says of the administrator."""
        known = {f"OS_{name.upper()}": value for name, value in self._account.items()}
        return {**known, "OS_REGION_NAME": REGION, "OS_IDENTITY_API_VERSION": "3"}

    def committing(self, container: str) -> bool:
        """Whether the newest commit of a container is still at work; the test fails where it has failed."""
        rows = self.get(f"/containers/{container}/container_actions").json()["containerActions"]
        newest = next(row for row in rows if row["action"] == "commit")
        assert newest["message"] is None, newest
        shown = self.get(f"/containers/{container}/container_actions/{newest['request_id']}").json()
        return shown["finish_time"] is None

    def forget_image(self, image: str) -> None:
        """Remove what a commit has made, wherever that is."""
        self.delete(f"/images/{image}")
        self.connection.image.delete_image(image, ignore_missing=True)

    @contextmanager
    def host_to_spare(self) -> Iterator[str]:
        """One that nobody is: the real ones are others' too."""
        name = f"spare-{uuid.uuid4().hex[:8]}"
        with closing(self.store()) as store, store.write() as tx:
            tx.add(Host(uuid=str(uuid.uuid4()), hostname=name))
            tx.add(Service(uuid=str(uuid.uuid4()), host=name, binary=COMPUTE))
        try:
            yield name
        finally:
            self.delete("/services", params={"host": name, "binary": COMPUTE})

    def store(self) -> SqlStore:
        """See Aio."""
        return SqlStore(self.cloud.database("zun"), now)


@pytest.fixture(scope="session")
def on_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCloud]:
    """The service of the cloud that is up."""
    try:
        found = world.load()
    except Trouble as trouble:
        pytest.fail(str(trouble))
    made = OnCloud(found, tmp_path_factory.mktemp("cloud"))
    furnish(made.connection, made.network)
    made.empty()
    eventually(lambda: all(each["state"] == "up" for each in made.get("/services").json()["services"]), "all agents are up")
    yield made
    made.connection.close()


def furnish(connection: Any, name: str) -> None:
    """See that the project has a network of this name behind a router."""
    neutron, mine = connection.network, {"project_id": connection.current_project_id}
    network = neutron.find_network(name, **mine) or neutron.create_network(name=name)
    if neutron.find_router(name, **mine) is None:
        # Commands are tried here, and not DHCP: without it each port is there sooner.
        subnet = neutron.create_subnet(name=name, network_id=network.id, ip_version=4, cidr="10.44.0.0/24", is_dhcp_enabled=False)
        router = neutron.create_router(name=name, external_gateway_info={"network_id": neutron.find_network("public").id})
        neutron.add_interface_to_router(router, subnet_id=subnet.id)


def _account(found: World) -> dict[str, str]:
    """The administrator of this process: the cloud's own one, or another like him."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    account = found.account(USER)
    if worker == "gw0":
        return account
    with closing(_connect(found.account("admin"))) as admin:
        keystone, name = admin.identity, f"{USER}-{worker}"
        project = keystone.find_project(f"{name}s") or keystone.create_project(name=f"{name}s", domain_id="default")
        user = keystone.find_user(name) or keystone.create_user(name=name, password=account["password"], domain_id="default")
        keystone.assign_project_role_to_user(project, user, keystone.find_role("admin"))
    return {**account, "username": name, "project_name": project.name}


def _connect(account: dict[str, str]) -> Any:
    openstack = pytest.importorskip("openstack")
    return openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **account)
