"""The wires of a host, between its sandboxes and its switch."""

from __future__ import annotations

from typing import Protocol

from zun.drivers.network.cloud import Port
from zun.drivers.network.inside import Interface
from zun.interfaces.runtime import SandboxState


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
