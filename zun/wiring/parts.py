"""What every process has."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def utcnow() -> datetime:
    """The time in UTC, without a zone: the form of every time in this service."""
    return datetime.now(UTC).replace(tzinfo=None)


def deployment(state: Path) -> str:
    """The name of this cloud on the labels of what it makes, so that two clouds that share an engine keep their hands off each other.

    Raises OSError for a folder that cannot be used; ValueError where the name was there and is damaged, because another name would
    disown every container that carries the old one.
    """
    path = state / "deployment"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("w") as file:
            file.write(f"{uuid.uuid4()}\n")
            file.flush()
            os.fsync(file.fileno())  # things are made in its name at once: it must not be lost in a power cut
        partial.rename(path)
    name = path.read_text(errors="replace").strip()
    try:
        return str(uuid.UUID(name))
    except ValueError:
        raise ValueError(f"{path} holds {name[:40]!r} in place of this deployment's uuid; its containers carry it as a label") from None
