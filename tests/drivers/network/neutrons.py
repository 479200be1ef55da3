"""A small Neutron in this process, and wires that are only written down."""

from __future__ import annotations

import ipaddress
import itertools
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conformance.network import Ground
from zun.drivers.network.cloud import OWNER, Group, Loan, Net, Port, Subnet
from zun.drivers.network.vif import Interface
from zun.interfaces.runtime import SandboxState

_NAMES = {"binding_host_id": "host", "binding_profile": "profile", "mac_address": "mac"}


class FakeNeutron:
    """Implements :class:`zun.drivers.network.cloud.Neutron`."""

    def __init__(self) -> None:
        self.nets: dict[str, Net] = {}
        self.known_subnets: dict[str, list[Subnet]] = {}
        self.known_ports: dict[str, Port] = {}
        self.known_groups: dict[str, Group] = {}
        self.opened: list[tuple[str, str, int]] = []
        #: networks and groups, and the projects that may have them besides their own; external networks that nobody sees
        self.loans: set[tuple[str, str]] = set()
        self.hidden: set[str] = set()
        #: hosts on which nothing can be bound, and whether ports become active
        self.hopeless: set[str] = set()
        self.lively = True
        #: whether it misses what an agent tells it, and is to be told again; of which ports it was
        self.deaf, self.missed = False, set[str]()
        self._count = itertools.count(1)

    def add_network(self, project: str, *, versions: tuple[int, ...] = (4,), **more: Any) -> Net:
        """A new network."""
        number = next(self._count)
        uuid_ = str(uuid.uuid4())
        cidrs = {4: f"10.{number}.0.0/24", 6: f"fd00:{number:x}::/64"}
        found = [
            Subnet(
                id=str(uuid.uuid4()),
                cidr=cidrs[version],
                gateway=str(ipaddress.ip_network(cidrs[version])[1]),
                nameservers=more.pop("nameservers", []),
            )
            for version in versions
        ]
        more.setdefault("name", f"net-{number}")
        self.nets[uuid_] = Net(
            id=uuid_, project_id=project, subnets=[one.id for one in found], created_at=f"2026-01-01T00:00:{number:02}Z", **more
        )
        self.known_subnets[uuid_] = found
        return self.nets[uuid_]

    def network(self, network_id: str) -> Net | None:
        return self.nets.get(network_id)

    def networks(self, **where: str) -> list[Net]:
        return _matching(self.nets, where)

    def public_networks(self) -> list[Net]:
        return [net for net in self.nets.values() if net.shared or net.external]

    def lent_to(self, project_id: str, loan: Loan = Loan.NETWORK) -> list[str]:
        known = self.known_groups if loan is Loan.GROUP else self.nets
        if loan is Loan.EXTERNAL:
            return [net.id for net in self.nets.values() if net.external and net.id not in self.hidden]
        return [lent for lent, project in sorted(self.loans) if project == project_id and lent in known]

    def subnets(self, network_id: str) -> list[Subnet]:
        return self.known_subnets[network_id]

    def port(self, port_id: str) -> Port | None:
        return self.known_ports.get(port_id)

    def ports(self, *, fixed_ips: str = "", **where: str) -> list[Port]:
        _, _, address = fixed_ips.partition("ip_address=")
        found: list[Port] = _matching(self.known_ports, {_NAMES.get(name, name): value for name, value in where.items()})
        return [port for port in found if not address or address in (given for _, given in port.fixed_ips)]

    def ports_of(self, device_ids: Collection[str]) -> list[Port]:
        return [port for port in self.known_ports.values() if port.device_id in device_ids]

    def states(self, port_ids: Collection[str]) -> list[Port]:
        known = [port for port in self.known_ports.values() if port.id in port_ids]
        return [Port(id=port.id, network_id="", project_id="", status=port.status, vif_type=port.vif_type) for port in known]

    def make_port(self, body: Mapping[str, Any]) -> Port:
        subnets = self.known_subnets[body["network_id"]]
        wanted = [each["ip_address"] for each in body.get("fixed_ips", ())]
        taken = len(self.known_ports) + 10
        addresses = [(subnet.id, str(ipaddress.ip_network(subnet.cidr)[taken])) for subnet in subnets]
        if wanted:
            addresses = [(subnet.id, address) for address in wanted for subnet in subnets if subnet.holds(address)]
        if (body["network_id"], body.get("mac_address")) in {(port.network_id, port.mac) for port in self.known_ports.values()}:
            mac, network = body["mac_address"], body["network_id"]
            raise errors.NetworkRefused(reason=f"Unable to complete operation for network {network}. The mac address {mac} is in use.")
        made = Port(
            id=str(uuid.uuid4()),
            network_id=body["network_id"],
            project_id=body["project_id"],
            mac=body.get("mac_address", f"fa:16:3e:00:{taken // 256:02x}:{taken % 256:02x}"),
            fixed_ips=addresses,
            security_groups=list(body.get("security_groups", ["the-default"])),
        )
        return self._put(made, {name: body[name] for name in ("device_id", "device_owner", *_NAMES) if name in body})

    def change_port(self, port: Port, body: Mapping[str, Any], *, unchanged: bool = False) -> Port:
        current = self.known_ports[port.id]
        if unchanged and current.revision != port.revision:
            raise errors.NetworkRefused(reason="somebody has changed it")
        return self._put(current, body)

    def _put(self, port: Port, body: Mapping[str, Any]) -> Port:
        port = replace(port, revision=port.revision + 1, **{_NAMES.get(name, name): value for name, value in body.items()})
        if "binding_host_id" in body:
            kind = "unbound" if not port.host else "binding_failed" if port.host in self.hopeless else "ovs"
            port = replace(port, vif_type=kind, status="DOWN")
        self.known_ports[port.id] = port
        return port

    def wired(self, port_id: str) -> None:
        """Its agent has seen it."""
        if self.deaf:
            self.missed.add(port_id)
        elif self.lively:
            self.known_ports[port_id] = replace(self.known_ports[port_id], status="ACTIVE")

    def remind(self, port_id: str) -> None:
        if port_id in self.missed:
            self.known_ports[port_id] = replace(self.known_ports[port_id], status="ACTIVE")

    def delete_port(self, port_id: str) -> None:
        self.known_ports.pop(port_id, None)

    def group(self, group_id: str) -> Group | None:
        return self.known_groups.get(group_id)

    def groups(self, **where: str) -> list[Group]:
        return _matching(self.known_groups, where)

    def groups_named(self, names: Collection[str]) -> list[Group]:
        return [group for group in self.known_groups.values() if group.name in names]

    def make_group(self, name: str, description: str, project_id: str) -> Group:
        made = Group(id=str(uuid.uuid4()), name=name, project_id=project_id)
        self.known_groups[made.id] = made
        return made

    def open(self, group: Group, protocol: str, port: int) -> None:
        self.opened.append((group.id, protocol, port))

    def delete_group(self, group_id: str) -> None:
        if any(group_id in port.security_groups for port in self.known_ports.values()):
            raise errors.NetworkRefused(reason="it is in use")
        self.known_groups.pop(group_id, None)


