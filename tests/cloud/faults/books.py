"""What there is of containers, counted where it is: in our database, in the engines, in Neutron, in Placement, in Cinder, on the hosts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud.nodes import Node
from cloud.services import settings
from cloud.world import World
from zun.db.store import SqlStore
from zun.domain.action import OPEN, Action
from zun.domain.claim import taken_by
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox, device_of
from zun.domain.volume import MadeVolume
from zun.drivers.inventory import words
from zun.drivers.runtime import labels
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.volume.records import Records

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
        homes = {device_of(sandbox, members[sandbox.uuid][0].uuid): sandbox for sandbox in placed if members[sandbox.uuid]}
        found += self._network(placed, members, set(homes))
        found += self._allocations(homes)
        found += self._volumes(_wished(placed, members), made)
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

    def _allocations(self, homes: Mapping[str, Sandbox]) -> list[str]:
        """``homes`` has the sandboxes that are on a host, by the containers and capsules that they are to others."""
        session = self._admin.session
        providers = session.get(f"{self._placement}/resource_providers").json()["resource_providers"]
        by_host = {provider["name"]: provider["uuid"] for provider in providers}
        found = []
        for host in self._world.hosts:
            if host.name not in by_host:
                found.append(f"Placement has no provider {host.name}")
                continue
            taken = session.get(f"{self._placement}/resource_providers/{by_host[host.name]}/allocations").json()["allocations"]
            here = {device: words.amounts(taken_by(sandbox)) for device, sandbox in homes.items() if sandbox.host == host.name}
            there = {consumer: each["resources"] for consumer, each in taken.items()}
            found += _differ(f"Placement, {host.name}", _amounts(here), _amounts(there))
        return found

    def _volumes(self, wished: Mapping[str, set[tuple[str, str]]], made: list[MadeVolume]) -> list[str]:
        """``wished`` has, by host, who has which volumes. One that is in a row of those that were made is looked after, and not leaked."""
        session, url = self._admin.session, self._admin.block_storage.get_endpoint()
        headers = {"OpenStack-API-Version": "volume 3.44"}
        attachments = session.get(f"{url}/attachments?all_tenants=1", headers=headers).json()["attachments"]
        rows = {f"volume {volume}, attached for {owner}" for pairs in wished.values() for owner, volume in pairs}
        found = _differ("Cinder", rows, {f"volume {each['volume_id']}, {each['status']} for {each['instance']}" for each in attachments})
        known = {row.owner_uuid for row in made}
        for volume in session.get(f"{url}/volumes/detail?all_tenants=1", headers=headers).json()["volumes"]:
            owner = volume["metadata"].get("zun_owner")
            if owner is not None and owner not in known:
                found.append(f"Cinder has volume {volume['id']}, made for {owner}, of which nobody knows")
        for host in self._world.hosts:
            here = wished.get(host.name, set())
            folder = settings.state(host, "zun") / "mnt"
            points = [Path(line.split()[1]) for line in host.run("cat", "/proc/mounts").splitlines()]
            mounted = {f"a mount of volume {point.name}" for point in points if point.parent == folder}
            found += _differ(f"mounts of {host.name}", {f"a mount of volume {volume}" for _, volume in here}, mounted)
            held = {f"volume {record.volume_id} of {record.owner}" for record in Records(folder / ".records").all()}
            found += _differ(f"volumes held by {host.name}", {f"volume {volume} of {owner}" for owner, volume in here}, held)
        return found


def _wished(placed: Iterable[Sandbox], members: Mapping[str, Iterable[Container]]) -> dict[str, set[tuple[str, str]]]:
    """By host, who has which volumes of Cinder's: a container those that are mounted in it, a capsule those that its containers share."""
    found: dict[str, set[tuple[str, str]]] = {}
    for sandbox in placed:
        pairs = {(sandbox.uuid, volume["source"]) for volume in sandbox.volumes if volume["type"] == "cinder"}
        for one in members[sandbox.uuid]:
            pairs |= {(one.uuid, mount["source"]) for mount in one.mounts if mount["type"] == "volume"}
        found.setdefault(str(sandbox.host), set()).update(pairs)
    return found


def _amounts(taken: Mapping[str, Mapping[str, int]]) -> set[str]:
    return {f"{consumer} with {sorted(amounts.items())}" for consumer, amounts in taken.items()}


def _taps(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith("tap")}


def _differ(where: str, rows: set[str], there: set[str]) -> list[str]:
    lost = [f"{where}: {each} is in a row, and not there" for each in sorted(rows - there)]
    return lost + [f"{where}: {each} is there, and in no row" for each in sorted(there - rows)]
