"""Carrying a drain through: what a host that is taken out of service has running is stopped, and started again when it is back (ADR 0018).

That a host is drained is a state of its service's row. What follows from it is decided anew for one sandbox at a time, in a transaction of
its own: by a round over the whole host, at once and with every sweep, and by the end of whatever work was under way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from zun import errors
from zun.conductor import journal
from zun.conductor.journal import Clock
from zun.domain import drain
from zun.domain.action import OPEN, Action, ActionState
from zun.domain.capsule import in_order
from zun.domain.container import Container
from zun.domain.drain import Need
from zun.domain.host import COMPUTE, DrainState, Service, is_up
from zun.domain.lifecycle import VERBS, Accepted, Desired
from zun.domain.sandbox import Sandbox
from zun.interfaces.rpc import Agents
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)

#: the host is told of its work after so many sandboxes, rather than after the last
TOLD_AFTER = 20

#: seconds that an engine gives a container to end for which nobody says otherwise
ENGINE_GRACE = 10


class Drain:
    """Goes over the hosts that are drained, or are back and have containers to start."""

    def __init__(self, store: Store, *, clock: Clock, poke: Callable[[str | None], None], agents: Agents, down_time: int) -> None:
        """``poke`` is heard by the host that it names, or by who places sandboxes; after ``down_time`` seconds of silence a host is asked
        nothing."""
        self._store = store
        self._clock = clock
        self._poke = poke
        self._agents = agents
        self._down_time = down_time
        #: hosts of which it was said that nothing is left
        self._empty: set[str] = set()

    def run(self) -> None:
        """One round. What cannot be done now is done in the next one."""
        with self._store.read() as tx:
            services = tx.find(Service, {"binary": COMPUTE, "drain_state": tuple(DrainState)})
            found = [(service, sorted(_of_interest(tx, service))) for service in services]
            left = {service.host: count(tx, service) for service in services}
            overdue = [one for service in services if self._is_late(service) for one in _overdue(tx, service)]
        for service, sandboxes in found:
            self._go_over(service.host, sandboxes)
        for container in overdue:
            self._end(container)
        self._empty &= left.keys()
        for service in services:
            if service.drain_state is DrainState.RESTARTING:
                self._settle(service.host, partial(_finish, host=service.host))
            elif service.drain_state is DrainState.DRAINING:
                self._say(service.host, left[service.host])

    def _is_late(self, service: Service) -> bool:
        """Whether nobody is given time any more on a host that can be asked."""
        now = self._clock()
        late = service.drain_state is DrainState.DRAINING and service.drain_deadline is not None and service.drain_deadline <= now
        return late and is_up(service, now, self._down_time)

    def _end(self, container: Container) -> None:
        """End a container for whose end its host waits: it had begun to wait before the drain, or with another deadline."""
        try:
            LOG.info("container %s has not ended by the deadline of its host's drain: it is killed", container.uuid)
            self._agents.on(container.host or "").end(container.uuid)
        except errors.ZunError as error:
            LOG.warning("container %s could not be killed: %s", container.uuid, error)

    def _say(self, host: str, left: int) -> None:
        if left:
            LOG.info("host %s is being drained: %d of its containers are still to be stopped", host, left)
            self._empty.discard(host)
        elif host not in self._empty:
            self._empty.add(host)
            LOG.info("host %s is drained: none of its containers runs", host)

    def _go_over(self, host: str, sandboxes: Sequence[str]) -> None:
        placing = False
        for number, uuid in enumerate(sandboxes, 1):
            placing |= bool(self._settle(uuid, partial(self._one, host=host, sandbox_uuid=uuid)))
            if number % TOLD_AFTER == 0 or number == len(sandboxes):
                journal.nudge(self._poke, host)
        if placing:
            journal.nudge(self._poke, None)

    def _settle(self, what: str, decide: Callable[[Transaction], bool]) -> bool:
        """One transaction. An error of one does not keep the others waiting."""
        try:
            return self._store.settle(decide)
        except errors.ZunError:
            LOG.exception("the drain could not go on with %s", what)
            return False

    def _one(self, tx: Transaction, host: str, sandbox_uuid: str) -> bool:
        """Returns whether the sandbox is to be placed anew."""
        service, sandbox = _drained(tx, host), tx.get(Sandbox, sandbox_uuid)
        if service is None or sandbox is None or sandbox.host != host:
            return False
        waiting = journal.open_actions(tx, sandbox_uuid)
        if service.drain_state is DrainState.DRAINING and _has_not_begun(sandbox, waiting):
            # Nothing of it is on this host yet: another one may have it, and if there is none its user is told.
            tx.save(replace(sandbox, host=None, cpuset=[]))
            tx.save(replace(waiting[0], host=None))
            return True
        _decide(tx, service, sandbox, waiting, self._clock(), again=True)
        if service.drain_state is DrainState.RESTARTING:
            journal.proceed(tx, sandbox_uuid, self._clock())
        return False


def _drained(tx: Transaction, host: str | None) -> Service | None:
    """The service of a host, while it is drained or its containers are started again."""
    found = tx.find(Service, {"host": host, "binary": COMPUTE}) if host is not None else []
    return found[0] if found and found[0].drain_state is not None else None


def _has_not_begun(sandbox: Sandbox, waiting: Sequence[Action]) -> bool:
    """Whether the sandbox is to be made, and no host has begun. One more container of a capsule must be where the others are."""
    if len(waiting) != 1:
        return False
    (action,) = waiting
    whole = action.container_uuid is None or not sandbox.capsule
    return whole and _is_unbegun(action)


def _is_unbegun(action: Action) -> bool:
    return action.action == "create" and action.state is ActionState.QUEUED and action.attempts == 0


def _of_interest(tx: Transaction, service: Service) -> set[str]:
    """The sandboxes of the host in which something is to be done."""
    if service.drain_state is DrainState.RESTARTING:
        return {container.sandbox_uuid for container in _marked(tx, service)}
    waiting = _by_sandbox(tx, service.host)
    found = {uuid for uuid, actions in waiting.items() if any(_is_unbegun(action) for action in actions)}
    for container in tx.find(Container, {"host": service.host}):
        if drain.to_stop(container, _on(container, waiting.get(container.sandbox_uuid, ())), again=True) is not Need.NOTHING:
            found.add(container.sandbox_uuid)
    return found


def _by_sandbox(tx: Transaction, host: str) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = {}
    for action in tx.find(Action, {"host": host, "state": OPEN}):
        found.setdefault(action.sandbox_uuid, []).append(action)
    return found


def _on(container: Container, waiting: Sequence[Action]) -> list[Action]:
    return [action for action in waiting if action.container_uuid in (None, container.uuid)]


def _marked(tx: Transaction, service: Service) -> list[Container]:
    return tx.find(Container, {"host": service.host, "drained": service.drain_id}) if service.drain_id else []


def _overdue(tx: Transaction, service: Service) -> list[Container]:
    waiting = _by_sandbox(tx, service.host)
    living = tx.find(Container, {"host": service.host, "status": tuple(drain.LIVING)}) if waiting else []
    return [one for one in living if drain.is_overdue(one, _on(one, waiting.get(one.sandbox_uuid, ())))]


def _finish(tx: Transaction, host: str) -> bool:
    service = _drained(tx, host)
    if service is not None and service.drain_state is DrainState.RESTARTING and not count(tx, service):
        tx.save(replace(service, drain_state=None))
        LOG.info("host %s is back: what its drain had stopped is started again", host)
    return False


# -- what others ask ------------------------------------------------------------------------------


def count(tx: Transaction, service: Service) -> int:
    """How many containers of the host are still to be stopped (those that run, or may for all that is known, or are about to), or to be
    started again."""
    if service.drain_state is DrainState.RESTARTING:
        return len(_marked(tx, service))
    if service.drain_state is None:
        return 0
    starts = tx.find(Action, {"host": service.host, "state": OPEN, "action": tuple(drain.STARTING)})
    started = [tx.get(Container, action.container_uuid or "") for action in starts]
    about_to = {one.uuid for one in started if one is not None and one.status not in drain.LIVING}
    return tx.count(Container, {"host": service.host, "status": tuple(drain.LIVING)}) + len(about_to)


def follow(tx: Transaction, sandbox_uuid: str, now: datetime) -> None:
    """Work in a sandbox has ended: what its host's drain makes of it now. Nothing on a host that is not drained."""
    sandbox = tx.get(Sandbox, sandbox_uuid)
    service = _drained(tx, sandbox.host) if sandbox is not None else None
    if service is not None and sandbox is not None:
        _decide(tx, service, sandbox, journal.open_actions(tx, sandbox_uuid), now, again=False)


