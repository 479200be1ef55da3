"""What is made at most once under a key: the row that says so is written in the transaction that accepts the work (ADR 17)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TypeVar

from zun import errors
from zun.conductor import allowance
from zun.domain.action import Caller
from zun.domain.idempotency import LASTS, IdempotencyKey, Once
from zun.domain.model import Entity
from zun.interfaces.store import Page, Store, Transaction

E = TypeVar("E", bound=Entity)

#: keys that are removed in one transaction
BATCH = 200


def earlier(tx: Transaction, entity: type[E], caller: Caller, key: Once | None, now: datetime) -> E | None:
    """What was made under the key, or None: then it may be made in this transaction, for nobody else of the project makes anything now.

    Raises IdempotencyKeyInUse for a key of another request, IdempotentResultGone where what was made has been deleted since.
    """
    if key is None:
        return None
    allowance.lock(tx, caller.project_id)
    for row in tx.find(IdempotencyKey, {"project_id": caller.project_id, "token": key.token}):
        if _is_over(row, now):
            tx.drop(row)
            continue
        if row.fingerprint != key.fingerprint:
            raise errors.IdempotencyKeyInUse()
        made = tx.get(entity, row.resource_uuid)
        if made is None:
            raise errors.IdempotentResultGone(id=row.resource_uuid)
        return made
    return None


def known(tx: Transaction, entity: type[E], caller: Caller, key: Once | None, now: datetime) -> E | None:
    """A look at what was made under the key, before anything is chosen: what the request names may be in use by now, by what was made of
    it then. None says nothing for sure; :func:`earlier` does."""
    rows = tx.find(IdempotencyKey, {"project_id": caller.project_id, "token": key.token}) if key is not None else []
    same = (row for row in rows if key is not None and row.fingerprint == key.fingerprint and not _is_over(row, now))
    return next((found for row in same if (found := tx.get(entity, row.resource_uuid)) is not None), None)


def remember(tx: Transaction, caller: Caller, key: Once | None, made: Entity) -> None:
    """Write down what is made under the key, in the transaction that asked for what was made earlier."""
    if key is not None:
        row = IdempotencyKey(
            uuid=str(uuid.uuid4()),
            project_id=caller.project_id,
            token=key.token,
            fingerprint=key.fingerprint,
            resource_uuid=made.uuid,
        )
        tx.add(row)


def sweep(store: Store, now: datetime) -> int:
    """Remove the keys whose time is over, the oldest first, so many at once. Returns how many; the rest is for the next round."""
    with store.read() as tx:
        if not any(_is_over(row, now) for row in tx.find(IdempotencyKey, {}, Page(limit=1))):
            return 0

    def remove(tx: Transaction) -> int:
        over = [row for row in tx.find(IdempotencyKey, {}, Page(limit=BATCH)) if _is_over(row, now)]
        for row in over:
            tx.drop(row)
        return len(over)

    return store.settle(remove)


def _is_over(row: IdempotencyKey, now: datetime) -> bool:
    return row.created_at is not None and row.created_at + LASTS <= now
