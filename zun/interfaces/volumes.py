"""How a container gets its volumes and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.interfaces.runtime import Bind


class Volumes(Protocol):
    """A volume driver, on the host."""

    name: str

    def refuse(self, container: Container) -> None:
        """Raises NotOffered, naming the field, for a mount that this driver cannot honour. Called before anything is accepted."""

    def refuse_shared(self, sandbox: Sandbox, containers: Sequence[Container]) -> None:
        """The same for the volumes that a sandbox's containers share, and for their mounts of them. Raises InvalidValue for a mount of a
        volume that the sandbox does not have."""

    def attach(self, container: Container) -> list[Bind]:
        """Bring the container's mounts to this host; may be repeated."""

    def detach(self, container: Container) -> None:
        """Take them off this host; may be repeated."""

    def attach_shared(self, sandbox: Sandbox) -> dict[str, str]:
        """Have the sandbox's volumes on this host, empty when they are new; may be repeated. Answers their paths by name."""

    def detach_shared(self, sandbox: Sandbox) -> None:
        """Remove them with all that is in them; may be repeated."""
