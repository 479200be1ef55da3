"""Handing work to hosts and writing down how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from zun import errors
from zun.conductor import claims, drain, journal, leavings, limits, telling
from zun.conductor.image_desk import ImageDesk
from zun.conductor.journal import Clock
from zun.conductor.vault import Vault
from zun.domain.action import OPEN, Action, ActionState
from zun.domain.container import Container, rebuilt
from zun.domain.event import What
from zun.domain.lifecycle import Claimed as ClaimedEvent
from zun.domain.lifecycle import Done, EngineState, Failed
from zun.domain.sandbox import Sandbox
from zun.interfaces.inventory import Inventory
from zun.interfaces.rpc import Claimed, ImageWork, Outcome, Work
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)

#: Seconds before an undoing that failed is tried again: doubled with every attempt, up to the second figure.
UNDO_AGAIN = (2.0, 300.0)

#: From this attempt on, work is handed out again only after the same waits.
PATIENT_ATTEMPTS = 3


class Desk(ImageDesk):
    """Implements :class:`zun.interfaces.rpc.Conductor`: the queue of every host here, the news of hosts in the base class."""

    def __init__(
        self, store: Store, inventory: Inventory, *, clock: Clock, poke: Callable[[str | None], None], vault: Vault | None = None
    ) -> None:
        """Without a ``vault`` no password of a registry can be opened."""
        super().__init__(store, clock=clock, poke=poke)
        self._inventory = inventory
        self._vault = vault or Vault(lambda: ())

    def claim(self, host: str, epoch: str, in_hand: list[str], limit: int) -> Claimed:
        """Hand out the oldest open action of every sandbox of the host, unless it is in hand already."""
        with self._store.read() as tx:
            if not self._living(tx, host, epoch):
                raise errors.Superseded(host=host)
            actions = tx.find(Action, {"host": host, "state": OPEN})
        heads: dict[str, Action] = {}
        cancelled = []
        for action in actions:
            head = heads.setdefault(action.sandbox_uuid, action)
            if action.action == "delete" and _overtakes(action, head) and head.uuid in in_hand:
                cancelled.append(head.uuid)
        now = self._clock()
        ready = [head for head in heads.values() if head.uuid not in in_hand and _due(head, now)]
        work = [self._store.settle(partial(self._hand_out, head=head, epoch=epoch)) for head in ready[:limit]]
        return Claimed(
            work=[item for item in work if isinstance(item, Work)],
            images=[item for item in work if isinstance(item, ImageWork)],
            cancelled=cancelled,
        )

    def _hand_out(self, tx: Transaction, head: Action, epoch: str) -> Work | ImageWork | None:
        action = tx.get(Action, head.uuid)
        sandbox = tx.get(Sandbox, head.sandbox_uuid)
        if action is None or action.state is ActionState.DONE or action.host != head.host:
            return None
        if sandbox is None and action.image_uuid is None:
            return None
        state = action.state if action.state is ActionState.UNDOING else ActionState.CLAIMED
        attempts = action.attempts + 1
        # Work that comes back again and again (it ends its agent, or its outcome is refused) must not come back without a pause.
        later = self._again(attempts) if attempts >= PATIENT_ATTEMPTS else None
        action = tx.save(replace(action, state=state, epoch=epoch, attempts=attempts, not_before=later))
        if sandbox is None:
            return self._hand_out_image(tx, action)
        if state is ActionState.CLAIMED:
            claimed = [journal.apply(tx, one, ClaimedEvent(action.action), action.request_id) for one in journal.concerned(tx, action)]
            if attempts == 1:
                telling.of_action(tx, What.STARTED, action, claimed)
        return Work(action=drain.hurried(tx, action, self._clock()), charge=journal.charge(tx, sandbox))

    def finish(self, host: str, epoch: str, outcome: Outcome, number: int = 0) -> None:
        """Write down how an action ended. An outcome of another epoch, or of an action that has ended already, is nobody's news."""
        if self._store.settle(lambda tx: self._finish(tx, host, epoch, outcome, number)):
            journal.nudge(self._poke, host)

    def _again(self, attempts: int) -> datetime:
        return self._clock() + timedelta(seconds=min(UNDO_AGAIN[0] * 2 ** min(attempts, 16), UNDO_AGAIN[1]))

    def _finish(self, tx: Transaction, host: str, epoch: str, outcome: Outcome, number: int) -> bool:
        """Returns whether there is new work for the host."""
        # Whether it is late is for its action to say; what was seen before it is old news from now on.
        self._hears(tx, host, epoch, number)
        action = tx.get(Action, outcome.action_uuid)
        if action is None or action.state is ActionState.DONE or action.host != host or action.epoch != epoch:
            return False
        if action.image_uuid is not None:
            return self._finish_image(tx, action, outcome, self._again(action.attempts))
        containers = journal.concerned(tx, action)
        if not containers:
            tx.drop(action)
            return False
        if outcome.reason is None and action.action == "delete":
            telling.of_action(tx, What.FINISHED, action, containers)
            for container in containers:
                if outcome.leftovers:
                    leavings.forget(tx, container, self._inventory, host=host)
                else:
                    journal.erase(tx, container, self._inventory)
            return bool(journal.open_actions(tx, action.sandbox_uuid))
        if outcome.sandbox is not None:
            journal.record_sandbox(tx, outcome.sandbox)
        ended = [(container, False) for container in containers]
        if action.state is not ActionState.UNDOING:
            ended = [self._advance(tx, action, container, outcome) for container in containers]
        self._end(tx, action, outcome, [container for container, _ in ended])
        # After a create or rebuild that failed, nothing is lost and nothing to be removed: its user is to see why it failed.
        if outcome.reason is None or action.action not in ("create", "rebuild"):
            for container, missing in ended:
                journal.follow(tx, container, missing=missing, now=self._clock())
        drain.follow(tx, action.sandbox_uuid, self._clock())
        journal.proceed(tx, action.sandbox_uuid, self._clock())
        return bool(journal.open_actions(tx, action.sandbox_uuid))

    def _advance(self, tx: Transaction, action: Action, container: Container, outcome: Outcome) -> tuple[Container, bool]:
        """Write what the outcome makes of the container. Returns it, and whether the engine has lost it."""
        observed = next((seen for seen in outcome.observations if seen.container_uuid == container.uuid), None)
        if container.uuid in outcome.ports:
            named = outcome.ports[container.uuid]
            container = tx.save(replace(container, ports=sorted({*container.ports, *named}) if container.capsule else named))
        if outcome.reason is None and outcome.digests.get(container.uuid, container.image_digest) != container.image_digest:
            container = tx.save(replace(container, image_digest=outcome.digests[container.uuid]))
        # The image is another one once the object that was made of it is the one that is left.
        made = outcome.reason is None or (observed is not None and observed.revision == container.revision)
        if action.action == "rebuild" and made and rebuilt(container, action.arguments) != container:
            container = journal.change(tx, container, rebuilt(container, action.arguments), action.request_id)
        event: Done | Failed = Done(action.action, observed)
        if outcome.reason is not None:
            if action.action == limits.VERB:
                container = limits.give_back(tx, action) or container
            event = Failed(action.action, outcome.reason, observed)
        container = journal.apply(tx, container, event, action.request_id)
        return container, observed is not None and observed.state is EngineState.MISSING

    def _end(self, tx: Transaction, action: Action, outcome: Outcome, containers: list[Container]) -> None:
        undoing = action.state is ActionState.UNDOING
        failed = outcome.reason is not None or undoing
        events = action.events if undoing else outcome.events
        if outcome.leftovers:
            again = self._again(action.attempts)
            left = {"state": ActionState.UNDOING, "epoch": None, "not_before": again, "events": events}
            journal.end(tx, action, self._clock(), containers, failed=True, reason=outcome.reason, **left)
            LOG.warning("action %s could not undo %s; it will be tried again", action.uuid, ", ".join(outcome.leftovers))
            return
        journal.end(tx, action, self._clock(), containers, failed=failed, reason=outcome.reason, events=events)
        if action.action == limits.VERB:
            limits.ended(tx, action)
            self._follow(tx, containers)
        if action.action == "create" and failed:
            self._leave_host(tx, action)

    def _follow(self, tx: Transaction, containers: list[Container]) -> None:
        for container in containers:
            sandbox = tx.get(Sandbox, container.sandbox_uuid)
            if sandbox is not None:
                claims.followed(tx, self._inventory, sandbox, container.uuid)

    def _leave_host(self, tx: Transaction, action: Action) -> None:
        """A create that failed has left nothing on its host; so the sandbox leaves it, unless others live there or more work waits."""
        sandbox = tx.get(Sandbox, action.sandbox_uuid)
        if sandbox is None or sandbox.host is None or journal.open_actions(tx, sandbox.uuid):
            return
        if action.container_uuid is not None and tx.count(Container, {"sandbox_uuid": sandbox.uuid}) > 1:
            return
        claims.followed(tx, self._inventory, sandbox, action.container_uuid or "")
        tx.save(replace(sandbox, host=None, cpuset=[], addresses={}, engine_id=None))


def _due(action: Action, now: datetime) -> bool:
    """Whether the action may be handed out. A wait longer than any that is ever asked for began before the clock was set back."""
    if action.not_before is None or action.not_before <= now:
        return True
    return action.not_before > now + timedelta(seconds=UNDO_AGAIN[1])


def _overtakes(delete: Action, head: Action) -> bool:
    """Whether a deletion makes the work before it needless; another deletion it does not, that is the same wish."""
    if delete.image_uuid is not None:
        return head.action == "pull"
    return head.action != "delete" and delete.container_uuid in (None, head.container_uuid)
