"""How a sandbox gets its addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from zun.domain.sandbox import Sandbox
from zun.interfaces.runtime import SandboxState

Addresses = dict[str, list[dict[str, Any]]]


class Network(Protocol):
    """A network driver, on the host."""

    name: str
    #: what the runtime driver shall give a new sandbox: "engine" or "none"
    attachment: str

    def refuse(self, sandbox: Sandbox) -> None:
        """Raises NotOffered, naming the field, for a wish that this driver cannot honour. Called before anything is accepted."""

    def refuse_change(self, verb: str, wish: Mapping[str, Any]) -> None:
        """The same for a change of networks or security groups, before it is accepted. ``verb`` is ``network_attach``,
        ``network_detach``, ``add_security_group`` or ``remove_security_group`` of a container, or ``create`` or ``delete`` of a network;
        ``wish`` has its arguments by name. Raises NetworkNotFound for the deletion of a network that is not there."""

    def plug(self, sandbox: Sandbox, state: SandboxState) -> Addresses:
        """Give the running sandbox its addresses; may be repeated."""

    def unplug(self, sandbox: Sandbox) -> None:
        """Take them away; may be repeated, and succeeds when the sandbox is gone."""
