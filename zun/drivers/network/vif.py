"""The wires of a host, between its sandboxes and its switch."""

from __future__ import annotations

from typing import Protocol

import msgspec

from zun.drivers.network.cloud import Port
from zun.interfaces.runtime import SandboxState


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """An interface as it shall be: addresses with their prefix lengths, pairs of destinations and next hops. The route to everywhere
    with the lowest ``metric`` is the one that is taken."""

    name: str
    mac: str
    mtu: int
    addresses: list[str] = []
    gateways: list[str] = []
    routes: list[tuple[str, str]] = []
    metric: int = 100
    #: nobody between it and the other end would fill in a checksum that is left to hardware
    plain_checksums: bool = False


class Wires(Protocol):
    """The wires of this host."""

    def lay(self, port: Port, device: str) -> None:
        """Have this host's end of a wire in the switch, before there is a sandbox for the other; may be repeated. Raises WiringFailed."""

    def connect(self, port: Port, device: str, state: SandboxState, wanted: Interface) -> None:
        """Have a wire from the sandbox to the port, the one that was laid if there is one; may be repeated. Raises WiringFailed."""

    def connected(self, state: SandboxState, addresses: set[str]) -> bool:
        """Whether the sandbox has all these addresses."""

    def disconnect(self, port_id: str, device: str) -> None:
        """Remove the wire to a port; none there is as good. Raises WiringFailed."""

    def left(self, device: str) -> list[str]:
        """The uuids of the ports to which there is a wire for this device, or the rest of one."""

    def begun(self, device: str) -> list[str]:
        """The uuids of the ports to which a wire was ever begun here for this device, and not removed since, whatever is there."""
