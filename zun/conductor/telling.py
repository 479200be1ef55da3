"""What is told of capsules, of images and of actions, for those who watch (ADR 13). Containers are told of by ``conductor.journal``.

What a capsule shows is read off its containers, of which a transaction may change many. So it is compared once, at the end, with what it
showed before: then nobody else can tell anything of the project, and no change is lost between two that change one container each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from zun.domain import capsule
from zun.domain import event as events
from zun.domain.action import Action
from zun.domain.container import Container
from zun.domain.event import Event, What
from zun.domain.host_image import Image
from zun.domain.lifecycle import Status
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Transaction


class Whole:
    """A capsule in one transaction: what its containers were before, and what is told of it in the end."""

    def __init__(self, tx: Transaction, sandbox_uuid: str) -> None:
        self._tx = tx
        self._uuid = sandbox_uuid
        self._before: dict[str, Container | None] = {}
        self._actions: list[tuple[What, dict[str, Any]]] = []
        self._gone: Sandbox | None = None
        self._request_id: str | None = None

    def was(self, uuid: str, before: Container | None, request_id: str | None = None) -> None:
        """A container is about to be changed that was so, or (None) was not there; only the first word counts."""
        self._before.setdefault(uuid, before)
        self._request_id = self._request_id or request_id

    def act(self, what: What, **facts: Any) -> None:
        """Something became of an action on the whole capsule."""
        self._actions.append((what, facts))

    def goes(self, sandbox: Sandbox) -> None:
        """The capsule is no more."""
        self._gone = sandbox

    def __call__(self) -> list[Event]:
        """What is told: another status, what became of actions, its end."""
        of = events.of_capsule
        sandbox = self._gone or self._tx.get(Sandbox, self._uuid)
        if sandbox is None:
            return []
        now = {one.uuid: one for one in self._tx.find(Container, {"sandbox_uuid": self._uuid})}
        before = [one for one in {**now, **self._before}.values() if one is not None]
        status, reason = capsule.phase(list(now.values())) if now else (Status.DELETING, None)
        told = []
        if before and capsule.phase(before) != (status, reason):
            old = capsule.phase(before)[0].value
            told = [of(sandbox, What.STATUS, status, reason=reason, old_status=old, request_id=self._request_id)]
        told += [of(sandbox, what, status, **{"reason": reason, **facts}) for what, facts in self._actions]
        if self._gone is not None:
            request_id = next((facts["request_id"] for _, facts in reversed(self._actions)), self._request_id)
            told.append(of(sandbox, What.DELETED, status, reason=reason, request_id=request_id))
        return told


def whole(tx: Transaction, sandbox: Sandbox | Container) -> Whole:
    """The capsule, or that of a container, for this transaction."""
    uuid = sandbox.sandbox_uuid if isinstance(sandbox, Container) else sandbox.uuid
    return tx.tell_last(sandbox.project_id, f"capsule:{uuid}", lambda: Whole(tx, uuid))


def of_action(tx: Transaction, what: What, action: Action, containers: Sequence[Container], reason: str | None = None) -> None:
    """Tell what became of an action on ``containers``: once, of the container, or of the whole capsule, that it is on."""
    facts: dict[str, Any] = {"action": action.action, "request_id": action.request_id}
    if reason is not None:
        facts["reason"] = reason
    for container in containers:
        if action.container_uuid is None:
            whole(tx, container).act(what, **facts)
            return
        tx.tell(events.of(container, what, **facts))


def of_image_action(tx: Transaction, what: What, action: Action, image: Image, reason: str | None = None) -> None:
    """Tell what became of an action on an image, and of the container that it is made of."""
    facts: dict[str, Any] = {"action": action.action, "request_id": action.request_id}
    if reason is not None:
        facts["reason"] = reason
    tx.tell(events.of_image(image, what, **facts))
    container = tx.get(Container, action.container_uuid) if action.container_uuid else None
    if container is not None:
        tx.tell(events.of(container, what, **facts))


def add_image(tx: Transaction, image: Image, request_id: str) -> Image:
    """Write a new image, and tell of it."""
    added = tx.add(image)
    tx.tell(events.of_image(added, What.CREATED, request_id=request_id))
    return added


def change_image(tx: Transaction, image: Image, request_id: str | None = None, **changes: Any) -> Image:
    """Write what becomes of an image; another status is told."""
    changed = tx.save(replace(image, **changes))
    if (changed.status, changed.status_reason) != (image.status, image.status_reason):
        tx.tell(events.of_image(changed, What.STATUS, old_status=image.status.value, request_id=request_id))
    return changed


def drop_image(tx: Transaction, image: Image, request_id: str | None = None) -> None:
    """Forget an image, and tell of it."""
    tx.drop(image)
    tx.tell(events.of_image(image, What.DELETED, request_id=request_id))
