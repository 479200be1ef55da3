"""Removing rows that nobody needs any more, in small transactions, so that nobody who works waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from zun.domain.action import Action, ActionState
from zun.domain.idempotency import LASTS, IdempotencyKey
from zun.domain.model import Entity
from zun.interfaces.store import Before, Page, Store, Transaction

#: rows that are removed in one transaction
BATCH = 200


class Purge:
    """Removes what ended long ago. May be repeated, broken off, and run beside the service."""

    def __init__(self, store: Store, now: datetime, *, told: Callable[[str, int], None] = lambda name, count: None) -> None:
        """``told`` is called after each transaction, with how many of what are removed by then."""
        self._store = store
        self._now = now
        self._told = told

    def run(self, before: datetime, *, dry_run: bool = False) -> dict[str, int]:
        """Remove the records of actions that ended before a moment (UTC), and idempotency keys whose time is over.

        Work that is under way, or has still to be undone, is never removed. Returns how many of each there are, or with ``dry_run`` would
        be.
        """
        over: dict[str, tuple[type[Entity], Mapping[str, Any]]] = {
            "actions": (Action, {"state": ActionState.DONE, "finish_time": Before(before)}),
            "idempotency keys": (IdempotencyKey, {"created_at": Before(self._now - LASTS)}),
        }
        return {name: self._count(*each) if dry_run else self._remove(name, *each) for name, each in over.items()}

    def _count(self, entity: type[Entity], where: Mapping[str, Any]) -> int:
        with self._store.read() as tx:
            return tx.count(entity, where)

    def _remove(self, name: str, entity: type[Entity], where: Mapping[str, Any]) -> int:
        def batch(tx: Transaction) -> int:
            found = tx.find(entity, where, Page(limit=BATCH))
            for row in found:
                tx.drop(row)
            return len(found)

        removed = 0
        while count := self._store.settle(batch):
            removed += count
            self._told(name, removed)
        return removed