def refuse(tx: Transaction, host: str | None, verb: str, what: str, uuid: str) -> None:
    """Raises HostDraining where a verb would have a container run on a host that is drained."""
    service = _drained(tx, host)
    if service is not None and service.drain_state is DrainState.DRAINING:
        raise errors.HostDraining(verb=verb, what=what, id=uuid)


def heard(tx: Transaction, container: Container, verb: str, desired: Desired | None) -> Container:
    """What a user's verb means to the drain: one that has the container run is refused on a host that is drained, and whoever says whether
    it is to run says it instead of the drain, whose mark goes. ``desired`` goes before the word of the table. Raises HostDraining."""
    wanted = desired or VERBS[verb].desired
    if wanted is Desired.RUNNING:
        refuse(tx, container.host, verb, "container", container.uuid)
    if container.drained is not None and wanted in (Desired.RUNNING, Desired.STOPPED):
        return tx.save(replace(container, drained=None))
    return container


def hurried(tx: Transaction, action: Action, now: datetime) -> Action:
    """The action as it is handed out: on a host that is drained nobody is given longer to end than until the deadline."""
    ends = action.action == "stop" or (action.action == "delete" and action.arguments.get("stop"))
    service = _drained(tx, action.host) if ends and action.container_uuid is not None else None
    if service is None or service.drain_state is not DrainState.DRAINING or service.drain_deadline is None:
        return action
    left = max(0, int((service.drain_deadline - now).total_seconds()))
    container = tx.get(Container, action.container_uuid or "")
    said = (action.arguments.get("timeout"), container.grace if container else None, ENGINE_GRACE)
    if next(seconds for seconds in said if seconds is not None) <= left:
        return action
    return replace(action, arguments={**action.arguments, "timeout": left})


