"""What the driver needs of Cinder, in its own words; who answers is :mod:`zun.drivers.volume.sdk`, or a fake in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

#: of a volume that is being made
COMING = ("creating", "downloading")

#: of an attachment that no host has said to have connected, and that nobody has written by therefore
BEGUN = ("reserved", "attaching", "error_attaching")


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume."""

    id: str
    name: str
    project_id: str
    status: str
    multiattach: bool = False
    encrypted: bool = False
    read_only: bool = False
    metadata: dict[str, str] = {}


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody (``instance``) has a volume. ``connection`` is how a host reaches it: with passwords in it, on some storage."""

    id: str
    volume_id: str
    instance: str
    status: str = ""
    connection: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Attachment(id={self.id!r}, volume_id={self.volume_id!r}, instance={self.instance!r})"


class Cinder(Protocol):
    """Calls of Cinder with the service's own credentials, which see every project.

    All raise VolumesUnavailable and VolumesRefused. What is asked for by id and is not there is None, or deleted already.
    """

    def volume(self, volume_id: str) -> Volume | None:
        """A volume."""

    def volumes(self, project_id: str, name: str) -> list[Volume]:
        """The volumes of a project with this name."""

    def make_volume(self, body: Mapping[str, Any], project_id: str, token: str) -> Volume:
        """Make a volume in a project, with the token of somebody who may; attributes in Cinder's names. Raises NewVolumeForbidden."""

    def delete_volume(self, volume_id: str) -> None:
        """Have a volume deleted, which takes its time; gone already is as good."""

    def mark(self, volume_id: str, name: str, value: str) -> None:
        """Write something into a volume's metadata."""

    def unmark(self, volume_id: str, name: str) -> None:
        """Take it out of there; not there is as good."""

    def attachments(self, instance: str) -> list[Attachment]:
        """The attachments of an instance, without their connections."""

    def begun(self) -> list[Attachment]:
        """All attachments of the cloud, whosever, in a status of ``BEGUN``, without their connections."""

    def attach(self, volume_id: str, instance: str, connector: Mapping[str, Any]) -> Attachment:
        """Attach a volume, for a host that says of itself what ``connector`` has, and in its ``mode`` whether it writes (rw, ro)."""

    def refresh(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """The attachment, as its host has to connect it now."""

    def complete(self, attachment_id: str) -> None:
        """Say that the host has connected it; may be repeated."""

    def detach(self, attachment_id: str) -> None:
        """Delete an attachment; gone already is as good."""
