"""The agent of one host: claims work, carries it through, watches its containers, tells that it lives."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from zun import errors, saga
from zun.compute import job as jobs
from zun.compute.book import Book
from zun.compute.job import Job, Plugs
from zun.compute.lanes import Lanes
from zun.compute.observe import Watch
from zun.compute.outbox import Outbox
from zun.compute.verbs import SAGAS
from zun.domain.action import ActionState
from zun.interfaces.rpc import Conductor, HostReport, Outcome, Work
from zun.pulse import Pulse

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how much. Times in seconds."""

    poll: float = 5.0
    heartbeat: float = 30.0
    scan: float = 60.0
    #: how long work waits for an engine that does not answer before it fails
    engine_wait: float = 300.0
    #: between two tries while it waits
    engine_again: float = 2.0
    #: actions in hand at once
    parallel: int = 16


class AgentLoop:
    """One life of the agent. ``epoch`` names it: work that another life had in hand is handed out to this one again."""

    def __init__(
        self,
        host: str,
        conductor: Conductor,
        plugs: Plugs,
        *,
        report: Callable[[], HostReport],
        clock: Callable[[], datetime],
        pace: Pace,
        fault: saga.FaultPoint = saga.no_fault,
    ) -> None:
        self._host = host
        self._conductor = conductor
        self._plugs = plugs
        self._report = report
        self._clock = clock
        self._pace = pace
        self._fault = fault
        self._epoch = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._in_hand: set[str] = set()
        self._cancelled: set[str] = set()
        self._greeted = False
        self._book = Book()
        # Looking at containers never waits for a thread that a slow action holds.
        self._lanes = Lanes(pace.parallel + 8)
        self._outbox = Outbox(conductor, host, self._epoch, delivered=self._delivered)
        self._watch = Watch(
            plugs.runtime,
            conductor,
            host=host,
            known=self._book,
            lanes=self._lanes,
            outbox=self._outbox,
            network=plugs.network,
            clock=clock,
        )
        self._claims = Pulse("agent-claims", self._claim, every=pace.poll)
        self._beats = Pulse("agent-heartbeat", self._beat, every=pace.heartbeat, first_after=pace.heartbeat)
        self._scans = Pulse("agent-scan", self._watch.scan, every=pace.scan)
        self._ears = threading.Thread(target=self._watch.listen, name="agent-events", daemon=True)

    def start(self) -> None:
        """Begin this life. An engine or a conductor that does not answer yet is waited for."""
        self._outbox.start()
        self._claims.start()
        self._claims.poke()

    def stop(self) -> None:
        """End this life. What is under way is finished or left to the next life; no container is touched."""
        self._watch.stop()
        for pulse in (self._claims, self._beats, self._scans):
            pulse.stop()
        self._lanes.close()
        self._outbox.stop()
        self._plugs.runtime.close()
        if self._ears.is_alive():
            self._ears.join(5.0)

    def poke(self) -> None:
        """There may be work."""
        self._claims.poke()

    # -- beats -----------------------------------------------------------------------------------

    def _greet(self) -> None:
        """The first thing of a life: learn what the host is in charge of, then see how that is."""
        for charge in self._conductor.hello(self._host, self._epoch, self._report()):
            self._book.take(charge)
        self._greeted = True
        self._ears.start()
        self._beats.start()
        self._scans.start()

    def _beat(self) -> None:
        """Tell that the host lives; an engine that does not answer makes the host silent, which is what it is."""
        try:
            self._conductor.heartbeat(self._host, self._epoch, self._report())
        except errors.ServiceUnavailable as error:
            LOG.warning("no heartbeat: %s", error)

    def _claim(self) -> None:
        try:
            if not self._greeted:
                self._greet()
            while self._claim_some():
                pass
        except errors.ServiceUnavailable as error:
            LOG.warning("no work can be claimed: %s", error)
            # A life that has not begun tries again sooner than one that only looks for work.
            if not self._greeted:
                threading.Timer(1.0, self._claims.poke).start()

    def _claim_some(self) -> bool:
        with self._lock:
            in_hand = sorted(self._in_hand)
        room = self._pace.parallel - len(in_hand)
        claimed = self._conductor.claim(self._host, self._epoch, in_hand, max(0, room))
        with self._lock:
            self._cancelled.update(claimed.cancelled)
            self._in_hand.update(work.action.uuid for work in claimed.work)
        for work in claimed.work:
            self._book.take(work.charge)
            self._lanes.put(work.action.sandbox_uuid, partial(self._do, work, self._clock()))
        return bool(claimed.work)

    # -- work ------------------------------------------------------------------------------------

    def _do(self, work: Work, since: datetime) -> None:
        container = next((one for one in work.charge.containers if one.uuid == work.action.container_uuid), None)
        steps = SAGAS.get(work.action.action)
        if container is None or steps is None:
            self._outbox.put(Outcome(action_uuid=work.action.uuid, reason=f"This host cannot {work.action.action}."))
            return
        entry = self._book.entry(container.uuid)
        if entry is not None:
            entry.restarting = False
            if work.action.action in ("start", "reboot"):
                entry.restart_count, entry.quick_deaths = 0, 0
        job = Job(work, self._plugs, container, work.charge.sandbox, cancelled=partial(self._check_cancelled, work.action.uuid))
        patient = (self._clock() - since).total_seconds() < self._pace.engine_wait
        try:
            reason, leftovers, record = jobs.run(job, steps, clock=self._clock, fault=self._fault, patient=patient)
        except saga.SagaInterrupted as pause:
            LOG.warning("%s of %s waits: %s", work.action.action, container.uuid, pause)
            self._lanes.put(work.action.sandbox_uuid, partial(self._do, work, since), after=self._pace.engine_again)
            return
        if work.action.action == "delete" and (reason is None or work.action.arguments.get("force")):
            # A forced deletion forgets the container whatever the engine says; what is left there is nobody's, and the scan removes it.
            self._book.drop(container.uuid)
            self._outbox.put(Outcome(action_uuid=work.action.uuid))
            return
        outcome = jobs.outcome(job, self._book, reason, leftovers, record)
        undone = reason is not None or work.action.state is ActionState.UNDOING
        if work.action.action == "create" and undone and not leftovers:
            self._book.drop(container.uuid)
        self._outbox.put(outcome)

    def _delivered(self, action_uuid: str) -> None:
        """The conductor has heard of its end: the action is out of our hands, and there is room for another."""
        with self._lock:
            self._in_hand.discard(action_uuid)
            self._cancelled.discard(action_uuid)
        self._claims.poke()

    def _check_cancelled(self, action_uuid: str) -> None:
        with self._lock:
            if action_uuid in self._cancelled:
                raise errors.Cancelled
