"""What the quick start has done to this machine, written down before it is done, so that all of it can be undone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.progress import Trouble

_NAME = "made.json"
#: So that the path of every socket below it stays within the kernel's 107 characters.
_LONGEST_FOLDER = 60


@dataclass(slots=True)
class Record:
    """The state folder's memory. Everything in it is ours, and nothing else is."""

    folder: Path
    #: packages that were not there before, dependencies included
    packages: list[str] = field(default_factory=list)
    #: the engine's socket; None while no engine was chosen
    socket: str | None = None
    #: whether the engine is a dockerd of our own, started by hand
    own_engine: bool = False
    #: what the machine was before an engine of our own, or one that we installed
    before: dict[str, Any] = field(default_factory=dict)
    #: ids by reference of images that we pulled or made; an empty one while that is under way
    images: dict[str, str] = field(default_factory=dict)

    def save(self) -> None:
        """Write it down, whole or not at all."""
        partial = self.folder / f".{_NAME}.{os.getpid()}"
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(self.folder / _NAME)

    def add_packages(self, names: Sequence[str]) -> None:
        """Note packages that are about to be installed."""
        self.packages += [name for name in names if name not in self.packages]
        self.save()


def load(folder: Path) -> Record | None:
    """What was done from this folder, or None when nothing was."""
    path = folder / _NAME
    return Record(folder, **json.loads(path.read_text())) if path.exists() else None


def begin(folder: Path) -> Record:
    """The record of this folder, a new one where there is none. Raises Trouble for a folder that cannot be ours."""
    found = load(folder)
    if found is not None:
        return found
    if len(str(folder)) > _LONGEST_FOLDER:
        raise Trouble(f"the path of the state folder is longer than {_LONGEST_FOLDER} characters: {folder}")
    if folder.exists() and any(path for path in folder.iterdir() if not path.name.startswith(f".{_NAME}.")):
        raise Trouble(f"{folder} has something in it that is not the quick start's; name another with --state-dir")
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    folder.chmod(0o755)
    record = Record(folder)
    record.save()
    return record
