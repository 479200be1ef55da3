"""What a host remembers of the volumes that it has: a file for each owner of each volume, written before anything is done and removed
when nothing is left."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """That an owner has, is to have, or had a volume on this host."""

    volume_id: str
    owner: str
    attachment: str | None = None
    #: how the volume is reached, as long as it is connected for this owner
    connection: dict[str, Any] | None = None
    #: a file system is being made: the volume was made by the service and was blank, and nobody but us has written there since
    formatting: bool = False
    #: Cinder has been told that all is done
    complete: bool = False


class Records:
    """The files, below one folder. They may hold passwords of the storage, so nobody but root reads them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, volume_id: str, owner: str) -> Record | None:
        """What is remembered. Raises OSError."""
        try:
            return msgspec.json.decode(self._path(volume_id, owner).read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def write(self, record: Record) -> None:
        """Remember it, over a power cut too. Raises OSError."""
        path = self._path(record.volume_id, record.owner)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)

    def forget(self, record: Record) -> None:
        """Remember it no more; not known is as good. Raises OSError."""
        path = self._path(record.volume_id, record.owner)
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another owner's file is in it, or it is gone
            path.parent.rmdir()

    def of(self, owner: str) -> list[Record]:
        """All that an owner has here."""
        return [record for record in self.all() if record.owner == owner]

    def of_volume(self, volume_id: str) -> list[Record]:
        """Whoever has a volume here."""
        return [record for record in self.all() if record.volume_id == volume_id]

    def all(self) -> list[Record]:
        """Everything. Raises OSError."""
        found = (self.read(path.parent.name, path.stem) for path in sorted(self._folder.glob("*/*.json")))
        return [record for record in found if record is not None]

    def _path(self, volume_id: str, owner: str) -> Path:
        return self._folder / volume_id / f"{owner}.json"
