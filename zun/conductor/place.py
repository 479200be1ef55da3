"""Placing: a host for every sandbox that was accepted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from zun import errors
from zun.conductor import cores, journal, wanted
from zun.conductor.journal import Clock
from zun.domain import scheduling
from zun.domain.action import Action, ActionState
from zun.domain.lifecycle import Unplaced
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate, Rules
from zun.interfaces.inventory import Inventory
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)


class Place:
    """Finds hosts for the actions that have none. Several may run at once: a decision is one transaction."""

    def __init__(
        self, store: Store, inventory: Inventory, *, clock: Clock, poke: Callable[[str], None], rules: Rules | None = None
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._poke = poke
        self._rules = rules

    def run(self) -> None:
        """Place everything that waits, and poke the hosts that got work. One bad row does not keep the others waiting."""
        with self._store.read() as tx:
            waiting = tx.find(Action, {"host": None, "state": ActionState.QUEUED})
        for action in waiting:
            try:
                host = self._store.settle(partial(self._place, action_uuid=action.uuid))
            except errors.ZunError:
                LOG.exception("action %s could not be placed; it stays queued", action.uuid)
                continue
            if host is not None:
                journal.nudge(self._poke, host)

    def _place(self, tx: Transaction, action_uuid: str) -> str | None:
        """Decide on one action. Returns the host whose work it is now, or None."""
        action = tx.get(Action, action_uuid)
        if action is None or action.host is not None or action.state is not ActionState.QUEUED:
            return None
        sandbox = tx.get(Sandbox, action.sandbox_uuid)
        if sandbox is None:
            tx.drop(action)
            return None
        if sandbox.host is None:
            try:
                placed = self._placed(tx, sandbox)
            except errors.NoValidHost as none_left:
                self._give_up(tx, action, str(none_left))
                return None
            if placed is None:
                LOG.info("action %s waits: nothing has been heard of the hosts that could do it for too short a time", action.uuid)
                return None
            sandbox = tx.save(placed)
        tx.save(replace(action, host=sandbox.host))
        return sandbox.host

    def _placed(self, tx: Transaction, sandbox: Sandbox) -> Sandbox | None:
        """The sandbox on a host; None where there may be one for it, once it is heard of. Raises NoValidHost."""
        full: Candidate | None = None
        needed, candidates = wanted.of(tx, sandbox), self._inventory.candidates(tx)
        try:
            chosen = scheduling.choose(needed, candidates, self._rules)
        except errors.NoValidHost:
            if scheduling.may_come(needed, candidates, self._rules):
                return None
            raise
        for candidate in chosen:
            host = candidate.host.hostname
            try:
                self._inventory.claim(tx, sandbox, host)
                return replace(sandbox, host=host, cpuset=cores.pick(tx, sandbox, host))
            except errors.InsufficientCapacity:
                full = candidate
        raise errors.NoValidHost(reason=f"Host {full.host.hostname if full else '-'} was filled by somebody else.")

    def _give_up(self, tx: Transaction, action: Action, reason: str) -> None:
        containers = [journal.apply(tx, container, Unplaced(reason)) for container in journal.concerned(tx, action)]
        journal.end(tx, action, self._clock(), containers, failed=True, reason=reason)
