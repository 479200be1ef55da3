"""Cores of their own for containers that ask for them (ADR 0020): which ones, and until when.

A sandbox's row holds every core that its container may be running on. It gets more before its engine is asked to use them, and keeps
those that it is to lose until the engine has left them: so no core is ever in two rows of a host, and in no two containers either.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.domain import cpuset
from zun.domain.action import OPEN, Action
from zun.domain.container import DEDICATED, Container
from zun.domain.host import Host
from zun.domain.sandbox import Sandbox, own_cores
from zun.interfaces.store import Above, Transaction

POLICIES = (DEDICATED, "shared")


def refuse(container: Container) -> None:
    """Raises InvalidValue for an amount of CPU that cannot be had as cores of one's own."""
    if container.cpu_policy == DEDICATED and not cpuset.is_whole(container.cpu):
        raise errors.InvalidValue(field="cpu", rule=f"must be a whole number of cores, at least 1, where 'cpu_policy' is '{DEDICATED}'")


def hinted(asked: dict[str, Any]) -> dict[str, Any]:
    """What is asked for, with the policy that its scheduler hints name in the place of the field: the client has no option for the field.

    Raises InvalidValue for a hint that is no policy, or another one than the field's.
    """
    hint = (asked.get("hints") or {}).get("cpu_policy")
    if hint is None:
        return asked
    if hint not in POLICIES or asked.get("cpu_policy", hint) != hint:
        raise errors.InvalidValue(field="hints.cpu_policy", rule=f"must be {' or '.join(map(repr, POLICIES))}, and what 'cpu_policy' says")
    return {**asked, "cpu_policy": hint}


def pick(tx: Transaction, sandbox: Sandbox, hostname: str, more: int | None = None) -> list[int]:
    """The cores of the sandbox on this host: those that it has there already, and then ``more`` that nobody has (unless said: as many as
    it asks for, and none that it has). They are its own once this transaction has written them into its row.

    Raises InsufficientCapacity.
    """
    held = [] if more is None else sandbox.cpuset
    wanted = sandbox.pcpu if more is None else more
    if wanted <= 0:
        return held
    tx.lock(f"host:{hostname}")
    host = next(iter(tx.find(Host, {"hostname": hostname})), None)
    if host is None:
        raise errors.HostNotFound(id=hostname)
    others = [other for other in tx.find(Sandbox, {"host": hostname, "pcpu": Above(0)}) if other.uuid != sandbox.uuid]
    free = set(host.cpu_dedicated_set).difference(held, *(other.cpuset for other in others))
    found = cpuset.choose(wanted, free, host.numa_topology, near=held)
    if found is None:
        raise errors.InsufficientCapacity(host=hostname, resource="pcpu", requested=wanted, free=len(free))
    return [*held, *found]


def resized(tx: Transaction, sandbox: Sandbox, before: Container, after: Container) -> Sandbox:
    """The sandbox with the claims of its one container as that shall be now. Cores that it shall lose it has until :func:`settle`.

    Raises InsufficientCapacity; CoresNotSettled while an earlier change of them is under way.
    """
    if after.cpu_policy != DEDICATED:
        return replace(sandbox, cpu=after.cpu, memory=after.memory)
    wanted = int(after.cpu)
    if sandbox.host is None:
        return replace(sandbox, pcpu=wanted, memory=after.memory)
    if after.cpu != before.cpu and _under_way(tx, sandbox):
        raise errors.CoresNotSettled(id=after.uuid)
    cores = pick(tx, sandbox, sandbox.host, max(0, wanted - len(sandbox.cpuset)))
    return replace(sandbox, cpuset=cores, pcpu=len(cores), memory=after.memory)


def settle(tx: Transaction, container: Container) -> None:
    """The engine runs the container on as many of its cores as its row says, and nothing else is under way: it has only those from now
    on. The ones that it had first are the ones that it keeps."""
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    if sandbox is None or container.cpu_policy != DEDICATED or sandbox.host is None:
        return
    kept = own_cores(sandbox, container.cpu)
    if kept != sandbox.cpuset:
        tx.save(replace(sandbox, cpuset=kept, pcpu=len(kept)))


def _under_way(tx: Transaction, sandbox: Sandbox) -> bool:
    unfinished = tx.find(Action, {"sandbox_uuid": sandbox.uuid, "state": OPEN})
    return any(action.action == "resize_container" and "cpu" in action.arguments for action in unfinished)
