"""What a host remembers of the wires that it has begun: an empty file for each, in a folder for each device, from before anything is done
until nothing is left of it. So what is left is found though neither the switch nor the network service knows the port."""

from __future__ import annotations

import contextlib
from pathlib import Path


class Notes:
    """The files, below one folder. All raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, device: str, port_id: str) -> None:
        """There will be a wire of this port for this device; may be repeated."""
        place = self._folder / device / port_id
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.touch()

    def end(self, device: str, port_id: str) -> None:
        """It is no more; not known is as good."""
        place = self._folder / device / port_id
        place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is another one, or it is gone
            place.parent.rmdir()

    def of(self, device: str) -> list[str]:
        """The ports that were begun for a device."""
        return sorted(path.name for path in self._folder.glob(f"{device}/*"))
