"""The wires of a host, between its sandboxes and its switch."""

from __future__ import annotations

from typing import Protocol

from zun.drivers.network.cloud import Port
from zun.drivers.network.inside import Interface
from zun.interfaces.runtime import SandboxState


class Wires(Protocol):
    """The wires of this host."""

    def connect(self, port: Port, device: str, state: SandboxState, wanted: Interface) -> None:
        """Have a wire from the sandbox to the port; may be repeated. Raises WiringFailed."""

    def connected(self, state: SandboxState, addresses: set[str]) -> bool:
        """Whether the sandbox has all these addresses."""

    def disconnect(self, port_id: str, device: str) -> None:
        """Remove the wire to a port; none there is as good. Raises WiringFailed."""

    def left(self, device: str) -> list[str]:
        """The uuids of the ports to which there is a wire for this device, or the rest of one."""
