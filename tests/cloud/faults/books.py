"""What there is of containers, counted where it is: in our database, in the engines, in Neutron, in Placement, in Cinder, on the hosts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from cloud.nodes import Node
from cloud.services import settings
from cloud.world import World
from zun.db.store import SqlStore
from zun.domain.action import OPEN, Action
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox, device_of
from zun.domain.volume import MadeVolume
from zun.drivers.runtime import labels
from zun.drivers.runtime.docker_http import DockerHttp

OWNER = "compute:zun"
#: seconds that the books may take to agree, for what is done after the last answer
_PATIENCE = 120.0


class Books:
    """All that is written of containers, and all that there is."""

    def __init__(self, world: World, admin: Any) -> None:
        self._world = world
        self._admin = admin
        self._placement = world.url("placement")

    def agree(self) -> None:
        """Fails with a list of what is lost and what is leaked, once all has come to rest."""
        until = time.monotonic() + _PATIENCE
        while found := self.differences():
            assert time.monotonic() < until, "\n".join(["the books do not agree:", *found])
            time.sleep(0.5)

    def differences(self) -> list[str]:
        """A sentence for each difference."""
        with closing(SqlStore(self._world.database("zun"), lambda: datetime.now(UTC).replace(tzinfo=None))) as store, store.read() as tx:
            sandboxes, containers, made = tx.find(Sandbox), tx.find(Container), tx.find(MadeVolume)
            under_way = tx.find(Action, {"state": OPEN})
        found = [f"{action.action} of {action.container_uuid or action.sandbox_uuid} is under way" for action in under_way]
        placed = [sandbox for sandbox in sandboxes if sandbox.host is not None]
        members = {sandbox.uuid: [one for one in containers if one.sandbox_uuid == sandbox.uuid] for sandbox in placed}
        found += [f"sandbox {sandbox.uuid} has no container" for sandbox in placed if not members[sandbox.uuid]]
        for host in self._world.hosts:
            here = [sandbox for sandbox in placed if sandbox.host == host.name]
            rows = {f"sandbox {sandbox.uuid}" for sandbox in here}
            rows |= {f"container {one.uuid}" for sandbox in here for one in members[sandbox.uuid]}
            found += _differ(f"engine of {host.name}", rows, self._objects(host))
        on = {device_of(sandbox, members[sandbox.uuid][0].uuid): sandbox.host for sandbox in placed if members[sandbox.uuid]}
        devices = set(on)
        found += self._network(placed, members, devices)
        found += self._allocations(on)
        found += self._volumes(devices, made)
        return found

    def _objects(self, host: Node) -> set[str]:
        engine = DockerHttp(str(self._world.engine(host.name)), timeout=60)
        deployment = (settings.state(host, "zun") / "deployment").read_text().strip()
        try:
            answer = engine.call("GET", "/containers/json", query={"all": "true"}).data
        finally:
            engine.close()
        marks = [labels.read(each["Labels"]) for each in answer if each["Labels"].get(labels.DEPLOYMENT) == deployment]
        return {f"container {mark.container}" if mark.container else f"sandbox {mark.sandbox}" for mark in marks if mark is not None}

    def _network(self, placed: list[Sandbox], members: dict[str, list[Container]], devices: set[str]) -> list[str]:
        ports = [port for port in self._admin.network.ports() if port.device_owner == OWNER]
        rows = {
            f"port {each['port']} of {device_of(sandbox, one.uuid)} on {sandbox.host}"
            for sandbox in placed
            for one in members[sandbox.uuid]
            for addresses in one.addresses.values()
            for each in addresses
        }
        found = _differ("Neutron", rows, {f"port {port.id} of {port.device_id} on {port.binding_host_id}" for port in ports})
        for host in self._world.hosts:
            taps = {f"tap{port.id}"[:14] for port in ports if port.binding_host_id == host.name}
            found += _differ(f"switch of {host.name}", taps, _taps(host.run("ovs-vsctl", "list-ports", "br-int").split()))
            links = (line.split()[0].partition("@")[0] for line in host.run("ip", "-brief", "link").splitlines())
            found += _differ(f"links of {host.name}", taps, _taps(links))
        groups = {group.name for group in self._admin.network.security_groups() if group.name.startswith("zun-")}
        return found + [f"Neutron has the security group {name} of nobody" for name in groups - {f"zun-{device}" for device in devices}]

    def _allocations(self, on: dict[str, str | None]) -> list[str]:
        """Where the service keeps its account in Placement, that is; ``on`` has containers and capsules, and their hosts."""
        session = self._admin.session
        providers = session.get(f"{self._placement}/resource_providers").json()["resource_providers"]
        by_host = {provider["name"]: provider["uuid"] for provider in providers}
        found = []
        for host in self._world.hosts:
            if host.name in by_host:
                taken = session.get(f"{self._placement}/resource_providers/{by_host[host.name]}/allocations").json()["allocations"]
                found += _differ(f"Placement, {host.name}", {each for each, where in on.items() if where == host.name}, set(taken))
        return found

    def _volumes(self, devices: set[str], made: list[MadeVolume]) -> list[str]:
        """A volume that is in a row of those that were made is looked after, and not leaked."""
        session, url = self._admin.session, self._admin.block_storage.get_endpoint()
        headers = {"OpenStack-API-Version": "volume 3.44"}
        attachments = session.get(f"{url}/attachments?all_tenants=1", headers=headers).json()["attachments"]
        found = [
            f"Cinder has an attachment of {each['instance']}, of which there is no row"
            for each in attachments
            if each["instance"] not in devices
        ]
        known = {row.owner_uuid for row in made}
        for volume in session.get(f"{url}/volumes/detail?all_tenants=1", headers=headers).json()["volumes"]:
            owner = volume["metadata"].get("zun_owner")
            if owner is not None and owner not in known:
                found.append(f"Cinder has volume {volume['id']}, made for {owner}, of which nobody knows")
        for host in self._world.hosts:
            folder = settings.state(host, "zun") / "mnt"
            mounts = [line.split()[1] for line in host.run("cat", "/proc/mounts").splitlines()]
            here = [point for point in mounts if point.startswith(f"{folder}/")]
            attached = {each["volume_id"] for each in attachments}
            found += [
                f"{host.name} has {point} mounted, which is not attached" for point in here if point.rpartition("/")[2] not in attached
            ]
        return found


def _taps(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith("tap")}


def _differ(where: str, rows: set[str], there: set[str]) -> list[str]:
    lost = [f"{where}: {each} is in a row, and not there" for each in sorted(rows - there)]
    return lost + [f"{where}: {each} is there, and in no row" for each in sorted(there - rows)]
