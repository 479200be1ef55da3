"""What the driver needs of Neutron, in its own words; who answers is :mod:`zun.drivers.network.sdk`, or a fake in tests."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import msgspec

#: by what ports of containers are known to others
OWNER = "compute:zun"

#: What is written in the binding profile of a port, which only services may change: that it was made for its container, and goes with
#: it; and the name of its interface in the container.
OWN, INTERFACE = "zun_own", "zun_interface"


class Loan(enum.Enum):
    """What Neutron's RBAC lets a project do with what is another's: the kind of thing, and the action."""

    NETWORK = ("network", "access_as_shared")
    #: it sees it, and may have routers and floating addresses there
    EXTERNAL = ("network", "access_as_external")
    GROUP = ("security_group", "access_as_shared")


class Net(msgspec.Struct, frozen=True, kw_only=True):
    """A network. ``shared`` only tells of what is shared with everybody."""

    id: str
    name: str
    project_id: str
    mtu: int = 1500
    external: bool = False
    shared: bool = False
    subnets: list[str] = []
    created_at: str = ""
    dns_domain: str = ""


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet; ``routes`` are pairs of a destination and the next hop. In one that is ``automatic`` (SLAAC, DHCPv6 without addresses) the
    address of each port follows from its MAC address, and Neutron gives no other."""

    id: str
    cidr: str
    gateway: str | None = None
    nameservers: list[str] = []
    routes: list[tuple[str, str]] = []
    dhcp: bool = True
    automatic: bool = False

    def holds(self, address: str) -> bool:
        """Whether an address is one of its own."""
        return ipaddress.ip_address(address) in ipaddress.ip_network(self.cidr)


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A port. ``fixed_ips`` are pairs of a subnet and an address."""

    id: str
    network_id: str
    project_id: str
    name: str = ""
    mac: str = ""
    status: str = "DOWN"
    device_id: str = ""
    device_owner: str = ""
    host: str = ""
    vif_type: str = "unbound"
    vif_details: dict[str, Any] = {}
    vnic_type: str = "normal"
    profile: dict[str, Any] = {}
    fixed_ips: list[tuple[str, str]] = []
    security_groups: list[str] = []
    revision: int = 0

    @property
    def own(self) -> bool:
        """Whether it was made for its container, and goes with it."""
        return bool(self.profile.get(OWN))

    @property
    def interface(self) -> str:
        """The name of its interface in the container."""
        return str(self.profile.get(INTERFACE) or "")


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A security group."""

    id: str
    name: str
    project_id: str


class Neutron(Protocol):
    """Calls of Neutron with the service's own credentials, which see every project.

    All raise NetworkUnavailable and NetworkRefused. What is asked for by uuid and is not there is None, or deleted already.
    """

    def network(self, network_id: str) -> Net | None:
        """A network."""

    def networks(self, **where: str) -> list[Net]:
        """The networks with this ``name``, ``project_id`` ..."""

    def public_networks(self) -> list[Net]:
        """Those that everybody may use, or that are external."""

    def lent_to(self, project_id: str, loan: Loan = Loan.NETWORK) -> list[str]:
        """The uuids of all that others let a project have so, or everybody."""

    def subnets(self, network_id: str) -> list[Subnet]:
        """The subnets of a network."""

    def port(self, port_id: str) -> Port | None:
        """A port."""

    def ports(self, **where: str) -> list[Port]:
        """The ports of a ``device_id``, ``network_id``, ``name`` ..."""

    def ports_of(self, device_ids: Collection[str]) -> list[Port]:
        """The ports of some dozens of devices, with no more than their ``device_id`` and ``profile``."""

    def states(self, port_ids: Collection[str]) -> list[Port]:
        """Those of these ports that there are, with no more than their ``status`` and ``vif_type``: it is asked often."""

    def make_port(self, body: Mapping[str, Any]) -> Port:
        """Make a port, with attributes in Neutron's names."""

    def change_port(self, port: Port, body: Mapping[str, Any], *, unchanged: bool = False) -> Port:
        """Change a port; with ``unchanged`` only if nobody has changed it since it was looked at: raises NetworkRefused otherwise, too."""

    def remind(self, port_id: str) -> None:
        """Have the agents of a port's host and of its network's DHCP look at it once more, and tell what they have done for it; the port
        stays as it is. Gone is as good."""

    def delete_port(self, port_id: str) -> None:
        """Delete a port; gone already is as good."""

    def group(self, group_id: str) -> Group | None:
        """A security group."""

    def groups(self, **where: str) -> list[Group]:
        """The security groups of a ``project_id``, ``name`` ..."""

    def groups_named(self, names: Collection[str]) -> list[Group]:
        """The security groups with one of some dozens of names."""

    def make_group(self, name: str, description: str, project_id: str) -> Group:
        """Make a security group, in which nothing is let in."""

    def open(self, group: Group, protocol: str, port: int) -> None:
        """Let everybody in at a port of tcp or udp, over IPv4 and IPv6; open already is as good."""

    def delete_group(self, group_id: str) -> None:
        """Delete a security group; gone already is as good."""
