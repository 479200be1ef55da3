"""Choosing a host: filters and weighers, pure functions over candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zun import errors
from zun.domain.host import Host, capacity
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host as the scheduler sees it: its inventory, what is taken of it, the state of its service."""

    host: Host
    used: Resources
    up: bool
    disabled: bool
    availability_zone: str

    @property
    def free(self) -> Resources:
        """What is left to take."""
        return capacity(self.host) - self.used


def _zone(sandbox: Sandbox, candidate: Candidate) -> bool:
    return sandbox.availability_zone in (None, candidate.availability_zone)


def _compute(sandbox: Sandbox, candidate: Candidate) -> bool:
    return candidate.up and not candidate.disabled


def _requested_host(sandbox: Sandbox, candidate: Candidate) -> bool:
    return sandbox.requested_host in (None, candidate.host.hostname)


def _runtime(sandbox: Sandbox, candidate: Candidate) -> bool:
    return sandbox.runtime is None or sandbox.runtime in candidate.host.runtimes


def _label(sandbox: Sandbox, candidate: Candidate) -> bool:
    asked = {key.removeprefix("label:"): value for key, value in sandbox.hints.items() if key.startswith("label:")}
    return all(candidate.host.labels.get(key) == value for key, value in asked.items())


def _dedicated_cores(sandbox: Sandbox, candidate: Candidate) -> bool:
    return candidate.free.pcpu >= sandbox.pcpu or not sandbox.pcpu


def _room(sandbox: Sandbox, candidate: Candidate) -> bool:
    return candidate.free.lacking(Resources(cpu=sandbox.cpu, memory=sandbox.memory, disk=sandbox.disk)) is None


#: In this order: the first one that leaves no host is named in the reason.
FILTERS: Sequence[tuple[str, Callable[[Sandbox, Candidate], bool]]] = (
    ("host", _requested_host),
    ("availability zone", _zone),
    ("service", _compute),
    ("runtime", _runtime),
    ("label", _label),
    ("dedicated cores", _dedicated_cores),
    ("room", _room),
)


def choose(sandbox: Sandbox, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The hosts that can take the sandbox, the emptiest first. Raises NoValidHost with the name of the filter that left none."""
    left = list(candidates)
    if not left:
        raise errors.NoValidHost(reason="No compute host has reported yet.")
    for name, passes in FILTERS:
        left = [candidate for candidate in left if passes(sandbox, candidate)]
        if not left:
            raise errors.NoValidHost(reason=f"The {name} filter left none of {len(candidates)}.")
    return sorted(left, key=lambda candidate: (-candidate.free.memory, -candidate.free.cpu, candidate.host.hostname))
