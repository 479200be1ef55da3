"""How a container gets its volumes and files."""

from __future__ import annotations

from typing import Protocol

from zun.domain.container import Container
from zun.interfaces.runtime import Bind


class Volumes(Protocol):
    """A volume driver, on the host."""

    name: str

    def refuse(self, container: Container) -> None:
        """Raises NotOffered, naming the field, for a mount that this driver cannot honour. Called before anything is accepted."""

    def attach(self, container: Container) -> list[Bind]:
        """Bring the container's mounts to this host; may be repeated."""

    def detach(self, container: Container) -> None:
        """Take them off this host; may be repeated."""
