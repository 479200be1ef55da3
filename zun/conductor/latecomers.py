"""What the network service has made for somebody after he was deleted: the slow round that has it taken away.

A call to make a port (a security group) that nobody waits for any more may still be carried out: by a server that was slow, after all that
asked for it has ended, and after whom it was for was found to have nothing and was deleted. No row tells of it then. What tells is the log
of events, which is written in the transaction of each deletion: so only of what this service itself has deleted is anything ever looked
for, whatever else there is in the network service, and who is deleted never comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from zun import errors
from zun.conductor.journal import Clock
from zun.domain.container import Container
from zun.domain.event import Event, Kind, What
from zun.domain.sandbox import Sandbox
from zun.interfaces.network import Network
from zun.interfaces.store import Above, Page, Store

LOG = logging.getLogger(__name__)

#: How long after a deletion something may still come. Longer than any server goes on with a call.
LATE = timedelta(minutes=15)
#: deletions that are looked at with one question, and the questions of one round
PAGE, PAGES = 50, 20

_DELETED = {"what": What.DELETED, "kind": (Kind.CONTAINER, Kind.CAPSULE)}


class Latecomers:
    """Each deletion is looked at in every round until it is ``LATE`` ago; those of which events are kept when a life begins, too. Several
    may run at once, each step may be repeated."""

    def __init__(self, store: Store, *, network: Network, clock: Clock, every: int) -> None:
        """``every`` so many seconds there is a round, whenever :meth:`run` is called."""
        self._store = store
        self._network = network
        self._clock = clock
        self._every = timedelta(seconds=every)
        self._next: datetime | None = None
        #: the last event before which nothing needs to be looked at any more
        self._settled = 0
        #: of whom there is something that could not be taken away
        self._stubborn: set[str] = set()

    def run(self) -> None:
        """One round, unless the last one was a short while ago. One that has much to look at is gone on with at the next call."""
        now = self._clock()
        # Where all is on the hosts, there is nobody to be late.
        if self._network.attachment == "engine" or (self._next is not None and now < self._next):
            return
        try:
            rest = self._round(now)
        except errors.ZunError as error:
            LOG.warning("what came too late is looked for later: %s", error)
            rest = False
        self._next = None if rest else now + self._every

    def _round(self, now: datetime) -> bool:
        """Whether there is more to look at."""
        for begin in range(0, len(stubborn := sorted(self._stubborn)), PAGE):
            self._look(stubborn[begin : begin + PAGE])
        for number, page in enumerate(self._pages()):
            if number == PAGES:
                return True
            self._look([event.resource_uuid for event in page])
            old = [event.id for event in page if event.created_at is not None and now - event.created_at > LATE]
            self._settled = max([self._settled, *old])
        return False

    def _pages(self) -> Iterator[list[Event]]:
        last = self._settled
        while True:
            with self._store.read() as tx:
                page = tx.find(Event, {**_DELETED, "id": Above(last)}, Page(limit=PAGE))
            if not page:
                return
            yield page
            last = page[-1].id

    def _look(self, devices: list[str]) -> None:
        found = self._network.left(devices)
        self._stubborn.difference_update(devices)
        for device in found:
            if self._is_known(device):
                continue
            LOG.warning("%s is deleted, and the network service has made something for it since: it is given back", device)
            try:
                self._network.release(device)
            except errors.ZunError as error:
                # It does not keep the others waiting.
                LOG.warning("what was made for %s is given back later: %s", device, error)
                self._stubborn.add(device)

    def _is_known(self, device: str) -> bool:
        with self._store.read() as tx:
            return any(tx.get(entity, device) is not None for entity in (Container, Sandbox))
