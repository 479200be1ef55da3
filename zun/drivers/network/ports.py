"""The ports of sandboxes, and the security groups that are made for them. All of them are found again by the device."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from zun import errors
from zun.domain.sandbox import Sandbox
from zun.drivers.network import wishes
from zun.drivers.network.activity import BINDING_FAILED
from zun.drivers.network.cloud import INTERFACE, OWN, OWNER, Group, Neutron, Port

LOG = logging.getLogger(__name__)

#: of a change that was met by another one each time
_TRIES = 4


def group_name(device: str) -> str:
    """The name of the security group that opens a container's exposed ports."""
    return f"zun-{device}"


def mac_of(device: str, network_id: str) -> str:
    """The hardware address of a device's own port in a network, always the same: Neutron lets a network have it once. So a call that was
    given up, and is done by Neutron later than the one that was made in its place, makes no second port."""
    told = hashlib.sha256(f"{device} {network_id}".encode()).digest()
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in told[:3])


def _alike(one: Port, other: Port) -> bool:
    """Whether nothing that anybody decides is different."""
    return all(getattr(one, name) == getattr(other, name) for name in ("device_id", "device_owner", "host", "profile", "security_groups"))


def _place(port: Port) -> tuple[int, str, str]:
    return (len(port.interface), port.interface, port.id)


