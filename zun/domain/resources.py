"""What a sandbox takes of a host, and what a project may have. CPUs are counted in cores, memory in MiB, disk in GiB."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

NAMES = ("cpu", "memory", "disk", "pcpu")


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of each resource. ``cpu`` are shares of the cores that all use, ``pcpu`` whole cores that nobody else uses."""

    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    pcpu: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            cpu=round(self.cpu + other.cpu, 6),
            memory=self.memory + other.memory,
            disk=self.disk + other.disk,
            pcpu=self.pcpu + other.pcpu,
        )

    def __sub__(self, other: Resources) -> Resources:
        return Resources(
            cpu=round(self.cpu - other.cpu, 6),
            memory=self.memory - other.memory,
            disk=self.disk - other.disk,
            pcpu=self.pcpu - other.pcpu,
        )

    def most(self, other: Resources) -> Resources:
        """Of each resource the greater amount."""
        return Resources(**{name: max(getattr(self, name), getattr(other, name)) for name in NAMES})

    def lacking(self, asked: Resources) -> str | None:
        """The first resource of which less is here than asked, or None."""
        return next((name for name in NAMES if getattr(asked, name) > getattr(self, name) + 1e-9), None)


def total(amounts: Iterable[Resources]) -> Resources:
    """The sum of all amounts."""
    return sum(amounts, Resources())
