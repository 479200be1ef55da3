"""The cores of this host: which are given away, each to one container, and which are for all others (ADR 0020)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from zun import errors
from zun.domain import cpuset
from zun.domain.container import DEDICATED, Container
from zun.domain.lifecycle import EngineState
from zun.domain.sandbox import Sandbox, own_cores
from zun.interfaces.runtime import ContainerState, Runtime

LOG = logging.getLogger(__name__)

#: where the kernel tells of processors and of NUMA nodes
SYSTEM = Path("/sys/devices/system")

_NODE = re.compile(r"node([0-9]+)")


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of a host. Without ``dedicated`` ones none are given away; without ``shared`` ones, too, every container uses all.

    ``online`` are those that the kernel has, empty where it does not say; ``nodes`` the cores of each NUMA node.
    """

    dedicated: list[int] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)
    online: list[int] = field(default_factory=list)
    nodes: list[list[int]] = field(default_factory=list)

    def of(self, container: Container, sandbox: Sandbox) -> list[int]:
        """Those that a container may run on; empty: any."""
        return own_cores(sandbox, container.cpu) if container.cpu_policy == DEDICATED else self.shared


def read(dedicated: str | None, shared: str | None, system: Path = SYSTEM) -> Cores:
    """The cores of this host as its operator (in the form of :func:`zun.domain.cpuset.parse`) and its kernel tell of them. What is not
    given away is shared unless the operator says otherwise.

    Raises ValueError with the name of the option for what is no set of cores, or none of this host's, or given away and shared at once.
    """
    online = _told(system / "cpu" / "online")
    own, others = _option("cpu_dedicated_set", dedicated, online), _option("cpu_shared_set", shared, online)
    both = sorted(set(own) & set(others))
    if both:
        raise ValueError(f"[compute] cpu_dedicated_set and cpu_shared_set both name the cores {cpuset.text(both)}")
    if own and not shared:
        others = [core for core in online if core not in own]
    return Cores(dedicated=own, shared=others, online=online, nodes=_nodes(system / "node"))


def _option(name: str, text: str | None, online: list[int]) -> list[int]:
    try:
        named = cpuset.parse(text or "")
    except ValueError as error:
        raise ValueError(f"[compute] {name}: {error}") from None
    strange = [core for core in named if core not in online]
    if strange:
        raise ValueError(
            f"[compute] {name}: this host has no cores {cpuset.text(strange)}; it has {cpuset.text(online) or 'none in sight'}"
        )
    if text and not named:
        raise ValueError(f"[compute] {name}: {text!r} names no core")
    return named


def _nodes(folder: Path) -> list[list[int]]:
    numbered = sorted((int(found[1]), path) for path in _folders(folder) if (found := _NODE.fullmatch(path.name)))
    return [cores for _, path in numbered if (cores := _told(path / "cpulist"))]


def _folders(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _told(file: Path) -> list[int]:
    """The cores in a file of the kernel's; none where it cannot be read."""
    try:
        return cpuset.parse(file.read_text())
    except (OSError, ValueError):
        return []


def warn(cores: Cores, sandboxes: Iterable[Sandbox]) -> None:
    """Log which sandboxes have cores that are not given away any more. They keep them; but others may be running there now."""
    for sandbox in sandboxes:
        lost = sorted(set(sandbox.cpuset) - set(cores.dedicated))
        if lost:
            LOG.warning(
                "sandbox %s keeps the cores %s, which [compute] cpu_dedicated_set does not name any more: until it is deleted they count"
                " as given away, and other containers may run on them",
                sandbox.uuid,
                cpuset.text(lost),
            )


def keep(runtime: Runtime, cores: Cores, container: Container, state: ContainerState) -> None:
    """Have a container without cores of its own run on those that are for all, whatever they were when it was made.

    (Cores of its own it was given, and is taken, by work on it alone.)
    """
    wanted = cores.shared or ([] if cores.dedicated else cores.online)
    if container.cpu_policy == DEDICATED or not wanted or state.state is EngineState.DEAD:
        return
    if (state.cpuset or cores.online) == wanted:
        return
    LOG.info("container %s is moved to the cores %s, which are for all", container.uuid, cpuset.text(wanted))
    try:
        runtime.update(container.uuid, cpuset=wanted)
    except errors.ZunError as error:
        LOG.warning("container %s could not be moved to the cores %s: %s", container.uuid, cpuset.text(wanted), error)