class Ports:
    """The ports of this host's sandboxes."""

    def __init__(self, neutron: Neutron, *, host: str) -> None:
        """``host`` is the name by which Neutron's agent knows this host."""
        self._neutron = neutron
        self.host = host

    def of(self, device: str) -> list[Port]:
        """The ports of a device, in the order of their interfaces. Anybody may write a device's uuid on a port of his own: that makes it
        none of them."""
        found = [port for port in self._neutron.ports(device_id=device) if port.interface]
        return sorted(found, key=_place)

    def left(self, devices: Sequence[str]) -> list[str]:
        """Those of these devices that have ports, or a group, of all that there is on any host."""
        names = {group_name(device): device for device in devices}
        found = {port.device_id for port in self._neutron.ports_of(devices) if port.interface}
        found |= {names[group.name] for group in self._neutron.groups_named(list(names)) if group.name in names}
        return [device for device in devices if device in found]

    def ensure(self, sandbox: Sandbox, device: str, *, again: bool = True) -> list[Port]:
        """Have all that a new sandbox is to have, in the order of their interfaces; unless ``again``, there is nothing of it yet.

        Raises BindingFailed.
        """
        known = self.of(device) if again else []
        groups = list(sandbox.security_groups)
        if sandbox.exposed_ports and len(known) < len(sandbox.nets):
            groups.append(self._ensure_group(sandbox, device).id)
        ports = [self._ensure(sandbox, device, net, f"eth{place}", groups, known) for place, net in enumerate(sandbox.nets)]
        return sorted(ports, key=_place)

    def ensure_one(self, sandbox: Sandbox, device: str, net: Mapping[str, Any]) -> None:
        """Have one port more, in the groups that the others are in. Raises BindingFailed."""
        known = self.of(device)
        taken = {port.interface for port in known}
        free = next(name for place in range(len(taken) + 1) if (name := f"eth{place}") not in taken)
        self._ensure(sandbox, device, net, free, sandbox.security_groups, known)

    def _ensure(self, sandbox: Sandbox, device: str, net: Mapping[str, Any], interface: str, groups: list[str], known: list[Port]) -> Port:
        port = next((port for port in known if port.network_id == net["network"]), None)
        if port is None:
            port = self._take(net["port"], device, interface) if "port" in net else self._make(sandbox, device, net, interface, groups)
        if port.host != self.host or port.vif_type in wishes.UNBOUND:
            # Nobody waited for the answer to the call that made it, perhaps, and it is not bound yet.
            port = self._change(port, {"binding_host_id": self.host})
        if port.vif_type == BINDING_FAILED:
            raise errors.BindingFailed(port=port.id, host=self.host, reason="no mechanism of Neutron's can bind it there.")
        return port

    def _make(self, sandbox: Sandbox, device: str, net: Mapping[str, Any], interface: str, groups: list[str]) -> Port:
        body: dict[str, Any] = {
            "network_id": net["network"],
            "project_id": sandbox.project_id,
            "device_id": device,
            "device_owner": OWNER,
            "binding_host_id": self.host,
            "binding_profile": {OWN: True, INTERFACE: interface},
        }
        fixed = [{"ip_address": net[key]} for key in ("v4-fixed-ip", "v6-fixed-ip") if net.get(key)]
        if fixed:
            body["fixed_ips"] = fixed
        if groups:
            body["security_groups"] = groups
        mac = mac_of(device, net["network"])
        try:
            return self._neutron.make_port({**body, "mac_address": mac})
        except errors.NetworkRefused:
            late = next((port for port in self.of(device) if port.network_id == net["network"]), None)
            if late is not None:
                return late
            if not self._neutron.ports(network_id=net["network"], mac_address=mac):
                raise
            # The hardware address is another's by chance.
            return self._neutron.make_port(body)

    def _take(self, port_id: str, device: str, interface: str) -> Port:
        port = self._neutron.port(port_id)
        if port is None:
            raise errors.PortNotFound(id=port_id)
        wishes.check_port(port, device)
        body = {
            "device_id": device,
            "device_owner": OWNER,
            "binding_host_id": self.host,
            "binding_profile": {**port.profile, INTERFACE: interface},
        }
        return self._neutron.change_port(port, body, unchanged=True)

    def release(self, port: Port) -> None:
        """Delete a port that was made here; give back one that is its user's, as it was."""
        if port.own:
            self._neutron.delete_port(port.id)
            return
        current = self._neutron.port(port.id)
        if current is None or current.device_id != port.device_id:
            return
        profile = {key: value for key, value in current.profile.items() if key != INTERFACE}
        self._change(current, {"device_id": "", "device_owner": "", "binding_host_id": "", "binding_profile": profile})

    def _change(self, port: Port, body: Mapping[str, Any]) -> Port:
        """Change it as it was looked at, and no later state of it: a call that was given up may be carried out when the port, which may be
        its user's, is somebody else's already. That Neutron itself has changed it since (its status) is no hindrance."""
        for _ in range(_TRIES):
            try:
                return self._neutron.change_port(port, body, unchanged=True)
            except errors.NetworkRefused:
                current = self._neutron.port(port.id)
                if current is None or current.revision == port.revision or not _alike(current, port):
                    raise
                port = current
        raise errors.NetworkUnavailable(reason=f"port {port.id} is being changed by others")

    # -- security groups -------------------------------------------------------------------------

    def change_group(self, device: str, group_id: str, *, member: bool) -> None:
        """Have all ports of a device in a security group, or out of it."""
        self._change_groups(self.of(device), group_id, member=member)

    def _change_groups(self, ports: list[Port], group_id: str, *, member: bool) -> None:
        for port in ports:
            others = [uuid for uuid in port.security_groups if uuid != group_id]
            groups = [*others, group_id] if member else others
            if set(groups) != set(port.security_groups):
                self._change(port, {"security_groups": groups})

    def expose(self, sandbox: Sandbox, device: str) -> None:
        """Have the sandbox's exposed ports open, of those that were named later too. A port of the user's lets in whom he lets in."""
        self._change_groups([port for port in self.of(device) if port.own], self._ensure_group(sandbox, device).id, member=True)

    def _ensure_group(self, sandbox: Sandbox, device: str) -> Group:
        """The group that lets everybody in at the exposed ports (``80/tcp``, ``53/udp``, ``8080``)."""
        name = group_name(device)
        found = self._neutron.groups(name=name, project_id=sandbox.project_id)
        group = found[0] if found else self._neutron.make_group(name, "exposed ports of a container of zun", sandbox.project_id)
        for text in sandbox.exposed_ports:
            number, _, protocol = text.partition("/")
            self._neutron.open(group, protocol or "tcp", int(number))
        return group

    def remove_group(self, device: str) -> None:
        """Remove that group; none there is as good. One that a user has put on a port of his own meanwhile is his."""
        for group in self._neutron.groups(name=group_name(device)):
            try:
                self._neutron.delete_group(group.id)
            except errors.NetworkRefused as refused:
                LOG.warning("security group %s of %s stays: %s", group.id, device, refused)