def _matching(rows: Mapping[str, Any], where: Mapping[str, str]) -> list[Any]:
    return [row for row in rows.values() if all(getattr(row, name) == value for name, value in where.items())]


class FakeWires:
    """Implements :class:`zun.drivers.network.vif.Wires`."""

    def __init__(self, neutron: FakeNeutron) -> None:
        self._neutron = neutron
        self.wires: dict[str, tuple[str, Interface]] = {}
        #: those that have no other end yet
        self.laid: dict[str, str] = {}
        self.broken = False

    def lay(self, port: Port, device: str) -> None:
        if port.id not in self.wires:
            self.laid[port.id] = device
        if self.broken:
            raise errors.WiringFailed(port=port.id, reason="the switch is away")
        self._neutron.wired(port.id)

    def connect(self, port: Port, device: str, state: SandboxState, wanted: Interface) -> None:
        self.laid.pop(port.id, None)
        self.wires[port.id] = (device, wanted)
        if self.broken:
            raise errors.WiringFailed(port=port.id, reason="the switch is away")
        self._neutron.wired(port.id)

    def connected(self, state: SandboxState, addresses: set[str]) -> bool:
        there = {address.partition("/")[0] for _, wanted in self.wires.values() for address in wanted.addresses}
        return addresses <= there

    def disconnect(self, port_id: str, device: str) -> None:
        self.wires.pop(port_id, None)
        self.laid.pop(port_id, None)

    def begun(self, device: str) -> list[str]:
        return self.left(device)

    def left(self, device: str) -> list[str]:
        return [port for port, of in [*self.laid.items(), *((port, of) for port, (of, _) in self.wires.items())] if of == device]


class FakeGround(Ground):
    """The suite's ground, on the two above."""

    project = "project"

    def __init__(self, neutron: FakeNeutron, wires: FakeWires) -> None:
        self.neutron = neutron
        self.wires = wires

    def network(self, *, external: bool = False, versions: tuple[int, ...] = (4,)) -> str:
        return self.neutron.add_network("nobody" if external else self.project, versions=versions, external=external).id

    def port(self, network: str) -> str:
        return self.neutron.make_port({"network_id": network, "project_id": self.project}).id

    def group(self) -> str:
        return self.neutron.make_group("group", "", self.project).id

    def shown(self, port: str) -> dict[str, Any] | None:
        found = self.neutron.port(port)
        return None if found is None else {"device_id": found.device_id, "host": found.host, "groups": found.security_groups}

    def lose(self, port: str) -> None:
        self.neutron.delete_port(port)

    def left(self, device: str) -> list[str]:
        ports = [port.id for port in self.neutron.ports(device_id=device, device_owner=OWNER)]
        return [*ports, *self.wires.left(device), *(group.id for group in self.neutron.groups(name=f"zun-{device}"))]

    def sandbox(self) -> SandboxState:
        return SandboxState(uuid=str(uuid.uuid4()), engine_id=str(uuid.uuid4()), running=True, hostname="box", netns="/proc/1/ns/net")
