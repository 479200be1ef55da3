"""Handing work on images to hosts, what they need for it, and how it ended. Pulls of containers need the same, and are served here, too."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import journal, registries, telling
from zun.conductor.observe import Observe
from zun.conductor.vault import Vault
from zun.domain.action import Action, ActionState, StepEvent
from zun.domain.container import Container
from zun.domain.event import What
from zun.domain.host_image import Image, ImageState
from zun.domain.registry import Registry
from zun.interfaces.rpc import Access, ImageWork, Outcome
from zun.interfaces.store import Transaction

#: the most characters of a step's details that are written down
MAX_DETAILS = 255


class ImageDesk(Observe):
    """The part of :class:`zun.interfaces.rpc.Conductor` that is about images."""

    _vault: Vault

    def registry(self, host: str, epoch: str, action_uuid: str, registry_uuid: str) -> Access:
        """What opens a registry, for an action in the host's hands that needs it. Whatever else is asked finds nothing."""
        with self._store.read() as tx:
            action = tx.get(Action, action_uuid)
            row = tx.get(Registry, registry_uuid)
            if row is None or action is None or not _in_hand(action, host, epoch) or not _needs(tx, action, registry_uuid):
                raise errors.RegistryNotFound(id=registry_uuid)
        return registries.access(row, self._vault)

    def progress(self, host: str, epoch: str, action_uuid: str, event: StepEvent) -> None:
        """Show how far a step has come; the end of the action writes over it."""

        def write(tx: Transaction) -> None:
            action = tx.get(Action, action_uuid)
            if action is not None and _in_hand(action, host, epoch):
                told = replace(event, details=(event.details or "")[:MAX_DETAILS] or None)
                tx.save(replace(action, events=[*(each for each in action.events if each.event != event.event), told]))

        self._store.settle(write)

    def _hand_out_image(self, tx: Transaction, action: Action) -> ImageWork | None:
        image = tx.get(Image, action.image_uuid or "")
        if image is None:
            tx.drop(action)
            return None
        if action.attempts == 1 and action.state is ActionState.CLAIMED:
            telling.of_image_action(tx, What.STARTED, action, image)
        return ImageWork(action=action, image=image)

    def _finish_image(self, tx: Transaction, action: Action, outcome: Outcome, again: datetime) -> bool:
        """Returns whether there is new work for the host. ``again`` is when an undoing that failed is tried the next time."""
        image = tx.get(Image, action.image_uuid or "")
        if image is None:
            tx.drop(action)
            return False
        failed = outcome.reason is not None or action.state is ActionState.UNDOING
        events = action.events if action.state is ActionState.UNDOING else outcome.events
        left = {"state": ActionState.UNDOING, "epoch": None, "not_before": again} if outcome.leftovers else {}
        saved = tx.save(journal.ended(action, self._clock(), failed=failed, events=events, **left))
        if not outcome.leftovers:
            image = self._record(tx, image, action, outcome)
        if action.finish_time is None:
            telling.of_image_action(tx, What.FAILED if failed else What.FINISHED, saved, image, outcome.reason)
        if outcome.leftovers:
            return False
        if (action.action == "delete" and not failed) or (action.action == "commit" and failed):
            forget(tx, image, action.request_id)
            return False
        if action.action == "commit":
            self._replace_older(tx, action, image)
        return bool(journal.open_actions(tx, image.uuid))

    def _record(self, tx: Transaction, image: Image, action: Action, outcome: Outcome) -> Image:
        """Write what came of it, unless it goes now."""
        if outcome.reason is None and action.action == "delete":
            return image
        changes: dict[str, Any] = {}
        if outcome.image is not None:
            told = outcome.image
            changes = {"image_id": told.image_id, "size": told.size, "digest": told.digest}
        # Its deletion may have been accepted meanwhile, and is next.
        if image.status is not ImageState.DELETING or action.action == "delete":
            there = outcome.reason is None or (action.action == "delete" and image.image_id is not None)
            changes["status"] = ImageState.AVAILABLE if there else ImageState.ERROR
            changes["status_reason"] = outcome.reason
        return telling.change_image(tx, image, action.request_id, **changes)

    def _replace_older(self, tx: Transaction, action: Action, image: Image) -> None:
        """A project's commit of a name takes the place of its earlier ones, as a tag does: those that nothing is made of are removed."""
        same = {"project_id": image.project_id, "repo": image.repo, "tag": image.tag, "kept": True, "status": ImageState.AVAILABLE}
        for older in tx.find(Image, same) if image.kept else ():
            if older.uuid != image.uuid and not tx.count(Container, {"image_uuid": older.uuid}):
                going = telling.change_image(tx, older, action.request_id, status=ImageState.DELETING)
                enqueue(tx, going, "delete", self._clock(), action)


def enqueue(tx: Transaction, image: Image, verb: str, now: datetime, like: Action | None = None, **given: Any) -> Action:
    """Write an action on an image; its request and who asked are given, or those of the action that it follows from."""
    asked = given if like is None else {name: getattr(like, name) for name in ("request_id", "project_id", "user_id")}
    action = tx.add(
        Action(
            uuid=journal.new_uuid(),
            action=verb,
            sandbox_uuid=image.uuid,
            image_uuid=image.uuid,
            host=image.host,
            start_time=now,
            **asked,
        )
    )
    telling.of_image_action(tx, What.ACCEPTED, action, image)
    return action


def forget(tx: Transaction, image: Image, request_id: str | None = None) -> None:
    """Drop an image's row and what was done to it; what was done to a container stays in that one's record."""
    for action in tx.find(Action, {"image_uuid": image.uuid}):
        if action.container_uuid is None:
            tx.drop(action)
    telling.drop_image(tx, image, request_id)


def _in_hand(action: Action, host: str, epoch: str) -> bool:
    return action.host == host and action.epoch == epoch and action.state in (ActionState.CLAIMED, ActionState.UNDOING)


def _needs(tx: Transaction, action: Action, registry_uuid: str) -> bool:
    """Whether the work is on an image, or on a sandbox with a container, that is of this registry."""
    if action.image_uuid is not None:
        image = tx.get(Image, action.image_uuid)
        return image is not None and image.registry_id == registry_uuid
    return tx.count(Container, {"sandbox_uuid": action.sandbox_uuid, "registry_id": registry_uuid}) > 0
