"""When probes are asked, on whose thread, and what follows from the answers.

Questions are asked on threads of their own, in lanes of projects: one that hangs keeps nobody waiting but, at worst, its own project's.
What follows is decided in the lane of the sandbox, where everything else that concerns its containers is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from zun import errors
from zun.compute import asking
from zun.compute.book import Book, Entry
from zun.compute.lanes import Lanes
from zun.domain.lifecycle import Desired, EngineState
from zun.domain.probe import Answer, Kind, Probe, Standing
from zun.interfaces.runtime import Runtime

LOG = logging.getLogger(__name__)

#: Seconds that a stopping agent waits for questions that are under way.
PATIENCE = 0.5

_OVER = frozenset({EngineState.EXITED, EngineState.RESTARTING, EngineState.DEAD})


class Probing:
    """Asks the probes of all containers in the agent's charge that run."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        known: Book,
        lanes: Lanes,
        asks: Lanes,
        ends: Lanes,
        clock: Callable[[], datetime],
        look: Callable[[str], None],
        chance: Callable[[], float],
    ) -> None:
        """``lanes`` are the sandboxes'; ``asks`` and ``ends`` those of projects, for questions and for stops. ``look`` looks at a container
        and tells what is new. ``chance`` is between 0 and 1."""
        self._runtime = runtime
        self._book = known
        self._lanes = lanes
        self._asks = asks
        self._ends = ends
        self._clock = clock
        self._look = look
        self._chance = chance
        self._began = clock()

    def stop(self) -> None:
        """Ask nothing more. To be repeated when the runtime has been closed, so that what still waits for the engine ends."""
        for lanes in (self._asks, self._ends):
            lanes.close(PATIENCE)

    def notice(self, entry: Entry) -> None:
        """The container was looked at (in its sandbox's lane): a life that nobody asks yet, and that runs, is asked from now on."""
        standing = entry.standing
        if standing is None or standing.asked or entry.told is None or entry.told.state is not EngineState.RUNNING:
            return
        standing.asked = True
        if standing.condemned is not None:
            # An earlier life of the agent has decided it, and did not live to do it.
            self._end(entry, standing, standing.probes.liveness or standing.probes.startup)
        else:
            self._begin(entry, standing)

    def _begin(self, entry: Entry, standing: Standing) -> None:
        for kind in standing.due():
            probe = standing.probes.of(kind)
            if probe is not None:
                self._later(entry, standing, kind, self._first(entry, probe))

    def _first(self, entry: Entry, probe: Probe) -> float:
        """Seconds until the first question of a life."""
        now = self._clock()
        lived = (now - (entry.started_at or now)).total_seconds()
        wait = min(max(0.0, probe.initial_delay - lived), float(probe.initial_delay))
        # An agent that begins must not ask everybody at once.
        fresh = (now - self._began).total_seconds() < probe.period and entry.started_at is not None and entry.started_at < self._began
        return wait or (self._chance() * probe.period if fresh else 0.0)

    # -- asking: in the lane of the project ------------------------------------------------------

    def _later(self, entry: Entry, standing: Standing, kind: Kind, after: float) -> None:
        self._asks.put(entry.container.project_id, partial(self._ask, entry, standing, kind), after=after)

    def _ask(self, entry: Entry, standing: Standing, kind: Kind) -> None:
        """Ask once, and again after the period, for as long as this life lasts."""
        probe, told = standing.probes.of(kind), entry.told
        if probe is None or not self._is_current(entry, standing) or (told is not None and told.state in _OVER):
            return
        begun = self._clock()
        follows = False
        if told is not None and told.state is EngineState.RUNNING and entry.desired is Desired.RUNNING:
            answer = self._answer(entry, probe, kind)
            follows = answer is not None and standing.tallies[kind].count(probe, answer)
            if answer is not None and follows:
                self._lanes.put(entry.container.sandbox_uuid, partial(self._conclude, entry, standing, kind, answer))
        # A startup probe has said all that it has to say, and a container that is about to be ended is asked no more.
        if not follows or kind is Kind.READINESS or (kind is Kind.LIVENESS and standing.tallies[kind].concluded):
            spent = (self._clock() - begun).total_seconds()
            self._later(entry, standing, kind, max(0.001, probe.period - max(0.0, spent)))

    def _answer(self, entry: Entry, probe: Probe, kind: Kind) -> Answer | None:
        """None where it could not be asked, which says nothing of it."""
        container = entry.container
        try:
            return asking.ask(self._runtime, container.uuid, container.sandbox_uuid, probe)
        except (errors.NoSuchObject, errors.NotRunning):
            return None  # it has ended, or is paused
        except errors.ZunError as error:
            LOG.warning("the %s probe of container %s could not be asked: %s", kind, container.uuid, error)
        except Exception:
            LOG.exception("the %s probe of container %s could not be asked", kind, container.uuid)
        return None

    def _is_current(self, entry: Entry, standing: Standing) -> bool:
        return self._book.entry(entry.container.uuid) is entry and entry.standing is standing

    # -- what follows: in the lane of the sandbox ------------------------------------------------

    def _conclude(self, entry: Entry, standing: Standing, kind: Kind, answer: Answer) -> None:
        if not self._is_current(entry, standing):
            return
        deadly = kind is not Kind.READINESS and not answer.well
        running = entry.told is not None and entry.told.state is EngineState.RUNNING and entry.desired is Desired.RUNNING
        if deadly and not running:
            # Paused, or being stopped by its user. If that comes to nothing, it is asked anew.
            standing.tallies[kind].forget()
            probe = standing.probes.of(kind)
            if probe is not None:
                self._later(entry, standing, kind, probe.period)
            return
        had_started = standing.started
        standing.conclude(kind, answer)
        self._look(entry.container.uuid)
        if deadly and self._is_current(entry, standing):
            LOG.info("container %s is ended: its %s probe has failed", entry.container.uuid, kind)
            self._end(entry, standing, standing.probes.of(kind))
        elif standing.started and not had_started:
            self._begin(entry, standing)

    # -- ending: in a lane of the project --------------------------------------------------------

    def _end(self, entry: Entry, standing: Standing, probe: Probe | None) -> None:
        grace = probe.grace if probe is not None and probe.grace is not None else entry.container.grace
        self._ends.put(entry.container.project_id, partial(self._stop, entry, standing, grace))

    def _stop(self, entry: Entry, standing: Standing, grace: int | None) -> None:
        """Stop it; what follows from its end follows from the look, as with every other end."""
        uuid, sandbox = entry.container.uuid, entry.container.sandbox_uuid
        if not self._is_current(entry, standing):
            return
        try:
            self._runtime.stop(uuid, grace, entry.told.revision if entry.told is not None else None)
        except errors.NoSuchObject:
            LOG.info("container %s is gone before it was ended", uuid)
        except errors.ZunError as error:
            LOG.warning("container %s, whose probe has failed, could not be stopped: %s", uuid, error)
            self._lanes.put(sandbox, partial(self._pardon, entry, standing))
            return
        self._lanes.put(sandbox, partial(self._look, uuid))

    def _pardon(self, entry: Entry, standing: Standing) -> None:
        """It could not be ended: its probes are asked on, and may decide the same again."""
        if not self._is_current(entry, standing):
            return
        entry.standing = standing.anew()
        self._look(entry.container.uuid)
