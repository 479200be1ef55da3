"""What other services have made for somebody after he was deleted: the slow round that has it taken away.

A call to make a port, a security group, an attachment or an image that nobody waits for any more may still be carried out: by a server that
was slow, after all that asked for it has ended, and after whom it was for was found to have nothing and was deleted. No row tells of it
then. What tells is the log of events, which is written in the transaction of each deletion: so only of what this service itself has deleted
is anything ever looked for, whatever else there is in the other services, and who is deleted never comes again.

A volume that was to be made for somebody is none of these: there is a row of it (:class:`zun.conductor.leavings.Leavings`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from zun import errors
from zun.conductor.journal import Clock
from zun.domain.container import Container
from zun.domain.event import Event, Kind, What
from zun.domain.host_image import Image
from zun.domain.model import Entity
from zun.domain.sandbox import Sandbox
from zun.interfaces.images import Images
from zun.interfaces.network import Network
from zun.interfaces.store import Above, Page, Store
from zun.interfaces.volumes import Volumes

LOG = logging.getLogger(__name__)

#: How long after a deletion something may still come. Longer than any server goes on with a call.
LATE = timedelta(minutes=15)
#: questions of one round
PAGES = 20
#: deletions that are looked at with one question: where the devices are named in it, and where all is told that there is of the kind
PAGE, LONG_PAGE = 50, 1000


@dataclass(frozen=True, slots=True)
class Maker:
    """A service that makes something for containers and capsules, or for images that are made of them."""

    name: str
    #: those of some of them for whom it has something
    left: Callable[[Sequence[str]], list[str]]
    #: has it take that away
    release: Callable[[str], None]
    #: of how many it is asked at a time
    page: int
    #: seconds between two rounds
    every: int
    #: for what it makes something, and the rows of that
    kinds: tuple[Kind, ...] = (Kind.CONTAINER, Kind.CAPSULE)
    rows: tuple[type[Entity], ...] = (Container, Sandbox)


def of_network(network: Network, every: int) -> list[Maker]:
    """The network service; nobody where all is on the hosts."""
    if network.attachment == "engine":
        return []
    return [Maker("the network service", network.left, network.release, PAGE, every)]


def of_volumes(volumes: Volumes, every: int) -> list[Maker]:
    """The volume service."""
    return [Maker("the volume service", volumes.begun, volumes.give_up, LONG_PAGE, every)]


def of_images(images: Images, every: int) -> list[Maker]:
    """The image service."""
    return [Maker("the image service", images.begun, images.give_up, PAGE, every, (Kind.IMAGE,), (Image,))]


class Latecomers:
    """The rounds over all makers. Several may run at once, each step may be repeated."""

    def __init__(self, store: Store, makers: Sequence[Maker], *, clock: Clock) -> None:
        self._searches = [_Search(store, maker, clock) for maker in makers]

    def run(self) -> None:
        """One round with each maker whose last one was a while ago. Who does not answer keeps no other waiting."""
        for search in self._searches:
            search.run()


class _Search:
    """Each deletion is looked at in every round until it is ``LATE`` ago; those of which events are kept when a life begins, too."""

    def __init__(self, store: Store, maker: Maker, clock: Clock) -> None:
        self._store = store
        self._maker = maker
        self._clock = clock
        self._every = timedelta(seconds=maker.every)
        self._next: datetime | None = None
        #: the last event before which nothing needs to be looked at any more
        self._settled = 0
        #: where a round has come to that has more to look at
        self._reached: int | None = None
        #: of whom there is something that could not be taken away
        self._stubborn: set[str] = set()

    def run(self) -> None:
        """One round, or what it has the time for: the rest is the next call's."""
        now = self._clock()
        if self._next is not None and now < self._next:
            return
        try:
            ended = self._round(now)
        except errors.ZunError as error:
            LOG.warning("what came too late of %s is looked for later: %s", self._maker.name, error)
            ended = True
        self._next = now + self._every if ended else None

    def _round(self, now: datetime) -> bool:
        """Whether all has been looked at."""
        if self._reached is None:
            for begin in range(0, len(stubborn := sorted(self._stubborn)), self._maker.page):
                self._look(stubborn[begin : begin + self._maker.page])
            self._reached = self._settled
        for _ in range(PAGES):
            with self._store.read() as tx:
                deleted = {"what": What.DELETED, "kind": self._maker.kinds, "id": Above(self._reached)}
                page = tx.find(Event, deleted, Page(limit=self._maker.page))
            if not page:
                self._reached = None
                return True
            self._look([event.resource_uuid for event in page])
            old = [event.id for event in page if event.created_at is not None and now - event.created_at > LATE]
            self._settled = max([self._settled, *old])
            self._reached = page[-1].id
        return False

    def _look(self, devices: list[str]) -> None:
        found = self._maker.left(devices)
        self._stubborn.difference_update(devices)
        for device in found:
            if self._is_known(device):
                continue
            LOG.warning("%s is deleted, and %s has made something for it since: it is given back", device, self._maker.name)
            try:
                self._maker.release(device)
            except errors.ZunError as error:
                # It does not keep the others waiting.
                LOG.warning("what was made for %s is given back later: %s", device, error)
                self._stubborn.add(device)

    def _is_known(self, device: str) -> bool:
        with self._store.read() as tx:
            return any(tx.get(entity, device) is not None for entity in self._maker.rows)
