"""Keeping Placement in line with the rows: what a row says is what shall be allocated, and nothing else of ours.

Whoever changes a row says so (:meth:`Reconciler.follow`); and every so often all is compared, because words are lost, processes die, and
others write to Placement, too. Both end in :meth:`Reconciler.settle`, which reads the allocation first, the rows then, and writes only
if nobody has written since: so it never takes away what was claimed after it had looked (ADR 27).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec

from zun import errors
from zun.domain.action import OPEN, Action
from zun.domain.claim import Claim, claim_of
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Host, Service
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory import words
from zun.drivers.inventory.providers import TRIES, Providers
from zun.drivers.inventory.rest import CONSUMER_TYPE, Amounts, Changed, Rest
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)


class Amiss(msgspec.Struct, frozen=True, kw_only=True):
    """What Placement had otherwise than the rows."""

    consumer: str
    #: "leaked": no row takes it; "missing": only a row does; "different": other amounts, or another host
    what: str
    host: str


class Reconciler:
    """The round over what is taken. There may be several, in processes of their own."""

    def __init__(
        self, store: Store, rest: Rest, providers: Providers, *, clock: Callable[[], datetime], every: float, poke: Callable[[], None]
    ) -> None:
        """All is compared every so many seconds; ``poke`` has :meth:`run` called at once."""
        self._store = store
        self._rest = rest
        self._providers = providers
        self._clock = clock
        self._every = timedelta(seconds=every)
        self._poke = poke
        self._compared: datetime | None = None
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        #: what the last comparison found amiss; it may have been on its way
        self._suspected: set[str] = set()
        #: consumers on hosts that we share which are none of ours
        self._others: set[str] = set()

    def follow(self, consumer: str) -> None:
        """Look at this consumer soon. Does not wait."""
        with self._lock:
            self._waiting.add(consumer)
        self._poke()

    def run(self) -> None:
        """One round: the hosts, who was named since the last one, and from time to time everybody. What cannot be done while Placement is
        away is done by the next round."""
        try:
            self._round()
        except errors.InventoryUnavailable as away:
            LOG.warning("allocations are not looked after just now: %s", away)

    def _round(self) -> None:
        now = self._clock()
        due = self._compared is None or now - self._compared >= self._every
        self.keep_hosts(again=due)
        while self._waiting:
            with self._lock:
                consumer = next(iter(self._waiting))
                self._waiting.discard(consumer)
            try:
                self._settled(consumer)
            except errors.ZunError:
                with self._lock:
                    self._waiting.add(consumer)
                raise
        if due:
            self._compare()
            self._compared = now
        # Last, when what was on them has been given back.
        with self._store.read() as tx:
            hosts = tx.find(Host)
        self._providers.leave(hosts)

    def keep_hosts(self, *, again: bool = False) -> None:
        """Have Placement know every host as its row says; ``again`` where others may have changed what was written down."""
        with self._store.read() as tx:
            disabled = {service.host: service.disabled for service in tx.find(Service, {"binary": COMPUTE})}
            hosts = tx.find(Host)
        self._providers.ready()
        self._providers.keep([(host, disabled.get(host.hostname, True)) for host in hosts], again=again)

    # -- everybody -------------------------------------------------------------------------------

    def audit(self) -> list[Amiss]:
        """All that is amiss just now; something may be on its way. Raises InventoryUnavailable."""
        return list(self._amiss())

    def heal(self) -> list[Amiss]:
        """Put right all that is amiss. Returns what was. Raises InventoryUnavailable."""
        return [found for found in self._amiss() if self._settled(found.consumer)]

    def _compare(self) -> None:
        """Put right what is amiss, and was at the last comparison: what is on its way needs no help."""
        found = list(self._amiss())
        for amiss in found:
            if amiss.consumer in self._suspected:
                self._settled(amiss.consumer)
        self._suspected = {amiss.consumer for amiss in found}

    def _amiss(self) -> Iterator[Amiss]:
        with self._store.read() as tx:
            hosts = tx.find(Host)
        seen: set[str] = set()
        for host in hosts:
            try:
                provider = self._providers.of(host)
            except errors.InventoryUnavailable:
                continue
            allocated = self._rest.consumers(provider)
            with self._store.read() as tx:
                claimed = {claim.consumer: claim for claim in _claims_on(tx, host.hostname)}
            for consumer, takes in allocated.items():
                seen.add(consumer)
                claim = claimed.get(consumer)
                if claim is None and self._is_leaked(consumer):
                    yield Amiss(consumer=consumer, what="leaked", host=host.hostname)
                elif claim is not None and words.amounts(claim.takes) != takes:
                    yield Amiss(consumer=consumer, what="different", host=host.hostname)
            for consumer in claimed.keys() - allocated.keys():
                yield Amiss(consumer=consumer, what="missing", host=host.hostname)
        self._others &= seen

    def _is_leaked(self, consumer: str) -> bool:
        """Whether what no row takes of a host was ours: Nova's instances, and others', are never touched."""
        if consumer in self._others:
            return False
        current = self._rest.allocation(consumer)
        if current is not None and current.consumer_type != CONSUMER_TYPE:
            self._others.add(consumer)
            return False
        with self._store.read() as tx:
            return current is not None and not _is_on_its_way(tx, consumer)

    # -- one consumer ----------------------------------------------------------------------------

    def _settled(self, consumer: str) -> bool:
        """As :meth:`settle`; what Placement refuses is logged, because nobody can help it but an operator."""
        try:
            return self.settle(consumer)
        except errors.ClaimRefused as refused:
            LOG.error("container or capsule %s takes more of its host than Placement has free: %s", consumer, refused)
            return False

    def settle(self, consumer: str) -> bool:
        """Have Placement say of a consumer what its row says. Returns whether it said something else.

        Raises InventoryUnavailable; ClaimRefused where there is no room for it.
        """
        for _ in range(TRIES):
            current = self._rest.allocation(consumer)
            if current is not None and current.consumer_type != CONSUMER_TYPE:
                return False
            with self._store.read() as tx:
                if _is_on_its_way(tx, consumer):
                    return False
                claim, host = _claim(tx, consumer)
            wanted: Amounts = {self._providers.of(host): words.amounts(claim.takes)} if claim is not None and host is not None else {}
            if wanted == (current.takes if current is not None else {}):
                return False
            owner = (claim.project_id, claim.user_id) if claim is not None else ("-", "-")
            try:
                self._rest.allocate(consumer, wanted, owner, None if current is None else current.generation)
            except Changed:
                continue
            LOG.info("Placement says now of %s what its row says: %s", consumer, wanted or "nothing")
            return True
        raise errors.InventoryUnavailable(reason=f"consumer {consumer} is being changed by others")


def _claims_on(tx: Transaction, hostname: str) -> Iterator[Claim]:
    """What the sandboxes of a host take of it."""
    containers = {container.sandbox_uuid: container.uuid for container in tx.find(Container, {"host": hostname})}
    for sandbox in tx.find(Sandbox, {"host": hostname}):
        if sandbox.capsule or sandbox.uuid in containers:
            yield claim_of(sandbox, containers.get(sandbox.uuid, ""), hostname)


def _sandbox(tx: Transaction, consumer: str) -> Sandbox | None:
    """The sandbox that a user knows by this uuid."""
    container = tx.get(Container, consumer)
    if container is not None and not container.capsule:
        return tx.get(Sandbox, container.sandbox_uuid)
    sandbox = tx.get(Sandbox, consumer)
    return sandbox if sandbox is not None and sandbox.capsule else None


def _claim(tx: Transaction, consumer: str) -> tuple[Claim | None, Host | None]:
    sandbox = _sandbox(tx, consumer)
    if sandbox is None or sandbox.host is None:
        return None, None
    host = next(iter(tx.find(Host, {"hostname": sandbox.host})), None)
    return claim_of(sandbox, consumer, sandbox.host), host


def _is_on_its_way(tx: Transaction, consumer: str) -> bool:
    """Whether a host is still being found for it: what is claimed meanwhile is in no row yet."""
    sandbox = _sandbox(tx, consumer)
    if sandbox is None or sandbox.host is not None:
        return False
    return any(action.action == "create" for action in tx.find(Action, {"sandbox_uuid": sandbox.uuid, "state": OPEN}))
