"""The cloud's networks: ports of Neutron, made, bound and plugged by the agent of the host that the sandbox is on (ADR 0024)."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zun import errors
from zun.domain.sandbox import Sandbox
from zun.drivers.network.activity import Activity
from zun.drivers.network.cloud import Net, Neutron, Port, Subnet
from zun.drivers.network.facts import Facts
from zun.drivers.network.names import Names
from zun.drivers.network.ports import Ports
from zun.drivers.network.vif import Interface, Wires
from zun.drivers.network.wishes import Wishes
from zun.interfaces.network import Addresses, Plugged
from zun.interfaces.runtime import Bind, SandboxState

LOG = logging.getLogger(__name__)

#: Seconds for which a server of Neutron's that has just begun may take its administrator for anybody, and show him nothing: it has not read
#: all of its policy when it answers other threads' requests already. So its source says (Neutron 29).
_BEGINNING = 1.0

#: Between the routes to everywhere of two interfaces: the first one's is taken.
_METRIC = 100


class NeutronNetwork:
    """Implements :class:`zun.interfaces.network.Network`."""

    name = "neutron"
    attachment = "none"

    def __init__(
        self,
        neutron: Neutron,
        ports: Ports,
        activity: Activity,
        wires: Callable[[], Wires],
        names: Names,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``wires`` are asked for where something is plugged, and not where requests are only looked at."""
        self._wishes = Wishes(neutron)
        self._ports = ports
        self._activity = activity
        self._make_wires = wires
        self._made: list[Wires] = []
        self._names = names
        self._sleep = sleep
        self._facts = Facts(neutron)
        #: what was just begun, so that it need not be asked for: the ports by device
        self._begun: dict[str, list[Port]] = {}

    @property
    def _wires(self) -> Wires:
        if not self._made:
            self._made.append(self._make_wires())
        return self._made[0]

    # -- before anything is accepted -------------------------------------------------------------

    def refuse(self, sandbox: Sandbox) -> None:
        """It can do whatever can be asked for; :meth:`choose` looks at what is meant."""

    def refuse_change(self, verb: str, wish: Mapping[str, Any]) -> None:
        """Nothing is made of a network before containers can use it, and nothing is to be deleted; but there must be one."""
        if verb in ("create", "delete"):
            name = str(wish["neutron_net_id" if verb == "create" else "id"])
            if not self._wishes.exists(name):
                raise errors.NetworkNotFound(id=name, why="Neutron has none of this uuid.")

    def choose(self, sandbox: Sandbox, *, external: bool) -> Sandbox:
        """See :class:`~zun.drivers.network.wishes.Wishes`."""
        return self._wishes.choose(sandbox, external=external)

    def choose_change(self, sandbox: Sandbox, device: str, verb: str, wish: Mapping[str, Any], *, external: bool) -> dict[str, Any]:
        """See :class:`~zun.drivers.network.wishes.Wishes`."""
        return self._wishes.choose_change(sandbox, device, verb, wish, external=external)

    # -- on the host -----------------------------------------------------------------------------

    def begin(self, sandbox: Sandbox, device: str, *, again: bool) -> None:
        """Make the ports and lay this host's ends of their wires: that is what Neutron's agents wait for, not the sandbox's."""
        if sandbox.engine_id is None:
            self._remember(device)
            ports = self._ports.ensure(sandbox, device, again=again)
            for port in ports:
                self._wires.lay(port, device)
            self._begun[device] = ports

    def settle(self, plugged: Plugged, cancelled: Callable[[], None] = lambda: None, *, longest: float | None = None) -> None:
        """See the Protocol."""
        self._activity.wait(set(plugged.awaited), cancelled, longest)

    def plug(self, sandbox: Sandbox, device: str, state: SandboxState) -> Plugged:
        """A sandbox that was plugged before has the ports that it has; for a new one they are made."""
        if sandbox.engine_id is not None:
            if sandbox.capsule and sandbox.exposed_ports:  # of a container that was added to it, perhaps
                self._ports.expose(sandbox, device)
            return self.restore(sandbox, device, state)
        ports = self._begun.pop(device, None)
        return self._connect(sandbox, device, state, self._ports.ensure(sandbox, device) if ports is None else ports)

    def restore(self, sandbox: Sandbox, device: str, state: SandboxState) -> Plugged:
        """Where all is well, Neutron is not asked: containers begin again whether or not it answers."""
        known = [each for found in sandbox.addresses.values() for each in found]
        ports, addresses = {each["port"] for each in known}, {each["addr"] for each in known}
        same = sandbox.engine_id == state.engine_id and addresses
        if same and self._wires.connected(state, addresses) and ports <= set(self._wires.left(device)):
            return Plugged(addresses=sandbox.addresses)
        return self._reconnect(sandbox, device, state)

    def change(self, sandbox: Sandbox, device: str, state: SandboxState, verb: str, wish: Mapping[str, Any]) -> Plugged:
        """See the Protocol."""
        if verb == "network_attach":
            self._ports.ensure_one(sandbox, device, wish)
        elif verb == "network_detach":
            self._detach(device, wish["network"])
        else:
            self._ports.change_group(device, wish["name"], member=verb == "add_security_group")
        return self._reconnect(sandbox, device, state)

    def undo_change(self, sandbox: Sandbox, device: str, state: SandboxState, verb: str, wish: Mapping[str, Any]) -> None:
        """A network that could not be attached is detached; what else was changed is where its user wanted it."""
        if verb == "network_attach":
            self._detach(device, wish["network"])

    def unplug(self, device: str) -> None:
        """Wires first: whether somebody has deleted a port, and whether Neutron answers, nothing is left on this host."""
        self._begun.pop(device, None)
        self._cut(device, [*self._wires.left(device), *self._wires.begun(device)])
        ports = self._ports.of(device)
        if not ports and self._names.knows(device):
            self._sleep(_BEGINNING)
            ports = self._ports.of(device)
        self._cut(device, [port.id for port in ports])
        for port in ports:
            self._ports.release(port)
        self._ports.remove_group(device)
        self._names.remove(device)

    def here(self) -> list[str]:
        """By what was written down here before anything was done: others plug at the same switch."""
        return self._names.devices()

    def clean(self, device: str) -> None:
        """See the Protocol. It is elsewhere, perhaps: what is not of this host is left alone."""
        self._cut(device, [*self._wires.left(device), *self._wires.begun(device)])
        ports = self._ports.of(device)
        for port in ports:
            if port.host == self._ports.host:
                self._ports.release(port)
        if all(port.host == self._ports.host for port in ports):
            self._ports.remove_group(device)
        self._names.remove(device)

    def release(self, device: str) -> None:
        """What is plugged on the host is taken away there, should it come back."""
        for port in self._ports.of(device):
            self._ports.release(port)
        self._ports.remove_group(device)

    def left(self, devices: Sequence[str]) -> list[str]:
        """By the marks that only services can write, and by the names of groups."""
        return self._ports.left(devices)

    def files(self, device: str) -> list[Bind]:
        """See :class:`~zun.drivers.network.names.Names`."""
        return self._names.binds(device)

    # -- how -------------------------------------------------------------------------------------

    def _cut(self, device: str, port_ids: Iterable[str]) -> None:
        for port_id in dict.fromkeys(port_ids):
            self._wires.disconnect(port_id, device)

    def _detach(self, device: str, network_id: str) -> None:
        for port in self._ports.of(device):
            if port.network_id == network_id:
                self._wires.disconnect(port.id, device)
                self._ports.release(port)

    def _reconnect(self, sandbox: Sandbox, device: str, state: SandboxState) -> Plugged:
        """Have what Neutron has of the device now: of a port that somebody has deleted there is no wire any more."""
        ports = self._ports.of(device)
        for port_id in sorted(set(self._wires.left(device)) - {port.id for port in ports}):
            self._wires.disconnect(port_id, device)
        return self._connect(sandbox, device, state, ports)

    def _connect(self, sandbox: Sandbox, device: str, state: SandboxState, ports: list[Port]) -> Plugged:
        """Have a wire to each port, and the names."""
        self._remember(device)
        facts = {port.network_id: self._facts.network(port.network_id, {uuid for uuid, _ in port.fixed_ips}) for port in ports}
        nets = {uuid: net for uuid, (net, _) in facts.items()}
        subnets = {uuid: found for uuid, (_, found) in facts.items()}
        for place, port in enumerate(ports):
            self._wires.connect(port, device, state, _interface(port, nets[port.network_id], subnets[port.network_id], place))
        self._write_names(sandbox, device, state, ports, nets, subnets)
        own = [port for port in ports if port.own]
        groups = list(dict.fromkeys(group for port in own for group in port.security_groups))
        return Plugged(addresses=_addresses(ports), security_groups=groups if ports else [], awaited=[port.id for port in ports])

    def _remember(self, device: str) -> None:
        try:
            self._names.begin(device)
        except OSError as error:
            raise errors.WiringFailed(port=device, reason=f"it cannot be written down: {error}") from error

    def _write_names(
        self,
        sandbox: Sandbox,
        device: str,
        state: SandboxState,
        ports: list[Port],
        nets: Mapping[str, Net],
        subnets: Mapping[str, Mapping[str, Subnet]],
    ) -> None:
        servers: list[str] = []
        for port in ports:
            own = [subnets[port.network_id][uuid] for uuid, _ in port.fixed_ips if uuid in subnets[port.network_id]]
            servers += [server for subnet in own for server in subnet.nameservers]
            if not servers and any(subnet.dhcp for subnet in own):
                servers += self._facts.name_servers(port.network_id, {subnet.id for subnet in own})
        mine = [address for port in ports for _, address in port.fixed_ips]
        domains = [nets[port.network_id].dns_domain for port in ports]
        try:
            self._names.write(device, sandbox.hostname or state.hostname, mine, servers, domains)
        except OSError as error:
            raise errors.WiringFailed(port=ports[0].id if ports else device, reason=f"its names cannot be written: {error}") from error


def _interface(port: Port, net: Net, subnets: Mapping[str, Subnet], place: int) -> Interface:
    known = [(subnets[uuid], address) for uuid, address in port.fixed_ips if uuid in subnets]
    return Interface(
        name=port.interface or f"eth{place}",
        mac=port.mac,
        mtu=net.mtu,
        addresses=[f"{address}/{ipaddress.ip_network(subnet.cidr).prefixlen}" for subnet, address in known],
        gateways=list(dict.fromkeys(subnet.gateway for subnet, _ in known if subnet.gateway)),
        routes=[route for subnet, _ in known for route in subnet.routes],
        metric=_METRIC + place,
    )


def _addresses(ports: list[Port]) -> Addresses:
    found: Addresses = {}
    for port in ports:
        for subnet, address in port.fixed_ips:
            entry = {
                "addr": address,
                "version": ipaddress.ip_address(address).version,
                "port": port.id,
                "subnet_id": subnet,
                "preserve_on_delete": not port.own,
            }
            found.setdefault(port.network_id, []).append(entry)
    return found
