"""Writing down what was decided: the few writes that every other module of this package makes.

This is the one place where a container's status is stored. It is decided in ``domain.lifecycle``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from zun import errors
from zun.conductor import claims, telling
from zun.domain import event as events
from zun.domain import lifecycle
from zun.domain.action import OPEN, Action, ActionState, Caller
from zun.domain.capsule import due, in_order, needs
from zun.domain.container import Container, life, living
from zun.domain.event import What
from zun.domain.host_image import Image
from zun.domain.sandbox import Sandbox
from zun.interfaces.inventory import Inventory
from zun.interfaces.rpc import Charge, SandboxFacts
from zun.interfaces.store import Transaction

LOG = logging.getLogger(__name__)

Clock = Callable[[], datetime]

H = TypeVar("H")

#: why work ended that nobody had begun
GIVEN_UP = "It was given up for a deletion."


def apply(tx: Transaction, container: Container, event: lifecycle.Event, request_id: str | None = None) -> Container:
    """Store what the event makes of the container, if it changes anything, and tell of it; ``request_id`` is of the request that it
    comes of. Raises InvalidStateException for a verb out of place."""
    before = life(container)
    try:
        after = lifecycle.advance(before, event)
    except lifecycle.Unexpected as unexpected:
        verb = str(unexpected).split("_")[0] if str(unexpected).startswith("delete") else str(unexpected)
        raise errors.InvalidStateException(verb=verb, id=container.uuid, state=container.status.value) from None
    if after == before:
        return container
    _concerns_capsule(tx, container, container, request_id)
    changed = tx.save(living(container, after))
    if events.differs(container, changed):
        tx.tell(events.of(changed, What.STATUS, old_status=container.status, request_id=request_id))
    return changed


def add(tx: Transaction, container: Container, request_id: str | None = None) -> Container:
    """Write a new container: whatever makes one makes it here, so that it is told of."""
    _concerns_capsule(tx, container, None, request_id)
    added = tx.add(container)
    tx.tell(events.of(added, What.CREATED, request_id=request_id))
    return added


def add_capsule(tx: Transaction, sandbox: Sandbox, request_id: str) -> Sandbox:
    """Write a new capsule, and tell of it."""
    added = tx.add(sandbox)
    tx.tell(events.of_capsule(added, What.CREATED, lifecycle.Status.CREATING, request_id=request_id))
    return added


def change(tx: Transaction, before: Container, after: Container, request_id: str | None = None) -> Container:
    """Store what a user has made of a container that is no part of its life (its name, its limits), and tell of it."""
    if after == before:
        return before
    _concerns_capsule(tx, before, before, request_id)
    changed = tx.save(after)
    tx.tell(events.of(changed, What.UPDATED, request_id=request_id))
    return changed


def _concerns_capsule(tx: Transaction, container: Container, before: Container | None, request_id: str | None) -> None:
    if container.capsule:
        telling.whole(tx, container).was(container.uuid, before, request_id)


def new_uuid() -> str:
    """The identity of something new."""
    return str(uuid.uuid4())


def enqueue(
    tx: Transaction, caller: Caller, sandbox: Sandbox, container: Container | None, verb: str, arguments: dict[str, Any], now: datetime
) -> Action:
    """Write an action, on one container or on the whole sandbox: accepted work, and the record that it was accepted."""
    return tx.add(
        Action(
            uuid=str(uuid.uuid4()),
            action=verb,
            sandbox_uuid=sandbox.uuid,
            container_uuid=container.uuid if container else None,
            request_id=caller.request_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            arguments=arguments,
            host=sandbox.host,
            start_time=now,
        )
    )


def ended(action: Action, now: datetime, *, failed: bool = False, **changes: Any) -> Action:
    """The action, ended; it keeps the time at which clients first saw it end."""
    message = "Error" if failed else None
    return replace(action, **{"state": ActionState.DONE, **changes}, finish_time=action.finish_time or now, message=message)


def end(
    tx: Transaction,
    action: Action,
    now: datetime,
    containers: Iterable[Container] | None = None,
    *,
    failed: bool = False,
    reason: str | None = None,
    **changes: Any,
) -> Action:
    """Store that an action on ``containers`` (looked up unless given) has ended, and tell of it the first time."""
    saved = tx.save(ended(action, now, failed=failed, **changes))
    if action.finish_time is None:
        about = concerned(tx, action) if containers is None else list(containers)
        telling.of_action(tx, What.FAILED if failed else What.FINISHED, saved, about, reason)
    return saved


def system(container: Container) -> Caller:
    """Who acts when the service itself decides something for a container: its owner, by a request id of its own."""
    return Caller(user_id=container.user_id, project_id=container.project_id, request_id=f"req-{uuid.uuid4()}")


def open_actions(tx: Transaction, sandbox_uuid: str) -> list[Action]:
    """The sandbox's unfinished actions, the oldest first."""
    return tx.find(Action, {"sandbox_uuid": sandbox_uuid, "state": OPEN})


def abandon(tx: Transaction, container_uuid: str) -> None:
    """A container goes of which images are being made: those that no host has begun are given up, the others end by themselves."""
    for action in tx.find(Action, {"container_uuid": container_uuid, "action": "commit"}):
        if action.state is ActionState.DONE or action.image_uuid is None:
            continue
        image = tx.get(Image, action.image_uuid)
        if action.state is not ActionState.QUEUED:
            # Its row must outlive the container's: a host has it in hand.
            tx.save(replace(action, container_uuid=None))
        elif image is not None:
            telling.drop_image(tx, image)


