"""How a container gets its volumes and files. The promises are tested by ``zun.conformance.volumes``.

A driver knows what it makes by its ``owner``: the uuid that its user knows (:func:`zun.domain.sandbox.device_of`), which is written on
whatever is made. So every call on a host may be repeated, by another process too, and finds what another one has left.

All calls may raise :class:`~zun.errors.VolumesUnavailable` (the volume service does not answer; nothing is known) or
:class:`~zun.errors.VolumesRefused` (it answered no).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MadeVolume
from zun.interfaces.runtime import Bind


class Volumes(Protocol):
    """A volume driver: what it refuses is asked where requests are accepted, the rest is done on the host."""

    name: str

    # -- before anything is accepted -------------------------------------------------------------

    def refuse(self, container: Container) -> None:
        """Raises NotOffered, naming the field, for a mount that this driver cannot honour. Called before anything is accepted."""

    def refuse_shared(self, sandbox: Sandbox, containers: Sequence[Container]) -> None:
        """The same for the volumes that a sandbox's containers share, and for their mounts of them. Raises InvalidValue for a mount of a
        volume that the sandbox does not have."""

    def choose(self, container: Container) -> Container:
        """The container with every volume that its mounts name by its id. Nothing is changed anywhere.

        Raises VolumeNotFound, SeveralMatches, VolumeNotUsable, InvalidValue.
        """

    def choose_shared(self, sandbox: Sandbox) -> Sandbox:
        """The same for the volumes that its containers share."""

    def make(self, wanted: MadeVolume, token: str) -> str:
        """Make a volume in its project, on behalf of the user whose token it is. Returns its id; it is not ready yet.

        Raises NewVolumeForbidden, NotOffered.
        """

    # -- anywhere --------------------------------------------------------------------------------

    def unmake(self, made: MadeVolume) -> bool:
        """Have a volume deleted that was made, found by its id or where that was not learnt by its name. Returns whether it is gone, or was
        never made; else it is asked for again. Raises VolumesRefused for one that cannot be deleted: it has snapshots of its user's."""

    def release(self, owner: str) -> None:
        """Give back to the volume service what an owner has, although the host that has it is not heard of; may be repeated."""

    def held(self, owner: str) -> bool:
        """Whether the volume service says that an owner has something, wherever that is. Called by conductors."""

    def begun(self, owners: Sequence[str]) -> list[str]:
        """Those of these owners for whom the volume service has begun to attach something, and no host has said that it is done, wherever
        that was. They may be many. Called by conductors."""

    def give_up(self, owner: str) -> None:
        """Give back what was begun for an owner and not done, and nothing that a host may have; may be repeated. Called by conductors."""

    # -- on the host -----------------------------------------------------------------------------

    def attach(self, container: Container) -> list[Bind]:
        """Bring the container's mounts to this host; may be repeated, and asks nobody where all is well. Raises VolumeFailed."""

    def detach(self, container: Container) -> None:
        """Take them off this host; may be repeated. Raises VolumeFailed."""

    def remove(self, container: Container) -> None:
        """Delete the volumes that were made for the container, which are detached; may be repeated. Returns when they are gone."""

    def attach_shared(self, sandbox: Sandbox) -> dict[str, str]:
        """Have the sandbox's volumes on this host, empty when they are new; may be repeated. Answers their paths by name."""

    def detach_shared(self, sandbox: Sandbox) -> None:
        """Take them off this host, with all that lives no longer than the sandbox; may be repeated."""

    def remove_shared(self, sandbox: Sandbox) -> None:
        """As :meth:`remove`, for those that were made for the sandbox and go with it."""

    def left(self) -> list[str]:
        """The owners of all that is on this host."""

    def clean(self, owner: str) -> None:
        """Take all of an owner's off this host, of whom nobody knows any more; may be repeated. Raises VolumeFailed."""
