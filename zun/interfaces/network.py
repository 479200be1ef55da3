"""How a sandbox gets its addresses."""

from __future__ import annotations

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

    def plug(self, sandbox: Sandbox, state: SandboxState) -> Addresses:
        """Give the running sandbox its addresses; may be repeated."""

    def unplug(self, sandbox: Sandbox) -> None:
        """Take them away; may be repeated, and succeeds when the sandbox is gone."""
