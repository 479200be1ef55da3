"""The engine's own bridge: addresses come with the sandbox, and there is nothing to choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zun import errors
from zun.domain.sandbox import Sandbox
from zun.interfaces.network import Plugged
from zun.interfaces.runtime import Bind, SandboxState

WHY = "this deployment has no network service (Neutron); containers get an address on the engine's own network."


class EngineNetwork:
    """Implements :class:`zun.interfaces.network.Network`."""

    name = "engine"
    attachment = "engine"

    def refuse(self, sandbox: Sandbox) -> None:
        """Whatever needs Neutron is refused by name. A capsule's ports need nothing: on the engine's network all can be reached."""
        for field in ("nets", "security_groups", "exposed_ports"):
            if getattr(sandbox, field) and not (sandbox.capsule and field == "exposed_ports"):
                raise errors.NotOffered(field=field, why=WHY)

    def refuse_change(self, verb: str, wish: Mapping[str, Any]) -> None:
        """All of it is refused: by the name of what was asked for, or by what could have been."""
        if verb == "delete":
            raise errors.NetworkNotFound(id=wish["id"], why=WHY)
        asked = (name for name in ("neutron_net_id", "network", "port", "fixed_ip", "name") if wish.get(name) is not None)
        raise errors.NotOffered(field=next(asked, "network"), why=WHY)

    def choose(self, sandbox: Sandbox, *, external: bool) -> Sandbox:
        """There is nothing to choose."""
        return sandbox

    def choose_change(self, sandbox: Sandbox, device: str, verb: str, wish: Mapping[str, Any], *, external: bool) -> dict[str, Any]:
        """See :meth:`refuse_change`."""
        self.refuse_change(verb, wish)
        return dict(wish)

    def begin(self, sandbox: Sandbox, device: str, *, again: bool) -> None:
        """There is nobody else to begin anything."""

    def settle(self, plugged: Plugged, cancelled: Callable[[], None] = lambda: None, *, longest: float | None = None) -> None:
        """There is nothing to wait for."""

    def plug(self, sandbox: Sandbox, device: str, state: SandboxState) -> Plugged:
        """The engine did it when it started the sandbox."""
        return Plugged(addresses=state.addresses)

    restore = plug

    def change(self, sandbox: Sandbox, device: str, state: SandboxState, verb: str, wish: Mapping[str, Any]) -> Plugged:
        """See :meth:`refuse_change`."""
        self.refuse_change(verb, wish)
        return Plugged(addresses=state.addresses)

    def undo_change(self, sandbox: Sandbox, device: str, state: SandboxState, verb: str, wish: Mapping[str, Any]) -> None:
        """Nothing was done."""

    def unplug(self, device: str) -> None:
        """The engine does it when it removes the sandbox."""

    def here(self) -> list[str]:
        """Nothing but sandboxes, of which the engine tells."""
        return []

    def clean(self, device: str) -> None:
        """The engine does it when it removes the sandbox."""

    def release(self, device: str) -> None:
        """All of it is on the host."""

    def left(self, devices: Sequence[str]) -> list[str]:
        """All of it is on the host."""
        return []

    def files(self, device: str) -> list[Bind]:
        """The engine makes them."""
        return []
