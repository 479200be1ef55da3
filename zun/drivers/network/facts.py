"""What networks are like, read once for all that is plugged into one within a few seconds: Neutron has other things to do then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zun import errors
from zun.drivers.network.cloud import Net, Neutron, Subnet

#: Seconds; whoever changes a network sees it in what is plugged after that.
_KEPT = 5.0

_DHCP = "network:dhcp"


class _Known:
    """Of one network; whoever holds the lock may ask."""

    def __init__(self, at: float) -> None:
        self.lock = threading.Lock()
        self.at = at
        self.net: Net | None = None
        self.subnets: dict[str, Subnet] = {}
        self.servers: list[tuple[str, str]] = []


class Facts:
    """What is known of networks. Safe for several threads."""

    def __init__(self, neutron: Neutron, clock: Callable[[], float] = time.monotonic) -> None:
        self._neutron = neutron
        self._clock = clock
        self._lock = threading.Lock()
        self._networks: dict[str, _Known] = {}

    def network(self, network_id: str, subnets: set[str]) -> tuple[Net, dict[str, Subnet]]:
        """A network and its subnets by their uuids, these among them if they exist. Raises NetworkRefused for one that is gone."""
        known = self._known(network_id)
        with known.lock:
            if known.net is None:
                known.net = self._neutron.network(network_id)
            if known.net is None:
                raise errors.NetworkRefused(reason=f"network {network_id} is gone")
            if not known.subnets or not subnets <= set(known.subnets):
                known.subnets = {subnet.id: subnet for subnet in self._neutron.subnets(network_id)}
            return known.net, known.subnets

    def name_servers(self, network_id: str, subnets: set[str]) -> list[str]:
        """Who answers for names in a network whose subnets name nobody: those who give it its addresses."""
        known = self._known(network_id)
        with known.lock:
            if not known.servers:
                ports = self._neutron.ports(network_id=network_id, device_owner=_DHCP)
                known.servers = [pair for port in ports for pair in port.fixed_ips]
            return [address for subnet, address in known.servers if subnet in subnets]

    def _known(self, network_id: str) -> _Known:
        now = self._clock()
        with self._lock:
            self._networks = {uuid: known for uuid, known in self._networks.items() if known.at > now - _KEPT}
            return self._networks.setdefault(network_id, _Known(now))
