"""What the agent knows of the sandboxes in its charge: what is wanted of each container, and which of its lives was seen last.

The book is memory only. An agent that begins a life gets it from a conductor, and from then on every piece of work brings it up to date.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import ValidationError
from msgspec.structs import replace

from zun.domain import probe
from zun.domain.container import Container, life
from zun.domain.lifecycle import Desired, EngineState, Failed, Health, Observation, advance
from zun.domain.probe import Probes, Standing
from zun.domain.sandbox import Sandbox
from zun.interfaces.rpc import Charge
from zun.interfaces.runtime import ContainerState, Seen

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """One container in the agent's charge."""

    container: Container
    incarnation: int
    engine_id: str | None
    started_at: datetime | None
    restart_count: int
    #: short lives in a row, for the back-off of its restarts
    quick_deaths: int = 0
    #: when the life began whose end was last counted as a short one or not
    counted: datetime | None = None
    #: a restart by its policy is waiting
    restarting: bool = False
    #: why the last try to restart it failed
    refusal: str | None = None
    #: what was last told to the conductors
    told: Observation | None = None
    #: what is asked of it, and how the life that was seen last stands with that
    probes: Probes | None = None
    standing: Standing | None = None

    @property
    def desired(self) -> Desired:
        """What the user wants of it."""
        return self.container.desired

    @property
    def condemned(self) -> bool:
        """Whether a probe has decided the end of the life that was seen last."""
        return self.standing is not None and self.standing.condemned is not None

    def begin_anew(self) -> None:
        """Its user has it started: what happened before counts no more."""
        self.restart_count = self.quick_deaths = 0
        self.refusal = None
        if self.standing is not None:
            self.standing.condemned = None


class Book:
    """All sandboxes in the agent's charge. Safe to use from several threads; an entry is changed only in its sandbox's lane."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sandboxes: dict[str, Sandbox] = {}
        self._entries: dict[str, Entry] = {}

    def take(self, charge: Charge) -> None:
        """Learn what a conductor says of a sandbox. What was seen here since is kept."""
        with self._lock:
            self._sandboxes[charge.sandbox.uuid] = charge.sandbox
            for container in charge.containers:
                entry = self._entries.get(container.uuid)
                if entry is None:
                    self._entries[container.uuid] = _entry(container)
                else:
                    entry.container = container

    def drop(self, container_uuid: str) -> None:
        """Forget a container, and its sandbox with the last one."""
        with self._lock:
            entry = self._entries.pop(container_uuid, None)
            if entry is not None:
                sandbox = entry.container.sandbox_uuid
                if not any(other.container.sandbox_uuid == sandbox for other in self._entries.values()):
                    self._sandboxes.pop(sandbox, None)

    def take_back(self, container_uuid: str, failed: Failed) -> None:
        """Learn what is wanted of a container now that work on it has failed: what the conductors will make of it, by the same function."""
        entry = self.entry(container_uuid)
        if entry is not None:
            wanted = advance(life(entry.container), failed).desired
            entry.container = replace(entry.container, desired=wanted)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._sandboxes.clear()

    def entry(self, container_uuid: str) -> Entry | None:
        """The container's entry, or None."""
        with self._lock:
            return self._entries.get(container_uuid)

    def sandbox(self, sandbox_uuid: str) -> Sandbox | None:
        """The sandbox, or None."""
        with self._lock:
            return self._sandboxes.get(sandbox_uuid)

    def entries(self, sandbox_uuid: str | None = None) -> list[Entry]:
        """All containers, or those of one sandbox."""
        with self._lock:
            return [entry for entry in self._entries.values() if sandbox_uuid in (None, entry.container.sandbox_uuid)]

    def sandboxes(self) -> list[str]:
        """The uuids of all sandboxes."""
        with self._lock:
            return list(self._sandboxes)


def _entry(container: Container) -> Entry:
    """A container that is new here. Of one with probes the row says how the life stands that another life of the agent has seen."""
    entry = Entry(container, container.incarnation, container.engine_id, container.started_at, container.restart_count)
    try:
        entry.probes = probe.load(container.probes)
    except ValidationError:
        LOG.exception("the probes of container %s cannot be read, and are not asked", container.uuid)
    if entry.probes is not None and container.started_at is not None:
        entry.standing = probe.resumed(
            entry.probes,
            container.incarnation,
            started=bool(container.started),
            serves=bool(container.ready),
            lives=container.health is Health.HEALTHY,
            reason=container.status_reason,
        )
    return entry


def is_down(entry: Entry, state: ContainerState) -> bool:
    """Whether its life has ended. What was made anew for its restart, and then refused its start, has had none: that is no less down."""
    return state.state is EngineState.EXITED or (state.state is EngineState.CREATED and entry.refusal is not None)


def observe(entry: Entry, state: ContainerState | None) -> Observation:
    """What the engine shows, as news of the right life: a new start, whoever made it, counts one incarnation."""
    uuid = entry.container.uuid
    if state is None:
        ready = False if entry.probes is not None and entry.probes.tell_readiness else None
        return Observation(container_uuid=uuid, state=EngineState.MISSING, incarnation=entry.incarnation, ready=ready)
    if state.started_at is not None and (state.started_at, state.engine_id) != (entry.started_at, entry.engine_id):
        entry.incarnation += 1
        entry.started_at = state.started_at
        entry.refusal = None
    entry.engine_id = state.engine_id
    # Of what is to be stopped nobody asks any more why it was not restarted.
    down = is_down(entry, state)
    wanted = down and entry.desired is Desired.RUNNING
    seen = Observation(
        container_uuid=uuid,
        state=EngineState.RESTARTING if entry.restarting and down else state.state,
        incarnation=entry.incarnation,
        revision=state.revision,
        engine_id=state.engine_id,
        exit_code=None if state.finished_at is None else state.exit_code,
        error=(entry.refusal if wanted else None) or state.error,
        started_at=state.started_at,
        finished_at=state.finished_at,
        restart_count=entry.restart_count,
        health=state.health,
    )
    return seen if entry.probes is None else replace(seen, **_probed(entry, entry.probes, state))


def _probed(entry: Entry, probes: Probes, state: ContainerState) -> dict[str, Any]:
    """What is shown of a container with probes. A life that was not seen before begins to be probed."""
    standing = entry.standing
    if standing is None or standing.incarnation != entry.incarnation:
        standing = entry.standing = Standing(probes, entry.incarnation, after=standing.condemned if standing is not None else None)
    if state.state not in (EngineState.RUNNING, EngineState.PAUSED):
        shown: dict[str, Any] = {"health": None} if probes.tell_health else {}
        ready = False if probes.tell_readiness else None
        return {**shown, "ready": ready, "note": standing.epitaph}
    shown = {"health": standing.health} if probes.tell_health else {}
    return {**shown, "started": standing.started, "ready": standing.ready, "note": standing.note}


def looks_as_told(entry: Entry, seen: Seen) -> bool:
    """Whether a line of a scan shows what was last told of the container, so that a closer look is not needed."""
    told = entry.told
    if told is None or told.engine_id != seen.engine_id:
        return False
    if told.health is not seen.health and not (entry.probes is not None and entry.probes.tell_health):
        return False
    if entry.standing is not None and told.state is EngineState.RUNNING and told.ready is not entry.standing.ready:
        return False
    return told.state is seen.state or (told.state is EngineState.RESTARTING and seen.state is EngineState.EXITED and entry.restarting)
