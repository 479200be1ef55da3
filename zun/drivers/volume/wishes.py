"""What requests wish of Cinder, looked at before anything is accepted: which volume is meant, and whether it can be had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.drivers.volume.cloud import COMING, Cinder, Volume

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Wishes:
    """Implements what :class:`zun.interfaces.volumes.Volumes` promises of requests. Nothing is changed."""

    def __init__(self, cinder: Cinder) -> None:
        self._cinder = cinder

    def choose(self, container: Container) -> Container:
        """See :meth:`zun.interfaces.volumes.Volumes.choose`."""
        return replace(container, mounts=self._chosen(container.project_id, "mounts", "volume", container.mounts))

    def choose_shared(self, sandbox: Sandbox) -> Sandbox:
        """See :meth:`zun.interfaces.volumes.Volumes.choose_shared`."""
        return replace(sandbox, volumes=self._chosen(sandbox.project_id, "volumes", "cinder", sandbox.volumes))

    def _chosen(self, project: str, field: str, kind: str, wishes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        found, seen = [], set()
        for wish in wishes:
            if wish["type"] == kind and "source" in wish:
                volume = self.volume(project, wish["source"])
                if volume.id in seen:
                    raise errors.InvalidValue(field=field, rule=f"must not have volume {volume.id} twice")
                seen.add(volume.id)
                wish = {**wish, "source": volume.id}
            found.append(wish)
        return found

    def volume(self, project: str, name: str) -> Volume:
        """A volume of the project that a container can have, by uuid or name. Raises VolumeNotFound, SeveralMatches, VolumeNotUsable."""
        found = [self._cinder.volume(name)] if _UUID.fullmatch(name) else []
        volume = next((each for each in found if each is not None), None)
        if volume is None:
            named = self._cinder.volumes(project, name)
            if len(named) > 1:
                raise errors.SeveralMatches(what="volumes", name=name)
            if not named:
                raise errors.VolumeNotFound(id=name)
            volume = named[0]
        if volume.project_id != project:
            raise errors.VolumeNotUsable(id=name, why="it belongs to another project.")
        _check(volume)
        return volume


def _check(volume: Volume) -> None:
    """Raises VolumeNotUsable for a volume that a container cannot have now."""
    if volume.encrypted:
        raise errors.VolumeNotUsable(id=volume.id, why="it is encrypted, and this deployment has no keys of volumes.")
    if volume.status == "in-use" and not volume.multiattach:
        raise errors.VolumeNotUsable(id=volume.id, why="it is in use, and its type does not let it be attached more than once.")
    # One that its user has only just asked for is waited for on the host.
    if volume.status not in ("available", "in-use", *COMING):
        raise errors.VolumeNotUsable(id=volume.id, why=f"it is {volume.status}.")
