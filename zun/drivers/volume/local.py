"""Files that a request brings along, kept in a folder of the host for as long as their container lives; and what a sandbox shares."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zun import errors
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MadeVolume
from zun.drivers.volume.shared import KernelMounts, Mounts, SharedPlaces
from zun.interfaces.runtime import Bind

#: Whoever a container runs as must be able to read its files, so they are open to all; and because a container may even make one of them
#: a program that runs as root for whoever starts it, nobody but root gets as far as to them. Both hold whatever the umask is.
_FILE, _FOLDER = 0o644, 0o700

WHY = "this deployment has no volume service (Cinder); only mounts of type 'bind' can be made."


class LocalVolumes:
    """Implements :class:`zun.interfaces.volumes.Volumes` for mounts of type ``bind``: the source is the file's content, in Base64; and
    for shared volumes of type ``empty``."""

    name = "local"

    def __init__(self, folder: Path, mounts: Mounts | None = None) -> None:
        """``mounts`` makes places in memory; without it the kernel is asked to."""
        self._folder = folder
        self._shared = SharedPlaces(folder, mounts or KernelMounts())

    def refuse(self, container: Container) -> None:
        """Volumes need Cinder; a file must be Base64."""
        for mount in container.mounts:
            if mount["type"] != "bind":
                raise errors.NotOffered(field="mounts", why=WHY)
            _content(mount)

    def refuse_shared(self, sandbox: Sandbox, containers: Sequence[Container]) -> None:
        """Only empty volumes can be shared, with a size only in memory."""
        self._shared.refuse(sandbox, containers)

    def attach_shared(self, sandbox: Sandbox) -> dict[str, str]:
        """Make the sandbox's volumes that are not there. Raises OSError."""
        return self._shared.attach(sandbox)

    def detach_shared(self, sandbox: Sandbox) -> None:
        """Remove them. Raises OSError for one that cannot be removed."""
        self._shared.detach(sandbox.uuid)

    def choose(self, container: Container) -> Container:
        """There is nothing to choose."""
        return container

    def choose_shared(self, sandbox: Sandbox) -> Sandbox:
        """There is nothing to choose."""
        return sandbox

    def make(self, wanted: MadeVolume, token: str) -> str:
        """See :meth:`refuse`."""
        raise errors.NotOffered(field="mounts", why=WHY)

    def unmake(self, made: MadeVolume) -> bool:
        """Nothing was made."""
        return True

    def release(self, owner: str) -> None:
        """All of it is on the host."""

    def held(self, owner: str) -> bool:
        """All of it is on the host."""
        return False

    def begun(self, owners: Sequence[str]) -> list[str]:
        """All of it is on the host."""
        return []

    give_up = release

    def remove(self, container: Container) -> None:
        """Nothing outlives the host's part."""

    def remove_shared(self, sandbox: Sandbox) -> None:
        """Nothing outlives the host's part."""

    def left(self) -> list[str]:
        """Each has a folder of its own."""
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else []

    def clean(self, owner: str) -> None:
        """Remove its folder. Raises VolumeFailed."""
        try:
            self._shared.detach(owner)
        except OSError as error:
            raise errors.VolumeFailed(id=owner, reason=f"its files cannot be removed: {error}") from error

    def attach(self, container: Container) -> list[Bind]:
        """Write the files (anew, if an earlier try left them half written). What the container has made of them since stays."""
        binds = []
        for number, mount in enumerate(container.mounts):
            if mount["type"] != "bind":
                continue
            folder = self._folder / container.uuid
            for each in (self._folder, folder):
                each.mkdir(parents=True, exist_ok=True)
                each.chmod(_FOLDER)
            path = folder / str(number)
            if not path.exists():
                _write(path, _content(mount))
            binds.append(Bind(source=str(path), destination=mount["destination"], read_only=bool(mount.get("read_only"))))
        return binds

    def detach(self, container: Container) -> None:
        """Remove the files. Raises OSError for one that cannot be removed."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder / container.uuid)


def _write(path: Path, content: bytes) -> None:
    """Make the file whole, or not at all, over a power cut too: the next try leaves a file alone that is there."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), _FILE)
        os.fsync(file.fileno())
    partial.rename(path)


def _content(mount: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(mount["source"], validate=True)
    except (KeyError, binascii.Error, ValueError):
        raise errors.InvalidValue(field="mounts", rule="'source' of a mount of type 'bind' must be Base64") from None
