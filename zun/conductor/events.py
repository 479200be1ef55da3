"""What happened: handed out in order to those who ask, and forgotten when it is old."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from zun import errors
from zun.conductor.journal import Clock
from zun.domain.event import Event
from zun.interfaces.rpc import Happened
from zun.interfaces.store import Above, Before, Page, Store, Transaction, UpTo

LOG = logging.getLogger(__name__)

#: between two rounds of forgetting
EVERY = timedelta(minutes=5)


def after(tx: Transaction, project_id: str, cursor: int | None, where: Mapping[str, Any], limit: int) -> Happened:
    """The first events of a project after ``cursor`` that meet the conditions, all of them if there are no more than ``limit``; None
    begins with the oldest that is kept.

    Raises EventsGone where some after ``cursor`` are kept no longer, and for one that no event has had yet (of another database, or of one
    that was set back).
    """
    own = {"project_id": project_id}
    oldest = _end(tx, own, descending=False)
    newest = _end(tx, own, descending=True)
    if cursor is not None and not max(oldest - 1, 0) <= cursor <= newest:
        raise errors.EventsGone(cursor=cursor, oldest=max(oldest - 1, 0), newest=newest)
    found = tx.find(Event, {**where, **own, "cursor": Above(cursor or 0)}, Page(limit=limit + 1, sort_key="cursor"))
    if len(found) > limit:
        return Happened(events=found[:limit], cursor=found[limit - 1].cursor, more=True)
    return Happened(events=found, cursor=newest, more=False)


def onward(tx: Transaction, project_id: str, cursor: int | None, where: Mapping[str, Any], limit: int) -> Happened:
    """What a stream goes on with: as :func:`after`, but None is now, and what is gone is passed by and said to be."""
    if cursor is not None:
        with contextlib.suppress(errors.EventsGone):
            return after(tx, project_id, cursor, where, limit)
    newest = _end(tx, {"project_id": project_id}, descending=True)
    return Happened(events=[], cursor=newest, more=False, reset=cursor is not None)


def _end(tx: Transaction, own: Mapping[str, Any], *, descending: bool) -> int:
    """The cursor of a project's first or last event; 0 where there is none."""
    found = tx.find(Event, own, Page(limit=1, sort_key="cursor", descending=descending))
    return found[0].cursor if found else 0


class Forget:
    """Forgets old events. The newest of every project stays, whatever its age: the next one is numbered after it."""

    def __init__(self, store: Store, *, clock: Clock, retention: int, most: int) -> None:
        """``retention`` in seconds, ``most`` is a number of events of one project."""
        self._store = store
        self._clock = clock
        self._retention = timedelta(seconds=retention)
        self._most = most
        self._next: datetime | None = None

    def run(self) -> None:
        """One round, unless the last one was a short while ago."""
        now = self._clock()
        if self._next is not None and now < self._next:
            return
        self._next = now + EVERY
        with self._store.read() as tx:
            projects = tx.total(Event, ("cursor",), by="project_id")
        for project in projects:
            try:
                self._store.settle(partial(self._forget, own={"project_id": project}, before=now - self._retention))
            except errors.ZunError:
                LOG.exception("the events of project %s could not be swept", project)

    def _forget(self, tx: Transaction, own: Mapping[str, Any], before: datetime) -> None:
        old = tx.find(Event, {**own, "created_at": Before(before)}, Page(limit=1, sort_key="cursor", descending=True))
        newest = _end(tx, own, descending=True)
        last = max(old[0].cursor if old else 0, newest - self._most)
        if last > 0:
            tx.clear(Event, {**own, "cursor": UpTo(min(last, newest - 1))})
