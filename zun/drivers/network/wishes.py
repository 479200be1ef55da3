"""What requests wish of Neutron, looked at before anything is accepted: who is meant, and whether it can be had. Nothing is changed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from zun import errors
from zun.domain.sandbox import Sandbox
from zun.drivers.network.cloud import Group, Loan, Net, Neutron, Port, Subnet

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNBOUND = ("", "unbound")
_FIXED = {"v4-fixed-ip": 4, "v6-fixed-ip": 6}

T = TypeVar("T", Net, Port, Group)


class Wishes:
    """Implements what :class:`zun.interfaces.network.Network` promises of requests."""

    def __init__(self, neutron: Neutron) -> None:
        self._neutron = neutron

    def choose(self, sandbox: Sandbox, *, external: bool) -> Sandbox:
        """See :meth:`zun.interfaces.network.Network.choose`."""
        project = sandbox.project_id
        nets = [self._net(project, net, external) for net in sandbox.nets] or [{"network": self.default(project).id}]
        seen: set[str] = set()
        for net in nets:
            if net["network"] in seen:
                raise errors.InvalidValue(field="nets", rule=f"must not have network {net['network']} twice")
            seen.add(net["network"])
        groups = [self.security_group(project, name).id for name in sandbox.security_groups]
        return replace(sandbox, nets=nets, security_groups=list(dict.fromkeys(groups)))

    def choose_change(self, sandbox: Sandbox, device: str, verb: str, wish: Mapping[str, Any], *, external: bool) -> dict[str, Any]:
        """See :meth:`zun.interfaces.network.Network.choose_change`."""
        if verb == "network_attach":
            return self._attach(sandbox, device, wish, external)
        if verb == "network_detach":
            return self._detach(sandbox, device, wish)
        if verb == "remove_security_group" and wish["name"] in sandbox.security_groups:
            return {"name": wish["name"]}  # whoever's it is by now
        group = self.security_group(sandbox.project_id, wish["name"])
        known = group.id in sandbox.security_groups
        if verb == "add_security_group" and known:
            raise errors.AlreadyAttached(id=device, what=f"security group {wish['name']}")
        if verb == "remove_security_group" and not known:
            raise errors.NotAttached(id=device, what=f"security group {wish['name']}")
        return {"name": group.id}

    # -- networks and ports ----------------------------------------------------------------------

    def default(self, project: str, taken: Iterable[str] = ()) -> Net:
        """The project's oldest network that containers can be in, else the oldest that is shared with it. Raises NoNetwork."""
        excluded = set(taken)
        for nets in (self._own, self._lent):
            usable = [net for net in nets(project) if net.subnets and not net.external and net.id not in excluded]
            if usable:
                return min(usable, key=lambda net: (net.created_at, net.id))
        raise errors.NoNetwork()

    def exists(self, uuid: str) -> bool:
        """Whether there is a network of this uuid."""
        return bool(_UUID.fullmatch(uuid)) and self._neutron.network(uuid) is not None

    def _own(self, project: str) -> list[Net]:
        return self._neutron.networks(project_id=project)

    def _lent(self, project: str) -> list[Net]:
        public = {net.id: net for net in self._neutron.public_networks()}
        lent = [self._neutron.network(uuid) for uuid in self._neutron.lent_to(project) if uuid not in public]
        return [*(net for net in lent if net is not None), *(net for net in public.values() if net.shared)]

    def network(self, project: str, name: str, external: bool) -> Net:
        """A network that the project may use, by uuid or name.

        Raises NetworkNotFound, SeveralMatches, ExternalNetworkAttachForbidden, and InvalidValue for one that has no addresses to give.
        """
        found = self._usable(project, name, external)
        if len(found) > 1:
            raise errors.SeveralMatches(what="networks", name=name)
        if not found:
            raise errors.NetworkNotFound(id=name, why="the project has none, and nobody shares one with it.")
        net = found[0]
        if net.external and not net.shared and not external and net.project_id != project:
            raise errors.ExternalNetworkAttachForbidden(id=net.id)
        if not net.subnets:
            raise errors.InvalidValue(field="nets", rule=f"network {net.id} has no subnet")
        return net

    def _usable(self, project: str, name: str, external: bool) -> list[Net]:
        """What Neutron shows the project, as shared what it may use; and what is external anywhere to who may use that."""
        if _UUID.fullmatch(name):
            net = self._neutron.network(name)
            named = [] if net is None else [net]
        else:
            named = self._neutron.networks(name=name)
        own = [net for net in named if net.project_id == project]
        if own or not named:
            return own
        # Of a common name every project may have one: they are asked about all at once.
        lent = self._neutron.lent_to(project)
        shared = [replace(net, shared=True) for net in named if net.shared or net.id in lent]
        outside = [net for net in named if net.external and not net.shared and net.id not in lent]
        if not outside or external:
            return [*shared, *outside]
        shown = self._neutron.lent_to(project, Loan.EXTERNAL)
        return [*shared, *(net for net in outside if net.id in shown)]

    def port(self, project: str, name: str, device: str | None = None) -> Port:
        """A port of the project that nobody uses (but ``device``), by uuid or name. Raises PortNotFound, SeveralMatches, PortNotUsable."""
        port = self._one("ports", name, self._port_by_id(project, name) or self._neutron.ports(project_id=project, name=name))
        if port is None:
            raise errors.PortNotFound(id=name)
        check_port(port, device)
        return port

    def _port_by_id(self, project: str, name: str) -> list[Port]:
        port = self._neutron.port(name) if _UUID.fullmatch(name) else None
        return [port] if port is not None and port.project_id == project else []

    def _net(self, project: str, asked: Mapping[str, Any], external: bool) -> dict[str, Any]:
        """An entry of ``nets``, by uuids. A fixed address is ignored with a port, which has its own."""
        if "port" in asked:
            port = self.port(project, asked["port"])
            self.network(project, port.network_id, external)
            return {"port": port.id, "network": port.network_id}
        net = self.network(project, asked["network"], external)
        fixed = {key: asked[key] for key in _FIXED if asked.get(key)}
        if fixed:
            subnets = self._neutron.subnets(net.id)
            for key, address in fixed.items():
                self._check_address(key, address, net, subnets)
        return {"network": net.id, **fixed}

    def _check_address(self, field: str, address: str, net: Net, subnets: list[Subnet]) -> None:
        subnet = next((subnet for subnet in subnets if subnet.holds(address)), None)
        if subnet is None:
            raise errors.InvalidValue(field=field, rule=f"{address} is in none of the subnets of network {net.id}")
        if subnet.automatic:
            rule = f"no address can be chosen in subnet {subnet.id}, where they follow from the ports' MAC addresses (SLAAC)"
            raise errors.InvalidValue(field=field, rule=rule)
        # As Neutron writes it, which compares letters.
        if self._neutron.ports(network_id=net.id, fixed_ips=f"ip_address={ipaddress.ip_address(address)}"):
            raise errors.InvalidValue(field=field, rule=f"{address} is in use in network {net.id}")

    # -- security groups -------------------------------------------------------------------------

    def security_group(self, project: str, name: str) -> Group:
        """A security group of the project, by uuid or name, or one that others let it have. Raises SecurityGroupNotFound,
        SeveralMatches."""
        known = self._neutron.group(name) if _UUID.fullmatch(name) else None
        named = [] if known is None else [known]
        found = [group for group in named if group.project_id == project] or self._neutron.groups(project_id=project, name=name)
        if not found:
            found = self._lent_groups(project, named or self._neutron.groups(name=name))
        group = self._one("security groups", name, found)
        if group is None:
            raise errors.SecurityGroupNotFound(id=name)
        return group

    def _lent_groups(self, project: str, named: list[Group]) -> list[Group]:
        if not named:
            return []
        lent = self._neutron.lent_to(project, Loan.GROUP)
        return [group for group in named if group.id in lent]

    @staticmethod
    def _one(what: str, name: str, found: list[T]) -> T | None:
        if len(found) > 1:
            raise errors.SeveralMatches(what=what, name=name)
        return found[0] if found else None

    # -- changes of what lives -------------------------------------------------------------------

    def _attach(self, sandbox: Sandbox, device: str, wish: Mapping[str, Any], external: bool) -> dict[str, Any]:
        project = sandbox.project_id
        fixed = wish.get("fixed_ip")
        if wish.get("port") is not None:
            if fixed is not None:
                raise errors.InvalidValue(field="fixed_ip", rule="cannot be combined with 'port', which has its own")
            chosen = self._net(project, {"port": wish["port"]}, external)
        else:
            name = wish.get("network") or self.default(project, sandbox.addresses).id
            key = f"v{ipaddress.ip_address(fixed).version}-fixed-ip" if fixed is not None else ""
            chosen = self._net(project, {"network": name, **({key: fixed} if fixed is not None else {})}, external)
        if chosen["network"] in sandbox.addresses:
            raise errors.AlreadyAttached(id=device, what=f"network {chosen['network']}")
        return chosen

    def _detach(self, sandbox: Sandbox, device: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """By what the container has: what it is in may have lost its name, or be gone."""
        if wish.get("port") is not None:
            name = wish["port"]
            known = {str(each["port"]): net for net, found in sandbox.addresses.items() for each in found}
            matching = [name] if name in known else [port.id for port in self._neutron.ports(device_id=device, name=name)]
            found = {uuid: known[uuid] for uuid in matching if uuid in known}
            what = f"port {name}"
        else:
            name = wish["network"]
            nets = [name] if name in sandbox.addresses else self._named(sandbox, name)
            found = {net: net for net in nets}
            what = f"network {name}"
        if len(found) > 1:
            raise errors.SeveralMatches(what=what.split()[0] + "s", name=name)
        if not found:
            raise errors.NotAttached(id=device, what=what)
        return {"network": next(iter(found.values()))}

    def _named(self, sandbox: Sandbox, name: str) -> list[str]:
        if _UUID.fullmatch(name):
            return []
        return [net.id for net in self._neutron.networks(name=name) if net.id in sandbox.addresses]


def check_port(port: Port, device: str | None = None) -> None:
    """Raises PortNotUsable for a port that a container cannot have; one that ``device`` has already it may have."""
    if device is not None and port.device_id == device:
        return
    why = None
    if port.device_id or port.device_owner:
        why = f"it is in use by {port.device_owner or 'a device'}."
    elif port.vif_type == "binding_failed":
        why = "Neutron could not bind it."
    elif port.vif_type not in UNBOUND or port.status in ("ACTIVE", "BUILD", "ERROR"):
        why = f"it is {port.status}."
    elif port.vnic_type != "normal":
        why = f"this deployment has no ports of type {port.vnic_type!r} for containers."
    elif not port.fixed_ips:
        why = "it has no address."
    if why is not None:
        raise errors.PortNotUsable(id=port.id, why=why)
