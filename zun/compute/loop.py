"""The agent of one host: claims work, carries it through, watches its containers, tells that it lives."""

from __future__ import annotations

import logging
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from zun import errors, saga
from zun.compute import cores, whole
from zun.compute import job as jobs
from zun.compute.book import Book
from zun.compute.images import ImageHands
from zun.compute.job import Job, Plugs
from zun.compute.lanes import Lanes
from zun.compute.observe import Watch
from zun.compute.outbox import Outbox
from zun.compute.probing import Probing
from zun.compute.progress import Reporter
from zun.compute.verbs import SAGAS
from zun.domain.action import Action, ActionState
from zun.domain.container import Container, rebuilt
from zun.domain.lifecycle import Failed
from zun.interfaces.rpc import Access, Conductor, HostReport, Outcome, Work
from zun.pulse import Pulse

LOG = logging.getLogger(__name__)

#: Seconds before an engine that hung up is listened to again, and before a life that could not begin tries again.
LISTEN_AGAIN = 0.5
GREET_AGAIN = 1.0

#: The most actions in hand, waiting ones included: each may hold a thread.
MOST_IN_HAND = 200


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
    #: actions that are worked on at once
    parallel: int = 16
    #: an action that has been in hand for so long waits for something (a grace, a registry) more than it works: it counts no more
    slow: float = 5.0
    #: probes that are asked at once, a quarter of them of one project
    probes: int = 64
    #: whether volumes of running containers that are gone when a life begins are put back
    remount: bool = True


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
        greeted: Callable[[], None] = lambda: None,
        lanes: Lanes | None = None,
        pulse: Callable[..., Pulse] = Pulse,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``greeted`` is called once, when a conductor has heard that this life has begun.

        ``lanes`` and ``pulse`` are where its threads come from: a test that wants none passes its own. ``chance`` spreads the first
        probes of a life.
        """
        self._host = host
        self._conductor = conductor
        self._plugs = plugs
        self._when_greeted = greeted
        self._report = report
        self._clock = clock
        self._pace = pace
        self._fault = fault
        self._epoch = str(uuid.uuid4())
        self._lock = threading.Lock()
        #: since when
        self._in_hand: dict[str, datetime] = {}
        self._cancelled: set[str] = set()
        self._greeted = False
        self._retired = False
        self._stopping = False
        self._book = Book()
        # Looking at containers never waits for a thread that a slow action holds.
        self._lanes = lanes or Lanes(MOST_IN_HAND + 8)
        self._outbox = Outbox(conductor, host, self._epoch, delivered=self._delivered, pulse=pulse)
        self._images = self._image_hands()
        self._probing = self._prober(lanes, chance)
        self._watch = self._watcher()
        self._claims = pulse("agent-claims", self._claim, every=pace.poll)
        self._beats = pulse("agent-heartbeat", self._beat, every=pace.heartbeat, first_after=pace.heartbeat)
        # The first look at everything is the one with which the listening begins.
        self._scans = pulse("agent-scan", self._watch.scan, every=pace.scan, first_after=pace.scan)
        self._ears = pulse("agent-events", self._watch.listen, every=LISTEN_AGAIN)

    def _image_hands(self) -> ImageHands:
        return ImageHands(
            self._plugs,
            self._lanes,
            self._outbox,
            clock=self._clock,
            fault=self._fault,
            patient=self._patient,
            again=self._pace.engine_again,
            cancelled=self._check_cancelled,
            opens=self._opens,
            reporter=self._reporter,
        )

    def _prober(self, lanes: Lanes | None, chance: Callable[[], float]) -> Probing:
        most = self._pace.probes
        return Probing(
            self._plugs.runtime,
            known=self._book,
            lanes=self._lanes,
            asks=lanes or Lanes(most, max(1, most // 4), "probe"),
            ends=lanes or Lanes(most, max(1, most // 4), "probe-end"),
            clock=self._clock,
            look=lambda container_uuid: self._watch.look(container_uuid),
            chance=chance,
        )

    def _watcher(self) -> Watch:
        return Watch(
            self._plugs.runtime,
            self._conductor,
            host=self._host,
            known=self._book,
            lanes=self._lanes,
            outbox=self._outbox,
            network=self._plugs.network,
            volumes=self._plugs.volumes,
            remount=self._pace.remount,
            cores=self._plugs.cores,
            notice=self._probing.notice,
        )

    def start(self) -> None:
        """Begin this life. An engine or a conductor that does not answer yet is waited for."""
        self._outbox.start()
        self._claims.start()
        self._claims.poke()

    def stop(self) -> None:
        """End this life within seconds. What is under way is finished or left to the next life; no container is touched."""
        self._stopping = True
        pulses = (self._claims, self._beats, self._scans, self._ears)
        for pulse in pulses:
            pulse.stop(0)
        self._lanes.close()
        self._probing.stop()
        # Who still waits for the engine (a stop for its grace, a pull for its registry) waits no more.
        self._plugs.runtime.close()
        self._lanes.close()
        self._probing.stop()
        for pulse in pulses:
            pulse.stop()
        self._outbox.stop()

    def poke(self) -> None:
        """There may be work."""
        self._claims.poke()

    # -- beats -----------------------------------------------------------------------------------

    def _greet(self) -> None:
        """The first thing of a life: learn what the host is in charge of, then see how that is."""
        charges = self._conductor.hello(self._host, self._epoch, self._report())
        for charge in charges:
            self._book.take(charge)
        cores.warn(self._plugs.cores, (charge.sandbox for charge in charges))
        self._greeted = True
        self._when_greeted()
        self._ears.start()
        self._beats.start()
        self._scans.start()

    def _beat(self) -> None:
        """Tell that the host lives; an engine that does not answer makes the host silent, which is what it is."""
        if self._retired:
            return
        try:
            self._watch.look_again(self._conductor.heartbeat(self._host, self._epoch, self._report()))
        except errors.ServiceUnavailable as error:
            LOG.warning("no heartbeat: %s", error)
        except errors.Superseded as error:
            self._retire(error)

    def _claim(self) -> None:
        if self._retired:
            return
        try:
            if not self._greeted:
                self._greet()
            while self._claim_some():
                pass
        except errors.ServiceUnavailable as error:
            LOG.warning("no work can be claimed: %s", error)
            # A life that has not begun tries again sooner than one that only looks for work.
            if not self._greeted:
                self._lanes.put("greeting", self._claims.poke, after=GREET_AGAIN)
        except errors.Superseded as error:
            self._retire(error)

    def _retire(self, why: errors.Superseded) -> None:
        """Another agent with this host's name has begun a life: what is in hand is ended, and nothing more is begun or restarted."""
        LOG.error("this agent does nothing more: %s", why)
        self._retired = True
        self._book.clear()

    def _claim_some(self) -> bool:
        now = self._clock()
        with self._lock:
            in_hand = sorted(self._in_hand)
            working = sum((now - since).total_seconds() < self._pace.slow for since in self._in_hand.values())
        room = min(self._pace.parallel - working, MOST_IN_HAND - len(in_hand))
        claimed = self._conductor.claim(self._host, self._epoch, in_hand, max(0, room))
        with self._lock:
            self._cancelled.update(self._in_hand.keys() & claimed.cancelled)
            self._in_hand.update((work.action.uuid, now) for work in claimed.work)
            self._in_hand.update((work.action.uuid, now) for work in claimed.images)
        for image_work in claimed.images:
            self._images.begin(image_work)
        for work in claimed.work:
            self._book.take(work.charge)
            self._lanes.put(work.action.sandbox_uuid, partial(self._do, work))
        return bool(claimed.work or claimed.images)

    # -- work ------------------------------------------------------------------------------------

    def _do(self, work: Work, since: datetime | None = None) -> None:
        """Carry an action through, in its sandbox's lane. Whatever happens, it ends: with an outcome, or by being tried again.

        ``since`` is when the engine first left it without an answer.
        """
        try:
            self._carry(work, since)
        except saga.SagaInterrupted as pause:
            LOG.warning("%s of %s waits: %s", work.action.action, work.action.container_uuid, pause)
            self._lanes.put(work.action.sandbox_uuid, partial(self._do, work, since or self._clock()), after=self._pace.engine_again)
        except Exception:
            LOG.exception("%s of %s failed", work.action.action, work.action.container_uuid)
            self._outbox.put(Outcome(action_uuid=work.action.uuid, reason=f"A fault of the service in {work.action.action}; see its log."))

    def _carry(self, work: Work, since: datetime | None) -> None:
        if work.action.container_uuid is None:
            self._carry_all(work, since)
            return
        container = next((one for one in work.charge.containers if one.uuid == work.action.container_uuid), None)
        steps = SAGAS.get(work.action.action)
        if container is None or steps is None:
            self._outbox.put(Outcome(action_uuid=work.action.uuid, reason=f"This host cannot {work.action.action}."))
            return
        entry = self._book.entry(container.uuid)
        if entry is not None:
            entry.restarting = False
            if work.action.action in ("start", "reboot"):
                entry.begin_anew()
        job = self._job(work, rebuilt(container, work.action.arguments) if work.action.action == "rebuild" else container, since)
        # Limits wait for their engine as long as it takes: what it has set is not known before it answers.
        patient = self._patient(since) or work.action.action == "resize_container"
        reason, leftovers, record = jobs.run(job, steps, clock=self._clock, fault=self._fault, patient=patient)
        if work.action.action == "delete" and reason is not None and work.action.arguments.get("force"):
            # A forced deletion forgets the container whatever the engine says; what is left there is nobody's, and the scan removes it.
            leftovers = jobs.press_on(job, steps)
            reason = None
        if work.action.action == "delete" and reason is None:
            self._book.drop(container.uuid)
            self._outbox.put(Outcome(action_uuid=work.action.uuid, leftovers=leftovers))
            return
        self._show(job, since, reason, leftovers, record)

    def _job(self, work: Work, container: Container, since: datetime | None) -> Job:
        return Job(
            work,
            self._plugs,
            container,
            work.charge.sandbox,
            cancelled=partial(self._check_cancelled, work.action.uuid),
            opens=partial(self._opens, work.action.uuid),
            reporter=self._reporter(work.action.uuid),
            again=since is not None or work.action.attempts > 1,
        )

    def _carry_all(self, work: Work, since: datetime | None) -> None:
        """The same for all containers of a sandbox together."""
        steps = whole.SAGAS.get(work.action.action)
        if steps is None or not work.charge.containers:
            self._outbox.put(Outcome(action_uuid=work.action.uuid, reason=f"This host cannot {work.action.action}."))
            return
        for entry in self._book.entries(work.action.sandbox_uuid):
            entry.restarting = False
        crew = whole.Crew(
            work,
            [self._job(work, container, since) for container in work.charge.containers],
            cancelled=partial(self._check_cancelled, work.action.uuid),
        )
        for job in crew.jobs:
            job.reporter = crew.first.reporter
        reason, leftovers, record = jobs.run(crew, steps, clock=self._clock, fault=self._fault, patient=self._patient(since))
        if work.action.action == "delete" and reason is None:
            for container in work.charge.containers:
                self._book.drop(container.uuid)
            self._outbox.put(Outcome(action_uuid=work.action.uuid))
            return
        self._show_all(crew, since, reason, leftovers, record)

    def _show_all(self, crew: whole.Crew, since: datetime | None, reason: str | None, leftovers: list[str], record: saga.Record) -> None:
        action = crew.action
        try:
            outcome = whole.outcome(crew, self._book, reason, leftovers, record, patient=self._patient(since))
        except errors.EngineUnavailable as error:
            LOG.warning("the end of %s of sandbox %s waits: %s", action.action, action.sandbox_uuid, error)
            again = partial(self._show_all, crew, since or self._clock(), reason, leftovers, record)
            self._lanes.put(action.sandbox_uuid, again, after=self._pace.engine_again)
            return
        for job in crew.jobs:
            self._learn(job.container.uuid, action, reason, outcome)
        self._outbox.put(outcome)
        for job in crew.jobs:
            self._watch.after_work(job.container.uuid)

    def _learn(self, container_uuid: str, action: Action, reason: str | None, outcome: Outcome) -> None:
        """Bring the book up to date with the end of work."""
        if action.action == "create" and (reason is not None or action.state is ActionState.UNDOING):
            # It is gone, or being undone: nobody wants to hear of it, nor have it restarted.
            self._book.drop(container_uuid)
        if reason is not None:
            seen = next((seen for seen in outcome.observations if seen.container_uuid == container_uuid), None)
            self._book.take_back(container_uuid, Failed(action.action, reason, seen))

    def _show(self, job: Job, since: datetime | None, reason: str | None, leftovers: list[str], record: saga.Record) -> None:
        """Report how a job ended, with what the engine shows then; an engine that does not answer is asked again."""
        action = job.work.action
        try:
            outcome = jobs.outcome(job, self._book, reason, leftovers, record, patient=self._patient(since))
        except errors.EngineUnavailable as error:
            LOG.warning("the end of %s of %s waits: %s", action.action, job.container.uuid, error)
            again = partial(self._show, job, since or self._clock(), reason, leftovers, record)
            self._lanes.put(action.sandbox_uuid, again, after=self._pace.engine_again)
            return
        self._learn(job.container.uuid, action, reason, outcome)
        self._outbox.put(outcome)
        self._watch.after_work(job.container.uuid)

    def _patient(self, since: datetime | None) -> bool:
        """Whether an engine that does not answer is waited for. An agent that ends leaves what it has in hand to the next life."""
        return self._stopping or since is None or (self._clock() - since).total_seconds() < self._pace.engine_wait

    def _delivered(self, action_uuid: str) -> None:
        """The conductor has heard of its end: the action is out of our hands, and there is room for another."""
        with self._lock:
            self._in_hand.pop(action_uuid, None)
            self._cancelled.discard(action_uuid)
        self._claims.poke()

    def _opens(self, action_uuid: str, registry_uuid: str) -> Access:
        return self._conductor.registry(self._host, self._epoch, action_uuid, registry_uuid)

    def _reporter(self, action_uuid: str) -> Reporter:
        return Reporter(
            clock=self._clock,
            tell=partial(self._conductor.progress, self._host, self._epoch, action_uuid),
            cancelled=partial(self._check_cancelled, action_uuid),
        )

    def _check_cancelled(self, action_uuid: str) -> None:
        with self._lock:
            if action_uuid in self._cancelled:
                raise errors.Cancelled
