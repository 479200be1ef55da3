"""The cloud's volumes: chosen and made where requests are accepted, attached and mounted by the agent of the host (ADR 0026)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MADE, MadeVolume
from zun.drivers.volume.attached import LOOK_EVERY, Attached, Wanted
from zun.drivers.volume.cloud import BEGUN, Cinder, Volume
from zun.drivers.volume.wishes import Wishes
from zun.interfaces.runtime import Bind

LOG = logging.getLogger(__name__)

#: in a volume's metadata, for whom the service has made it
OWNER = "zun_owner"

NEEDS_KEYSTONE = "a new volume is made with the token of who asks for it, which Keystone must have given him."

#: of a volume on its way to another status
_ATTACHED = ("reserved", "attaching", "in-use")
_UNDER_WAY = (*_ATTACHED, "creating", "downloading", "detaching", "extending", "retyping", "backing-up")


class CinderVolumes:
    """Implements :class:`zun.interfaces.volumes.Volumes` for mounts of type ``volume``, and for shared volumes of type ``cinder``."""

    name = "cinder"

    def __init__(
        self,
        cinder: Cinder,
        attached: Callable[[], Attached],
        *,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``attached`` is asked for where something is attached, and not where requests are only looked at. ``timeout`` seconds Cinder may
        take to delete a volume."""
        self._cinder = cinder
        self._wishes = Wishes(cinder)
        self._make_attached = attached
        self._known: list[Attached] = []
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep

    @property
    def _attached(self) -> Attached:
        if not self._known:
            self._known.append(self._make_attached())
        return self._known[0]

    # -- before anything is accepted -------------------------------------------------------------

    def refuse(self, container: Container) -> None:
        """It can do whatever can be asked for; :meth:`choose` looks at what is meant."""

    def refuse_shared(self, sandbox: Sandbox, containers: Sequence[Container]) -> None:
        """As :meth:`refuse`."""

    def choose(self, container: Container) -> Container:
        """See :class:`~zun.drivers.volume.wishes.Wishes`."""
        return self._wishes.choose(container)

    def choose_shared(self, sandbox: Sandbox) -> Sandbox:
        """See :class:`~zun.drivers.volume.wishes.Wishes`."""
        return self._wishes.choose_shared(sandbox)

    def make(self, wanted: MadeVolume, token: str) -> str:
        """See the Protocol."""
        if not token:
            raise errors.NotOffered(field="size", why=NEEDS_KEYSTONE)
        body = {
            "name": wanted.name,
            "size": wanted.size,
            "description": f"made for container or capsule {wanted.owner_uuid}",
            "metadata": {OWNER: wanted.owner_uuid},
        }
        return self._cinder.make_volume(body, wanted.project_id, token).id

    # -- anywhere --------------------------------------------------------------------------------

    def unmake(self, made: MadeVolume) -> bool:
        """See the Protocol."""
        found = self._made(made)
        for volume in found:
            if volume.status == "error_deleting":
                raise errors.VolumesRefused(reason=f"volume {volume.id} could not be deleted: it is error_deleting")
            if volume.status not in (*_UNDER_WAY, "deleting"):
                self._cinder.delete_volume(volume.id)
        return not found

    def _made(self, made: MadeVolume) -> list[Volume]:
        if made.volume_id is not None:
            found = self._cinder.volume(made.volume_id)
            return [] if found is None else [found]
        named = self._cinder.volumes(made.project_id, made.name)
        return [volume for volume in named if volume.metadata.get(OWNER) == made.owner_uuid]

    def release(self, owner: str) -> None:
        """See the Protocol."""
        for attachment in self._cinder.attachments(owner):
            self._cinder.detach(attachment.id)

    def held(self, owner: str) -> bool:
        """See the Protocol."""
        return bool(self._cinder.attachments(owner))

    def begun(self, owners: Sequence[str]) -> list[str]:
        """See the Protocol. Cinder cannot be asked for several instances; but there are few attachments that are not done."""
        found = {each.instance for each in self._cinder.begun()}
        return [owner for owner in owners if owner in found]

    def give_up(self, owner: str) -> None:
        """See the Protocol."""
        for attachment in self._cinder.attachments(owner):
            if attachment.status in BEGUN:
                self._cinder.detach(attachment.id)

    # -- on the host -----------------------------------------------------------------------------

    def attach(self, container: Container) -> list[Bind]:
        """See the Protocol."""
        binds = []
        for mount in _ours(container.mounts, "volume"):
            place = self._attached.attach(container.uuid, _wanted(mount, unused=container.incarnation == 0))
            binds.append(Bind(source=str(place), destination=mount["destination"], read_only=bool(mount.get("read_only"))))
        return binds

    def detach(self, container: Container) -> None:
        """See the Protocol."""
        if any(_ours(container.mounts, "volume")):
            self._attached.detach(container.uuid)

    def remove(self, container: Container) -> None:
        """See the Protocol."""
        self._remove(container.uuid, _ours(container.mounts, "volume"))

    def attach_shared(self, sandbox: Sandbox) -> dict[str, str]:
        """See the Protocol."""
        unused = sandbox.engine_id is None
        volumes = _ours(sandbox.volumes, "cinder")
        return {volume["name"]: str(self._attached.attach(sandbox.uuid, _wanted(volume, unused=unused))) for volume in volumes}

    def detach_shared(self, sandbox: Sandbox) -> None:
        """See the Protocol."""
        if any(_ours(sandbox.volumes, "cinder")):
            self._attached.detach(sandbox.uuid)

    def remove_shared(self, sandbox: Sandbox) -> None:
        """See the Protocol."""
        self._remove(sandbox.uuid, _ours(sandbox.volumes, "cinder"))

    def left(self) -> list[str]:
        """See the Protocol."""
        return self._attached.owners()

    def clean(self, owner: str) -> None:
        """See the Protocol."""
        self._attached.detach(owner)

    # -- how -------------------------------------------------------------------------------------

    def _remove(self, owner: str, wishes: Iterable[dict[str, Any]]) -> None:
        for wish in wishes:
            if wish.get(MADE) and not wish.get("stays"):
                try:
                    self._delete(owner, wish["source"])
                except errors.VolumesRefused as refused:
                    # Its user has made something of it that hangs on it (a snapshot): now it is his.
                    LOG.warning("volume %s was made for a container that goes, and stays: %s", wish["source"], refused)

    def _delete(self, owner: str, volume_id: str) -> None:
        """Returns when it is gone. Raises VolumesRefused, VolumeFailed."""
        until, asked = self._clock() + self._timeout, False
        while (volume := self._cinder.volume(volume_id)) is not None:
            if self._clock() > until:
                raise errors.VolumeFailed(id=volume_id, reason=f"it could not be deleted: it is {volume.status}.")
            if not asked and volume.status not in _UNDER_WAY:
                self._cinder.delete_volume(volume_id)
                asked = True
            elif volume.status == "error_deleting":
                raise errors.VolumesRefused(reason=f"volume {volume_id} could not be deleted: it is error_deleting")
            else:
                if volume.status in _ATTACHED:
                    # Its host has it no more: what was begun by a call that nobody waits for has come since.
                    self.give_up(owner)
                self._sleep(LOOK_EVERY)


def _ours(wishes: Iterable[dict[str, Any]], kind: str) -> Iterable[dict[str, Any]]:
    return [wish for wish in wishes if wish["type"] == kind]


def _wanted(wish: dict[str, Any], *, unused: bool) -> Wanted:
    return Wanted(volume_id=wish["source"], made=bool(wish.get(MADE)), unused=unused, read_only=bool(wish.get("read_only")))
