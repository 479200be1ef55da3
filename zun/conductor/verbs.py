"""Verbs on a living container: those that are accepted and done later, and those that a host answers while the caller waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import capsules, claims, drain, image_choice, journal, limits, rebuild
from zun.conductor.accept import Defaults, check_name
from zun.conductor.journal import Clock
from zun.domain import lifecycle
from zun.domain.action import Action, ActionState, Caller
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Hearing, Service, Standing, always, standing
from zun.domain.lifecycle import Desired
from zun.domain.sandbox import Sandbox
from zun.interfaces.images import Images
from zun.interfaces.inventory import Inventory
from zun.interfaces.rpc import Agent, Agents, Whole
from zun.interfaces.runtime import ExecResult, ProcessList, Stats
from zun.interfaces.store import Store, Transaction

#: Signals after which a container that ends was ended by its user: a restart policy does not undo that.
ENDING = frozenset({"KILL", "TERM", "INT", "QUIT"})

#: what goes with new limits: the cores of a container that has its own, what its capsule may use as a whole
Beside = tuple[list[int] | None, Whole | None]


class Verbs:
    """Everything that is done to a container after its creation was accepted."""

    def __init__(
        self,
        store: Store,
        agents: Agents,
        inventory: Inventory,
        *,
        clock: Clock,
        defaults: Defaults,
        service_down_time: int,
        poke: Callable[[str | None], None],
        images: Mapping[str, Images],
        hearing: Hearing = always,
        clear_away: Callable[[], None] = lambda: None,
    ) -> None:
        """``clear_away`` is called when something was deleted that no host cares for."""
        self._store = store
        self._hearing = hearing
        self._images = images
        self._agents = agents
        self._inventory = inventory
        self._clock = clock
        self._defaults = defaults
        self._service_down_time = service_down_time
        self._poke = poke
        self._clear_away = clear_away

    # -- accepted now, done later ----------------------------------------------------------------

    def check(self, container: Container, verb: str) -> None:
        """Raises InvalidStateException if the container's status does not allow the verb."""
        if container.status not in lifecycle.VERBS[verb].allowed:
            raise errors.InvalidStateException(verb=verb, id=container.uuid, state=container.status.value)

    def accept(self, caller: Caller, container: Container, verb: str, arguments: dict[str, Any]) -> None:
        """Accept a verb of the table. Raises InvalidStateException, ContainerNotFound; HostDraining for one after which it would run."""

        if verb == "rebuild":
            self.check(container, verb)
            arguments = image_choice.for_rebuild(self._images, caller, container, arguments)

        def write(tx: Transaction) -> str | None:
            found = self._current(tx, container)
            desired = Desired.STOPPED if verb == "kill" and (arguments.get("signal") or "KILL") in ENDING else None
            if verb == "rebuild":
                wish, desired = rebuild.wish(tx, found, arguments), rebuild.wanted(found)
                found = drain.heard(tx, found, verb, desired)
                found = tx.save(replace(found, revision=found.revision + 1))
                return journal.accept(tx, caller, found, verb, wish, self._clock(), desired=desired).host
            found = drain.heard(tx, found, verb, desired)
            return journal.accept(tx, caller, found, verb, arguments, self._clock(), desired=desired).host

        journal.nudge(self._poke, self._store.settle(write))

    def delete(self, caller: Caller, container: Container, *, force: bool, stop: bool) -> None:
        """Accept the container's deletion; what is queued for it is given up. Where no host has it, it is gone at once."""
        row = "delete_stop" if stop else "delete_force" if force else "delete"

        def write(tx: Transaction) -> str | None:
            found = self._current(tx, container)
            if found.capsule:
                raise errors.InCapsule(id=found.uuid, capsule=found.sandbox_uuid)
            waiting = [action for action in journal.open_actions(tx, found.sandbox_uuid) if action.container_uuid == found.uuid]
            found = journal.accept(tx, caller, found, "delete", {"force": force, "stop": stop}, self._clock(), row=row)
            if found.host is None:
                journal.erase(tx, found, self._inventory)
                return None
            for action in waiting:
                # What a host has in hand it gives up by itself; an undoing is part of the deletion.
                if action.state is not ActionState.CLAIMED:
                    journal.end(tx, action, self._clock(), [found], failed=True, reason=journal.GIVEN_UP)
            return found.host

        self._tell_of_deletion(self._store.settle(write))

    def _tell_of_deletion(self, host: str | None) -> None:
        if host is not None:
            journal.nudge(self._poke, host)
            with self._store.read() as tx:
                service = next(iter(tx.find(Service, {"host": host, "binary": COMPUTE})), None)
            if service is None or standing(service, self._clock(), self._service_down_time, self._hearing()) is not Standing.DOWN:
                return
        journal.nudge(lambda _: self._clear_away(), host)

    def delete_capsule(self, caller: Caller, sandbox: Sandbox) -> None:
        """Accept a capsule's deletion, with all its containers: they are asked to end, and ended after their grace.

        Raises CapsuleNotFound; InvalidStateException where it is being deleted already.
        """
        self._tell_of_deletion(self._store.settle(lambda tx: capsules.delete(tx, self._inventory, caller, sandbox, self._clock)))

    def remove_container(self, caller: Caller, sandbox: Sandbox, container: Container) -> None:
        """Accept that one container leaves its capsule, which lives on.

        Raises ContainerNotFound, InvalidStateException; LastOfCapsule for an initialising one and for the last regular one.
        """
        if container.sandbox_uuid != sandbox.uuid:
            raise errors.ContainerNotFound(id=container.uuid)
        host = self._store.settle(lambda tx: capsules.remove(tx, self._inventory, caller, container, self._clock))
        journal.nudge(self._poke, host)

    def resize(self, caller: Caller, container: Container, changes: dict[str, Any]) -> Container:
        """Accept other limits (name, auto_heal) for a container. Returns it as it was.

        They are claimed at once and set later; where the host cannot set them they are given back. Raises InvalidStateException,
        OverQuota, InsufficientCapacity, NameInUse, NotOffered.
        """
        wanted = {name: value for name, value in changes.items() if value is not None}

        def write(tx: Transaction) -> tuple[Container, str | None]:
            before = self._current(tx, container)
            self.check(before, limits.VERB)
            changed = limits.change(tx, self._inventory, self._defaults, before, wanted, caller.request_id)
            if not limits.of(wanted) or changed.host is None:
                return before, None
            journal.accept(tx, caller, changed, limits.VERB, limits.arguments(before, limits.of(wanted)), self._clock())
            return before, changed.host

        with self._claimed(container, wanted):
            before, host = self._store.settle(write)
        if host is not None:
            journal.nudge(self._poke, host)
        return before

    # -- done while the caller waits -------------------------------------------------------------

    def update(self, caller: Caller, container: Container, changes: dict[str, Any]) -> Container:
        """Change name, auto_heal, cpu or memory. New limits are claimed, then set on the host; where that fails they are given back.

        Raises InvalidStateException, OverQuota, InsufficientCapacity, NameInUse, NotOffered, LimitsRefused, and what the host answers.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        wanted = limits.of(changes)
        self.check(container, "update")
        agent = self._up(container, "update") if wanted and container.host is not None else None

        def write(tx: Transaction) -> tuple[Container, Action | None, Beside]:
            before = self._current(tx, container)
            self.check(before, "update")
            changed = limits.change(tx, self._inventory, self._defaults, before, changes, caller.request_id)
            if agent is None:
                return changed, None, (None, None)
            beside = limits.pinned(tx, changed) if "cpu" in wanted else None, limits.together(tx, changed)
            return changed, limits.ahead(tx, caller, before, wanted, self._clock()), beside

        with self._claimed(container, wanted):
            changed, action, beside = self._store.settle(write)
        if agent is not None and action is not None:
            self._set(agent, changed, action, wanted, beside)
        return changed

    def _claimed(self, container: Container, wanted: dict[str, Any]) -> AbstractContextManager[None]:
        """Claims what the block is about to write."""
        return claims.ahead(self._store, self._inventory, lambda tx: limits.planned(tx, container, limits.of(wanted)))

    def _set(self, agent: Agent, container: Container, action: Action, wanted: dict[str, Any], beside: Beside) -> None:
        try:
            self._ask(agent, container, action, wanted, beside)
        finally:
            # Given back, or of cores less than were claimed on the way.
            self._inventory.follow(container.sandbox_uuid if container.capsule else container.uuid)

    def _ask(self, agent: Agent, container: Container, action: Action, wanted: dict[str, Any], beside: Beside) -> None:
        try:
            agent.update(container.uuid, wanted.get("cpu"), wanted.get("memory"), *beside)
        except (errors.ServiceUnavailable, errors.EngineError) as error:
            # It may have set both of them, or one.
            self._store.settle(lambda tx: limits.unheard(tx, action))
            journal.nudge(self._poke, container.host)
            if isinstance(error, errors.EngineError):
                raise errors.LimitsRefused(id=container.uuid, reason=str(error)) from error
            raise
        except errors.ZunError:
            self._store.settle(lambda tx: limits.refused(tx, action, self._clock()))
            raise
        self._store.settle(lambda tx: limits.answered(tx, action, self._clock()))
        # What was accepted meanwhile has waited.
        journal.nudge(self._poke, container.host)

    def rename(self, caller: Caller, container: Container, name: str) -> Container:
        """Give the container another name, whatever its status. Raises NameUnchanged, NameInUse."""

        def write(tx: Transaction) -> Container:
            found = self._current(tx, container)
            if found.name == name:
                raise errors.NameUnchanged(id=found.uuid, name=name)
            renamed = replace(found, name=name)
            check_name(tx, self._defaults.unique_name_scope, renamed)
            return journal.change(tx, found, renamed, caller.request_id)

        return self._store.settle(write)

    def logs(
        self, container: Container, *, stdout: bool, stderr: bool, timestamps: bool, tail: int | None, since: datetime | None
    ) -> bytes:
        """The container's log; empty for one that never reached a host."""
        self.check(container, "logs")
        if container.host is None:
            return b""
        return self._up(container, "logs").logs(container.uuid, stdout, stderr, timestamps, tail, since)

    def execute(self, container: Container, command: list[str]) -> ExecResult:
        """Run a command in the container and wait for its end."""
        self.check(container, "execute")
        return self._up(container, "execute").execute(container.uuid, command)

    def top(self, container: Container, ps_args: str | None) -> ProcessList:
        """The container's processes."""
        self.check(container, "top")
        return self._up(container, "top").top(container.uuid, ps_args)

    def stats(self, container: Container) -> Stats:
        """What the container uses just now."""
        self.check(container, "stats")
        return self._up(container, "stats").stats(container.uuid)

    def agent(self, container: Container, verb: str) -> Agent:
        """Who does a verb while the caller waits. Raises InvalidStateException, HostNotUp."""
        self.check(container, verb)
        return self._up(container, verb)

    # -- how -------------------------------------------------------------------------------------

    def _current(self, tx: Transaction, container: Container) -> Container:
        found = tx.get(Container, container.uuid)
        if found is None:
            raise errors.ContainerNotFound(id=container.uuid)
        return found

    def _up(self, container: Container, verb: str) -> Agent:
        """The agent of the container's host. Raises HostNotUp if it has not been heard of, or there is none."""
        with self._store.read() as tx:
            service = next(iter(tx.find(Service, {"host": container.host or "", "binary": COMPUTE})), None)
        # Of a host that is only silent its agent's answer, or that there is none, says more than the row.
        if service is None or standing(service, self._clock(), self._service_down_time, self._hearing()) is Standing.DOWN:
            raise errors.HostNotUp(host=container.host, verb=verb, id=container.uuid)
        return self._agents.on(service.host)
