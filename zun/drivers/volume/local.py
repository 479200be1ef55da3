"""Files that a request brings along, kept in a folder of the host for as long as their container lives."""

from __future__ import annotations

import base64
import binascii
import shutil
from pathlib import Path
from typing import Any

from zun import errors
from zun.domain.container import Container
from zun.interfaces.runtime import Bind

WHY = "this deployment has no volume service (Cinder); only mounts of type 'bind' can be made."


class LocalVolumes:
    """Implements :class:`zun.interfaces.volumes.Volumes` for mounts of type ``bind``: the source is the file's content, in Base64."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def refuse(self, container: Container) -> None:
        """Volumes need Cinder; a file must be Base64."""
        for mount in container.mounts:
            if mount["type"] != "bind":
                raise errors.NotOffered(field="mounts", why=WHY)
            _content(mount)

    def attach(self, container: Container) -> list[Bind]:
        """Write the files (anew, if an earlier try left them half written)."""
        binds = []
        for number, mount in enumerate(container.mounts):
            folder = self._folder / container.uuid
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            path = folder / str(number)
            if not path.exists():
                partial = path.with_suffix(".partial")
                partial.write_bytes(_content(mount))
                partial.rename(path)
            binds.append(Bind(source=str(path), destination=mount["destination"]))
        return binds

    def detach(self, container: Container) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder / container.uuid, ignore_errors=True)


def _content(mount: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(mount["source"], validate=True)
    except (KeyError, binascii.Error, ValueError):
        raise errors.InvalidValue(field="mounts", rule="'source' of a mount of type 'bind' must be Base64") from None