def erase(tx: Transaction, container: Container, inventory: Inventory) -> None:
    """Forget a container of which nothing is left on any host, and its sandbox with the last one."""
    abandon(tx, container.uuid)
    request_id = None
    for action in tx.find(Action, {"container_uuid": container.uuid}):
        request_id = action.request_id if action.action == "delete" else request_id
        tx.drop(action)
    _concerns_capsule(tx, container, container, request_id)
    tx.drop(container)
    tx.tell(events.of(container, What.DELETED, request_id=request_id))
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    if sandbox is None:
        return
    claims.followed(tx, inventory, sandbox, container.uuid)
    staying = tx.find(Container, {"sandbox_uuid": sandbox.uuid})
    if staying:
        amounts = needs(staying)
        tx.save(replace(sandbox, cpu=amounts.cpu, memory=amounts.memory, disk=amounts.disk))
        return
    for action in tx.find(Action, {"sandbox_uuid": sandbox.uuid}):
        tx.drop(action)
    tx.drop(sandbox)
    if sandbox.capsule:
        telling.whole(tx, sandbox).goes(sandbox)


def accept(
    tx: Transaction,
    caller: Caller,
    container: Container,
    verb: str,
    arguments: dict[str, Any],
    now: datetime,
    *,
    row: str | None = None,
    desired: lifecycle.Desired | None = None,
) -> Container:
    """Accept ``verb`` on the container: its status at once, and the action. ``row`` is its row in the table of verbs, if not its name."""
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    if sandbox is None:
        raise errors.ContainerNotFound(id=container.uuid)
    container = apply(tx, container, lifecycle.Accepted(row or verb, desired), caller.request_id)
    action = enqueue(tx, caller, sandbox, container, verb, arguments, now)
    telling.of_action(tx, What.ACCEPTED, action, [container])
    return container


def accept_all(
    tx: Transaction,
    caller: Caller,
    sandbox: Sandbox,
    containers: Iterable[Container],
    verb: str,
    arguments: dict[str, Any],
    now: datetime,
    *,
    row: str | None = None,
    desired: lifecycle.Desired | None = None,
) -> list[Container]:
    """Accept ``verb`` on a whole sandbox, which is one action; otherwise as :func:`accept`."""
    shown = [apply(tx, container, lifecycle.Accepted(row or verb, desired), caller.request_id) for container in containers]
    telling.of_action(tx, What.ACCEPTED, enqueue(tx, caller, sandbox, None, verb, arguments, now), shown)
    return shown


def concerned(tx: Transaction, action: Action) -> list[Container]:
    """The containers that an action is on, in order: the one that it names, or all of its sandbox. Empty where they are gone."""
    if action.container_uuid is None:
        return in_order(tx.find(Container, {"sandbox_uuid": action.sandbox_uuid}))
    container = tx.get(Container, action.container_uuid)
    return [] if container is None else [container]


def proceed(tx: Transaction, sandbox_uuid: str, now: datetime) -> bool:
    """Have those containers of a capsule begin whose turn it is, once nothing else is under way. True if there is new work."""
    sandbox = tx.get(Sandbox, sandbox_uuid)
    if sandbox is None or not sandbox.capsule or sandbox.host is None or open_actions(tx, sandbox_uuid):
        return False
    waiting = due(tx.find(Container, {"sandbox_uuid": sandbox_uuid}))
    for container in waiting:
        accept(tx, system(container), container, "start", {}, now)
    return bool(waiting)


def follow(tx: Transaction, container: Container, *, missing: bool, now: datetime) -> bool:
    """Accept what the service itself does after news of a container (auto_remove, auto_heal). True if there is new work."""
    verb = lifecycle.follow_up(life(container), auto_remove=container.auto_remove, auto_heal=container.auto_heal, missing=missing)
    if verb is None or any(action.container_uuid in (None, container.uuid) for action in open_actions(tx, container.sandbox_uuid)):
        return False
    if verb == "rebuild":
        container = tx.save(replace(container, revision=container.revision + 1))
    row = "delete_force" if verb == "delete" else verb
    accept(tx, system(container), container, verb, {}, now, row=row)
    return True


def undoing(tx: Transaction, container: Container) -> bool:
    """Whether work on the container has failed and waits to be undone: what an engine shows of it meanwhile will not last."""
    actions = open_actions(tx, container.sandbox_uuid)
    return any(action.container_uuid in (None, container.uuid) and action.state is ActionState.UNDOING for action in actions)


def nudge(poke: Callable[[H], None], host: H) -> None:
    """Say that there is work. What was decided is written by then: nobody must hear of an error because a poke was lost."""
    try:
        poke(host)
    except errors.ZunError as error:
        LOG.warning("host %s could not be told of its work: %s", host, error)


def charge(tx: Transaction, sandbox: Sandbox) -> Charge:
    """A sandbox with all its containers, in order."""
    return Charge(sandbox=sandbox, containers=in_order(tx.find(Container, {"sandbox_uuid": sandbox.uuid})))


def record_sandbox(tx: Transaction, facts: SandboxFacts) -> None:
    """Store what a host tells of a sandbox."""
    sandbox = tx.get(Sandbox, facts.sandbox_uuid)
    if sandbox is None:
        return
    told = replace(
        sandbox,
        engine_id=facts.engine_id or sandbox.engine_id,
        hostname=facts.hostname or sandbox.hostname,
        addresses=facts.addresses,
        security_groups=sandbox.security_groups if facts.security_groups is None else facts.security_groups,
    )
    if told != sandbox:
        tx.save(told)
