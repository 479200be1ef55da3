"""Other limits for a container that lives: claimed first, then set by its host, given back where that cannot be done (ADR 0016).

The row says what should be, and the host makes it so. A change that a host has not answered is not forgotten: it is an action in the
host's queue, written together with the claim, and goes from there only with an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import allowance, claims, cores, journal
from zun.conductor.accept import Defaults, check_name
from zun.domain import quota
from zun.domain.action import Action, ActionState, Caller
from zun.domain.capsule import needs
from zun.domain.claim import Claim
from zun.domain.container import DEDICATED, Container, amounts
from zun.domain.quota import Quota
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox, own_cores
from zun.interfaces.inventory import Inventory
from zun.interfaces.rpc import Whole
from zun.interfaces.store import Transaction

NAMES = ("cpu", "memory")
VERB = "resize_container"

#: Seconds after which a host does by itself what nobody who waited for its answer has settled: he is gone.
UNANSWERED = 60.0


def of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The limits among some values."""
    return {name: values[name] for name in NAMES if values.get(name) is not None}


def change(
    tx: Transaction, inventory: Inventory, defaults: Defaults, container: Container, changes: Mapping[str, Any], request_id: str
) -> Container:
    """Write what a request asks for, once quota and host have room for it.

    Raises InvalidValue, NameInUse, OverQuota, InsufficientCapacity, CoresNotSettled, NotOffered.
    """
    changed = replace(container, **changes)
    cores.refuse(changed)
    check_name(tx, defaults.unique_name_scope, changed)
    more = Quota(cpu=changed.cpu - container.cpu, memory=changed.memory - container.memory)
    if more != Quota():
        allowance.lock(tx, container.project_id)
        allowed = allowance.of_project(tx, container.project_id, defaults.quota)
        quota.check(allowed, allowance.usage(tx, container.project_id), more)
        sandbox = _sandbox(tx, container)
        if sandbox.host is not None:
            inventory.check(tx, sandbox, sandbox.host, _needed(tx, sandbox, changed))
            claims.followed(tx, inventory, sandbox, container.uuid)
        tx.save(_resized(tx, sandbox, container, changed))
    return journal.change(tx, container, changed, request_id)


def planned(tx: Transaction, container: Container, changes: Mapping[str, Any]) -> Claim | None:
    """What is to be claimed before the change is written; None where nothing more is needed. Raises ContainerNotFound."""
    sandbox, current = _sandbox(tx, container), tx.get(Container, container.uuid)
    return None if current is None else claims.grown(sandbox, current.uuid, _needed(tx, sandbox, replace(current, **changes)))


def arguments(before: Container, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Of the action that sets ``limits``: these, and those that it goes back to."""
    return {**limits, "before": {name: getattr(before, name) for name in limits}}


def ahead(tx: Transaction, caller: Caller, before: Container, limits: Mapping[str, Any], now: datetime) -> Action:
    """Write down that the host is to set the limits, while it is asked to do so at once: it will, should nobody hear its answer."""
    sandbox = _sandbox(tx, before)
    action = journal.enqueue(tx, caller, sandbox, before, VERB, arguments(before, limits), now)
    return tx.save(replace(action, not_before=now + timedelta(seconds=UNANSWERED)))


def answered(tx: Transaction, action: Action, now: datetime) -> None:
    """The host has answered: what was written ahead is needed no more."""
    _drop(tx, action)
    container = tx.get(Container, action.container_uuid or "")
    if container is not None:
        cores.settle(tx, container)
        # What became of the container meanwhile has waited for this.
        journal.follow(tx, container, missing=False, now=now)


def refused(tx: Transaction, action: Action, now: datetime) -> None:
    """The host will not: the claim is given back."""
    give_back(tx, action)
    answered(tx, action, now)


def unheard(tx: Transaction, action: Action) -> None:
    """Nobody knows what the host has done: the claim is given back, and the host has to do what the row says then."""
    container = give_back(tx, action)
    current = tx.get(Action, action.uuid)
    if container is None or current is None or current.state is not ActionState.QUEUED:
        return
    limits = {name: getattr(container, name) for name in of(action.arguments)}
    tx.save(replace(current, arguments=arguments(container, limits), not_before=None))


def give_back(tx: Transaction, action: Action) -> Container | None:
    """Take back a change that the host did not make, but for what somebody else has changed or removed since."""
    container = tx.get(Container, action.container_uuid or "")
    if container is None:
        return None
    asked, before = of(action.arguments), action.arguments.get("before") or {}
    ours = {name: before[name] for name in asked if name in before and getattr(container, name) == asked[name]}
    if not ours:
        return container
    restored = replace(container, **ours)
    sandbox = _sandbox(tx, container)
    needed = _needed(tx, sandbox, restored)
    claims = replace(sandbox, memory=needed.memory)
    # Cores of its own that were claimed are its own until the action has ended: the engine may have it run there.
    tx.save(claims if restored.cpu_policy == DEDICATED else replace(claims, cpu=needed.cpu))
    return journal.change(tx, container, restored, action.request_id)


def ended(tx: Transaction, action: Action) -> None:
    """The action has ended, well or with everything undone: cores that the container has lost are free."""
    container = tx.get(Container, action.container_uuid or "")
    if container is not None and "cpu" in action.arguments:
        cores.settle(tx, container)


def pinned(tx: Transaction, container: Container) -> list[int] | None:
    """The cores that the host shall set along with the container's ``cpu``: None where it has none of its own."""
    return own_cores(_sandbox(tx, container), container.cpu) if container.cpu_policy == DEDICATED else None


def together(tx: Transaction, container: Container) -> Whole | None:
    """What a capsule's containers may use together, given to its host with the limits of one; None of a container by itself."""
    if not container.capsule:
        return None
    sandbox = _sandbox(tx, container)
    return Whole(sandbox_uuid=sandbox.uuid, cpu=sandbox.cpu, memory=sandbox.memory)


def _needed(tx: Transaction, sandbox: Sandbox, changed: Container) -> Resources:
    """What the sandbox takes of its host when one container is as ``changed``. Nobody else may change one of them meanwhile: the rows of
    a capsule's containers are read here, and its sandbox's is written, by the generation that was read before them."""
    if not sandbox.capsule:
        return replace(amounts(changed), disk=sandbox.disk)
    return needs([changed if one.uuid == changed.uuid else one for one in tx.find(Container, {"sandbox_uuid": sandbox.uuid})])


def _resized(tx: Transaction, sandbox: Sandbox, before: Container, changed: Container) -> Sandbox:
    """The sandbox with the claims that go with one container's change."""
    if not sandbox.capsule:
        return cores.resized(tx, sandbox, before, changed)
    to = _needed(tx, sandbox, changed)
    return replace(sandbox, cpu=to.cpu, memory=to.memory)


def _drop(tx: Transaction, action: Action) -> None:
    current = tx.get(Action, action.uuid)
    if current is not None:
        tx.drop(current)


def _sandbox(tx: Transaction, container: Container) -> Sandbox:
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    if sandbox is None:
        raise errors.ContainerNotFound(id=container.uuid)
    return sandbox
