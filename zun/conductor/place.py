"""Placing: a host for every sandbox that was accepted.

A host is chosen, and the sandbox's claim on it made, outside of any transaction; then the row is written, if there is room by our own
account, and nobody has decided otherwise meanwhile. A claim that no row came of is followed, and so given back (ADR 27).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from zun import errors
from zun.conductor import claims, cores, journal, wanted
from zun.conductor.journal import Clock
from zun.domain import scheduling
from zun.domain.action import Action, ActionState
from zun.domain.claim import claim_of, taken_by
from zun.domain.host import COMPUTE, Service
from zun.domain.lifecycle import Unplaced
from zun.domain.sandbox import Sandbox, device_of
from zun.domain.scheduling import Candidate, Rules
from zun.interfaces.inventory import Inventory
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)

#: seconds that a sandbox waits for an inventory that does not answer, since its creation was accepted
PATIENCE = 300.0


class Place:
    """Finds hosts for the actions that have none. Several may run at once: what is decided is written in one transaction."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        *,
        clock: Clock,
        poke: Callable[[str], None],
        rules: Rules | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """After ``patience`` seconds in which the inventory could not be asked, a sandbox is given up."""
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._poke = poke
        self._rules = rules
        self._patience = timedelta(seconds=patience)

    def run(self) -> None:
        """Place everything that waits, and poke the hosts that got work. One bad row does not keep the others waiting; who is not asked
        because the inventory has just not answered waits for the next round."""
        with self._store.read() as tx:
            waiting = tx.find(Action, {"host": None, "state": ActionState.QUEUED})
        away: errors.InventoryUnavailable | None = None
        for action in waiting:
            try:
                host = self._place(action, away)
            except errors.InventoryUnavailable as silent:
                LOG.warning("action %s could not be placed; it stays queued: %s", action.uuid, silent)
                away = silent
                continue
            except errors.ZunError:
                LOG.exception("action %s could not be placed; it stays queued", action.uuid)
                continue
            if host is not None:
                journal.nudge(self._poke, host)

    def _place(self, action: Action, away: errors.InventoryUnavailable | None) -> str | None:
        """Decide on one action. Returns the host whose work it is now, or None. Raises InventoryUnavailable."""
        with self._store.read() as tx:
            sandbox = tx.get(Sandbox, action.sandbox_uuid)
        if sandbox is None or sandbox.host is not None:
            return self._store.settle(partial(self._write, action_uuid=action.uuid, candidate=None))
        try:
            if away is not None:
                raise away
            return self._choose(action, sandbox)
        except errors.NoValidHost as none_left:
            self._store.settle(partial(self._give_up, action_uuid=action.uuid, reason=str(none_left)))
        except errors.InventoryUnavailable as silent:
            if self._clock() - (action.start_time or self._clock()) < self._patience:
                raise
            self._store.settle(partial(self._give_up, action_uuid=action.uuid, reason=f"No host could be chosen: {silent}"))
        return None

    def _choose(self, action: Action, sandbox: Sandbox) -> str | None:
        """Raises NoValidHost, InventoryUnavailable."""
        candidates = self._inventory.candidates(sandbox, device_of(sandbox, action.container_uuid or ""))
        with self._store.read() as tx:
            asked = wanted.of(tx, sandbox)
        try:
            chosen = scheduling.choose(asked, candidates, self._rules)
        except errors.NoValidHost:
            if scheduling.may_come(asked, candidates, self._rules):
                LOG.info("action %s waits: nothing has been heard of the hosts that could do it for too short a time", action.uuid)
                return None
            raise
        taken = ""
        for candidate in chosen:
            claim = claim_of(sandbox, action.container_uuid or "", candidate.host.hostname)
            try:
                self._inventory.claim(claim)
                placed = self._store.settle(partial(self._write, action_uuid=action.uuid, candidate=candidate))
            except errors.InsufficientCapacity as full:
                LOG.info("sandbox %s: %s", sandbox.uuid, full)
                taken = f"Host {claim.host} was filled by somebody else."
                continue
            except errors.ZunError:
                # Whether it was claimed, or written, is not known.
                self._inventory.follow(claim.consumer)
                raise
            if placed != claim.host:
                self._inventory.follow(claim.consumer)
            return placed
        raise errors.NoValidHost(reason=taken)

    def _write(self, tx: Transaction, action_uuid: str, candidate: Candidate | None) -> str | None:
        """Give the action to the host of its sandbox: to the claimed candidate, where nobody was faster. Returns that host, or None
        where nothing is to be placed any more. Raises InsufficientCapacity, also where it is no candidate any more."""
        action, sandbox = self._waiting(tx, action_uuid)
        if action is None or sandbox is None:
            return None
        if sandbox.host is None:
            if candidate is None:
                return None
            sandbox = tx.save(self._placed(tx, sandbox, candidate))
        tx.save(replace(action, host=sandbox.host))
        return sandbox.host

    def _placed(self, tx: Transaction, sandbox: Sandbox, candidate: Candidate) -> Sandbox:
        """The sandbox on this host, which is locked from here on. Raises InsufficientCapacity."""
        host = candidate.host.hostname
        try:
            self._inventory.check(tx, sandbox, host, taken_by(sandbox))
            service = next(iter(tx.find(Service, {"host": host, "binary": COMPUTE})), None)
            now = dataclasses.replace(candidate, disabled=service is None or service.disabled)
            scheduling.choose(wanted.of(tx, sandbox), [now], self._rules)
        except (errors.HostNotFound, errors.NoValidHost) as closed:
            raise errors.InsufficientCapacity(host=host, resource="new containers", requested=1, free=0) from closed
        return replace(sandbox, host=host, cpuset=cores.pick(tx, sandbox, host))

    def _waiting(self, tx: Transaction, action_uuid: str) -> tuple[Action | None, Sandbox | None]:
        """The action, while nobody has placed or ended it, and its sandbox."""
        action = tx.get(Action, action_uuid)
        if action is None or action.host is not None or action.state is not ActionState.QUEUED:
            return None, None
        sandbox = tx.get(Sandbox, action.sandbox_uuid)
        if sandbox is None:
            tx.drop(action)
        return action, sandbox

    def _give_up(self, tx: Transaction, action_uuid: str, reason: str) -> None:
        action, sandbox = self._waiting(tx, action_uuid)
        if action is None or sandbox is None or sandbox.host is not None:
            return
        claims.followed(tx, self._inventory, sandbox, action.container_uuid or "")
        containers = [journal.apply(tx, container, Unplaced(reason)) for container in journal.concerned(tx, action)]
        journal.end(tx, action, self._clock(), containers, failed=True, reason=reason)
