"""Neutron by openstacksdk."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from keystoneauth1 import exceptions as keystone
from openstack import exceptions as sdk

from zun import errors
from zun.drivers.network.cloud import Group, Loan, Net, Port, Subnet

T = TypeVar("T")

#: An answer of this kind says nothing of what was asked for.
_PASSING = (408, 429, 500, 502, 503, 504)

#: Of what one question can name: it is in its address.
_MOST_ASKED = 100

#: characters that Neutron takes of a description
_LONGEST = 255

#: An option of DHCP that no container asks for, as it has its addresses from us: on a port only while somebody is reminded.
_OPTION = {"opt_name": "bootfile-name", "opt_value": "zun-reminds"}

#: how the addresses of a subnet follow from its ports' MAC addresses
_AUTOMATIC = frozenset({"slaac", "dhcpv6-stateless"})

_ETHERTYPES = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except sdk.HttpException as error:
        if error.status_code in _PASSING or error.status_code is None:
            raise errors.NetworkUnavailable(reason=_said(error)) from error
        raise errors.NetworkRefused(reason=_said(error)) from error
    except (sdk.SDKException, keystone.ClientException) as error:
        # No connection, no token, no endpoint: whatever it is, Neutron has not been asked.
        raise errors.NetworkUnavailable(reason=_said(error)) from error


def _said(error: Exception) -> str:
    """What was said, without the address that was asked."""
    details = getattr(error, "details", None)
    if details:
        return str(details)[:500]
    return type(error).__name__


class SdkNeutron:
    """Implements :class:`zun.drivers.network.cloud.Neutron`. Safe for several threads."""

    def __init__(self, connect: Callable[[], Any], *, parallel: int = 2) -> None:
        """``connect`` makes a connection of openstacksdk; it is called when something is asked for the first time. So many ports are
        changed at once."""
        self._turns = threading.BoundedSemaphore(parallel)
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: Any = None

    @property
    def _proxy(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection.network

    def network(self, network_id: str) -> Net | None:
        """See the Protocol."""
        return self._one(lambda: _net(self._proxy.get_network(network_id)))

    def networks(self, **where: str) -> list[Net]:
        """See the Protocol."""
        with _asking():
            return [_net(found) for found in self._proxy.networks(**where)]

    def public_networks(self) -> list[Net]:
        """See the Protocol."""
        with _asking():
            shared = {found.id: _net(found) for found in self._proxy.networks(is_shared=True)}
            external = {found.id: _net(found) for found in self._proxy.networks(is_router_external=True)}
            return list({**external, **shared}.values())

    def lent_to(self, project_id: str, loan: Loan = Loan.NETWORK) -> list[str]:
        """See the Protocol."""
        kind, action = loan.value
        where = {"object_type": kind, "action": action, "target_project_id": [project_id, "*"]}
        with _asking():
            return [str(found.object_id) for found in self._proxy.rbac_policies(**where)]

    def subnets(self, network_id: str) -> list[Subnet]:
        """See the Protocol."""
        with _asking():
            return [_subnet(found) for found in self._proxy.subnets(network_id=network_id)]

    def port(self, port_id: str) -> Port | None:
        """See the Protocol."""
        return self._one(lambda: _port(self._proxy.get_port(port_id)))

    def ports(self, **where: str) -> list[Port]:
        """See the Protocol."""
        with _asking():
            return [_port(found) for found in self._proxy.ports(**where)]

    def ports_of(self, device_ids: Collection[str]) -> list[Port]:
        """See the Protocol."""
        with _asking():
            return [
                Port(id=found.id, network_id="", project_id="", device_id=found.device_id or "", profile=dict(found.binding_profile or {}))
                for found in self._proxy.ports(device_id=sorted(device_ids), fields=["id", "device_id", "binding:profile"])
            ]

    def states(self, port_ids: Collection[str]) -> list[Port]:
        """See the Protocol."""
        asked = sorted(port_ids)
        with _asking():
            return [
                Port(id=found.id, network_id="", project_id="", status=found.status or "DOWN", vif_type=found.binding_vif_type or "unbound")
                for begin in range(0, len(asked), _MOST_ASKED)
                for found in self._proxy.ports(id=asked[begin : begin + _MOST_ASKED], fields=["id", "status", "binding:vif_type"])
            ]

    def make_port(self, body: Mapping[str, Any]) -> Port:
        """See the Protocol."""
        with self._turns, _asking():
            return _port(self._proxy.create_port(**body))

    def change_port(self, port: Port, body: Mapping[str, Any], *, unchanged: bool = False) -> Port:
        """See the Protocol."""
        condition = {"if_revision": port.revision} if unchanged else {}
        with self._turns, _asking():
            return _port(self._proxy.update_port(port.id, **condition, **body))

    def remind(self, port_id: str) -> None:
        """See the Protocol. The switch's agent is told of each change of a port, whatever it is, and DHCP's of one of its options: its
        description and such an option are changed, and changed back. What somebody else writes meanwhile stays."""
        with self._turns:
            self._one(lambda: self._change_nothing(port_id))

    def _change_nothing(self, port_id: str) -> None:
        port = self._proxy.get_port(port_id)
        description = port.description or ""
        changed = description[:-1] if len(description) == _LONGEST else f"{description} "
        change = {"description": changed, "extra_dhcp_opts": [] if _OPTION["opt_name"] in _options(port) else [_OPTION]}
        port = self._proxy.update_port(port_id, if_revision=port.revision_number, **change)
        while undo := _undone(port, changed, description):
            try:
                port = self._proxy.update_port(port_id, if_revision=port.revision_number, **undo)
            except sdk.PreconditionFailedException:
                # The agent may have been quicker: that the port is ACTIVE is a revision, too.
                port = self._proxy.get_port(port_id)

    def delete_port(self, port_id: str) -> None:
        """See the Protocol."""
        with self._turns, _asking():
            self._proxy.delete_port(port_id, ignore_missing=True)

    def group(self, group_id: str) -> Group | None:
        """See the Protocol."""
        return self._one(lambda: _group(self._proxy.get_security_group(group_id)))

    def groups(self, **where: str) -> list[Group]:
        """See the Protocol."""
        with _asking():
            return [_group(found) for found in self._proxy.security_groups(**where)]

    def groups_named(self, names: Collection[str]) -> list[Group]:
        """See the Protocol."""
        with _asking():
            return [_group(found) for found in self._proxy.security_groups(name=sorted(names), fields=["id", "name", "project_id"])]

    def make_group(self, name: str, description: str, project_id: str) -> Group:
        """See the Protocol."""
        with _asking():
            return _group(self._proxy.create_security_group(name=name, description=description, project_id=project_id))

    def open(self, group: Group, protocol: str, port: int) -> None:
        """See the Protocol."""
        for ethertype, everybody in _ETHERTYPES.items():
            rule = {
                "security_group_id": group.id,
                "project_id": group.project_id,
                "direction": "ingress",
                "ether_type": ethertype,
                "protocol": protocol,
                "port_range_min": port,
                "port_range_max": port,
                "remote_ip_prefix": everybody,
            }
            with _asking(), contextlib.suppress(sdk.ConflictException):
                self._proxy.create_security_group_rule(**rule)

    def delete_group(self, group_id: str) -> None:
        """See the Protocol."""
        with _asking():
            self._proxy.delete_security_group(group_id, ignore_missing=True)

    def _one(self, ask: Callable[[], T]) -> T | None:
        with _asking():
            try:
                return ask()
            except sdk.NotFoundException:
                return None


def connection(session: Any, conf: Any) -> partial[Any]:
    """What makes a connection: by a session of keystoneauth, and the section ``[neutron]`` of ``conf``."""
    from openstack import connection as connections

    return partial(connections.Connection, session=session, oslo_conf=conf, service_types={"network"})


def _undone(port: Any, changed: str, description: str) -> dict[str, Any]:
    """What is to be changed back of a port, if anything."""
    undo: dict[str, Any] = {"description": description} if port.description == changed else {}
    if _options(port).get(_OPTION["opt_name"]) == _OPTION["opt_value"]:
        undo["extra_dhcp_opts"] = [{**_OPTION, "opt_value": None}]
    return undo


def _options(port: Any) -> dict[str, str]:
    return {each["opt_name"]: each["opt_value"] for each in port.extra_dhcp_opts or ()}


def _net(found: Any) -> Net:
    return Net(
        id=found.id,
        name=found.name or "",
        project_id=found.project_id or "",
        mtu=found.mtu or 1500,
        external=bool(found.is_router_external),
        shared=bool(found.is_shared),
        subnets=list(found.subnet_ids or ()),
        created_at=found.created_at or "",
        dns_domain=found.dns_domain or "",
    )


def _subnet(found: Any) -> Subnet:
    return Subnet(
        id=found.id,
        cidr=found.cidr,
        gateway=found.gateway_ip,
        nameservers=list(found.dns_nameservers or ()),
        routes=[(route["destination"], route["nexthop"]) for route in found.host_routes or ()],
        dhcp=bool(found.is_dhcp_enabled),
        # Neutron takes one of the two for both.
        automatic=not _AUTOMATIC.isdisjoint((found.ipv6_address_mode, found.ipv6_ra_mode)),
    )


def _port(found: Any) -> Port:
    return Port(
        id=found.id,
        network_id=found.network_id,
        project_id=found.project_id or "",
        name=found.name or "",
        mac=found.mac_address or "",
        status=found.status or "DOWN",
        device_id=found.device_id or "",
        device_owner=found.device_owner or "",
        host=found.binding_host_id or "",
        vif_type=found.binding_vif_type or "unbound",
        vif_details=dict(found.binding_vif_details or {}),
        vnic_type=found.binding_vnic_type or "normal",
        profile=dict(found.binding_profile or {}),
        fixed_ips=[(each["subnet_id"], each["ip_address"]) for each in found.fixed_ips or ()],
        security_groups=list(found.security_group_ids or ()),
        revision=found.revision_number or 0,
    )


def _group(found: Any) -> Group:
    return Group(id=found.id, name=found.name or "", project_id=found.project_id or "")