# -- one sandbox ----------------------------------------------------------------------------------


def _decide(tx: Transaction, service: Service, sandbox: Sandbox, waiting: Sequence[Action], now: datetime, *, again: bool) -> None:
    members = in_order(tx.find(Container, {"sandbox_uuid": sandbox.uuid}))
    if service.drain_state is DrainState.DRAINING:
        for container in members:
            _stop(tx, service, container, drain.to_stop(container, _on(container, waiting), again=again), now)
        return
    for container in members:
        if container.drained is not None and container.drained == service.drain_id:
            _start(tx, container, drain.to_start(container, _on(container, waiting)), now)


def _stop(tx: Transaction, service: Service, container: Container, need: Need, now: datetime) -> None:
    if need is Need.NOTHING:
        return
    if drain.is_wanted(container):
        container = tx.save(replace(container, drained=service.drain_id))
    if need is Need.WISH:
        journal.apply(tx, container, Accepted(drain.STOP))
        return
    journal.accept(tx, journal.system(container), container, "stop", {}, now, row=drain.STOP)


def _start(tx: Transaction, container: Container, need: Need, now: datetime) -> None:
    if need is Need.NOTHING:
        return
    container = tx.save(replace(container, drained=None))
    if need is Need.WISH:
        journal.apply(tx, container, Accepted(drain.START))
    elif need is Need.ACT:
        journal.accept(tx, journal.system(container), container, "start", {}, now, row=drain.START)
