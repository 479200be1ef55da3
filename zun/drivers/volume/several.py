"""Several volume drivers on one host: each mount, and each volume of a capsule, is the matter of the driver of its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MadeVolume
from zun.drivers.volume.shared import check_mounts
from zun.interfaces.runtime import Bind
from zun.interfaces.volumes import Volumes


class SeveralVolumes:
    """Implements :class:`zun.interfaces.volumes.Volumes`. A driver leaves alone what is not of its types."""

    name = "several"

    def __init__(self, drivers: Mapping[str, Volumes], why: Mapping[str, str]) -> None:
        """``drivers`` are by the type of a mount (``volume``, ``bind``) or of a capsule's volume (``cinder``, ``empty``). ``why`` tells
        of a type that there is no driver for why there is none."""
        self._drivers = dict(drivers)
        self._why = dict(why)
        self._each = list({id(driver): driver for driver in drivers.values()}.values())

    # -- before anything is accepted -------------------------------------------------------------

    def refuse(self, container: Container) -> None:
        """See the Protocol."""
        for mount in container.mounts:
            if mount["type"] not in self._drivers:
                raise errors.NotOffered(field="mounts", why=self._why[mount["type"]])
        for driver in self._each:
            own = [mount for mount in container.mounts if self._drivers[mount["type"]] is driver]
            driver.refuse(replace(container, mounts=own))

    def refuse_shared(self, sandbox: Sandbox, containers: Sequence[Container]) -> None:
        """See the Protocol."""
        for number, volume in enumerate(sandbox.volumes):
            if volume["type"] not in self._drivers:
                raise errors.NotOffered(field=f"spec.volumes[{number}].{volume['type']}", why=self._why[volume["type"]])
        check_mounts(sandbox, containers)
        for driver in self._each:
            own = [volume for volume in sandbox.volumes if self._drivers[volume["type"]] is driver]
            driver.refuse_shared(replace(sandbox, volumes=own), [])

    def choose(self, container: Container) -> Container:
        """See the Protocol."""
        for driver in self._each:
            container = driver.choose(container)
        return container

    def choose_shared(self, sandbox: Sandbox) -> Sandbox:
        """See the Protocol."""
        for driver in self._each:
            sandbox = driver.choose_shared(sandbox)
        return sandbox

    def make(self, wanted: MadeVolume, token: str) -> str:
        """See the Protocol."""
        return self._drivers["volume"].make(wanted, token)

    # -- anywhere --------------------------------------------------------------------------------

    def unmake(self, made: MadeVolume) -> bool:
        """See the Protocol. Without the driver that has made it, nothing is known of it."""
        return "volume" in self._drivers and self._drivers["volume"].unmake(made)

    def release(self, owner: str) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.release(owner)

    def held(self, owner: str) -> bool:
        """See the Protocol."""
        return any(driver.held(owner) for driver in self._each)

    def begun(self, owners: Sequence[str]) -> list[str]:
        """See the Protocol."""
        found = {owner for driver in self._each for owner in driver.begun(owners)}
        return [owner for owner in owners if owner in found]

    def give_up(self, owner: str) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.give_up(owner)

    # -- on the host -----------------------------------------------------------------------------

    def attach(self, container: Container) -> list[Bind]:
        """See the Protocol; a mount whose driver this host has no more is refused."""
        self._know(mount["type"] for mount in container.mounts)
        return [bind for driver in self._each for bind in driver.attach(container)]

    def detach(self, container: Container) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.detach(container)

    def remove(self, container: Container) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.remove(container)

    def attach_shared(self, sandbox: Sandbox) -> dict[str, str]:
        """See the Protocol."""
        self._know(volume["type"] for volume in sandbox.volumes)
        found: dict[str, str] = {}
        for driver in self._each:
            found.update(driver.attach_shared(sandbox))
        return found

    def detach_shared(self, sandbox: Sandbox) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.detach_shared(sandbox)

    def remove_shared(self, sandbox: Sandbox) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.remove_shared(sandbox)

    def left(self) -> list[str]:
        """See the Protocol."""
        return sorted({owner for driver in self._each for owner in driver.left()})

    def clean(self, owner: str) -> None:
        """See the Protocol."""
        for driver in self._each:
            driver.clean(owner)

    def _know(self, types: Iterable[str]) -> None:
        for each in types:
            if each not in self._drivers:
                raise errors.VolumeFailed(id=each, reason="this host has no driver for it ([volume] driver_list).")
