"""One action in a host's hands: its data, its plugs, and how it is carried through."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from zun import errors, saga
from zun.compute.book import Book, observe
from zun.compute.cores import Cores
from zun.compute.progress import Reporter, event_name
from zun.domain.action import Action, ActionState, StepEvent
from zun.domain.container import Container
from zun.domain.lifecycle import Observation
from zun.domain.sandbox import Sandbox, device_of
from zun.interfaces.images import Images
from zun.interfaces.network import Network, Plugged
from zun.interfaces.rpc import Access, Outcome, SandboxFacts, Work
from zun.interfaces.runtime import Bind, ContainerState, Runtime, SandboxState
from zun.interfaces.volumes import Volumes
from zun.saga import Step

LOG = logging.getLogger(__name__)

#: asks a conductor what opens the registry of a uuid, for the work in hand
Opens = Callable[[str], Access]


@dataclass(frozen=True, slots=True)
class Plugs:
    """The drivers of this host."""

    runtime: Runtime
    images: Mapping[str, Images]
    network: Network
    volumes: Volumes
    pull_policy: str = "ifnotpresent"
    #: the registry of images whose names say none, and what opens it; None is the hub, without an account
    default_registry: Access | None = None
    #: the host's, and whose they are
    cores: Cores = field(default_factory=Cores)


def _opens_nothing(registry_uuid: str) -> Access:
    raise errors.RegistryNotFound(id=registry_uuid)


class Carried(Protocol):
    """What can be carried through: its action, and who says whether it is wanted still."""

    @property
    def action(self) -> Action:
        """The action that it is."""

    @property
    def cancelled(self) -> Callable[[], None]:
        """Raises to give up."""


J = TypeVar("J", bound=Carried)


@dataclass(slots=True)
class Job:
    """What the steps of an action work on; they leave here what later steps and the report need."""

    work: Work
    plugs: Plugs
    container: Container
    sandbox: Sandbox
    cancelled: Callable[[], None] = lambda: None
    #: asks a conductor for what opens a registry
    opens: Opens = field(default=_opens_nothing)
    reporter: Reporter = field(default_factory=Reporter)
    #: these steps may have been done before: by an earlier life, or by a call whose answer was lost
    again: bool = False
    binds: list[Bind] = field(default_factory=list)
    image_id: str | None = None
    ports: list[int] | None = None
    #: the image's, in its registry
    digest: str | None = None
    state: SandboxState | None = None
    plugged: Plugged = field(default_factory=lambda: Plugged(addresses={}))
    #: what the engine showed of the container at the end of the last step that changed it
    seen: ContainerState | None = None

    @property
    def action(self) -> Action:
        """The action that this is."""
        return self.work.action

    @property
    def runtime(self) -> Runtime:
        """The engine."""
        return self.plugs.runtime

    def older(self) -> int | None:
        """The newest revision of the container in the engine that a rebuild is to follow, if there is one."""
        uuid, revision = self.container.uuid, self.container.revision
        found = [seen.revision for seen in self.runtime.scan() if seen.container_uuid == uuid and seen.revision < revision]
        return max(found, default=None)

    @property
    def alone(self) -> bool:
        """Whether the sandbox holds this container only: then what is done to the one is done to the other."""
        return len(self.work.charge.containers) == 1

    @property
    def device(self) -> str:
        """What the sandbox is to the network driver."""
        return device_of(self.sandbox, self.container.uuid)

    def facts(self) -> SandboxFacts | None:
        """What was learnt of the sandbox."""
        if self.state is None:
            return None
        return SandboxFacts(
            sandbox_uuid=self.sandbox.uuid,
            engine_id=self.state.engine_id,
            hostname=self.state.hostname,
            addresses=self.plugged.addresses,
            security_groups=self.plugged.security_groups,
        )


def run(
    job: J,
    steps: Sequence[Step[J]],
    *,
    clock: Callable[[], datetime],
    fault: saga.FaultPoint,
    patient: bool,
) -> tuple[str | None, list[str], saga.Record]:
    """Carry the job through. Returns the reason of its failure (None: done), the leftovers and the record.

    While ``patient``, an engine or a conductor that does not answer is waited for: :class:`~zun.saga.SagaInterrupted` says so.
    """
    record = saga.Record()
    if job.action.state is ActionState.UNDOING:
        leftovers = saga.unwind(steps, job, fault=fault)
        return None if not leftovers else "The undoing failed again.", leftovers, record
    try:
        saga.run(
            steps,
            job,
            clock=clock,
            record=record,
            fault=fault,
            cancelled=job.cancelled,
            passing=lambda cause: patient and isinstance(cause, errors.ServiceUnavailable),
        )
    except saga.SagaFailed as failure:
        if not isinstance(failure.cause, errors.ZunError):
            LOG.error("step %s of %s failed", failure.step, job.action.action, exc_info=failure.cause)
        reason = str(failure.cause) or type(failure.cause).__name__
        return reason, failure.leftovers, record
    return None, [], record


def outcome(job: Job, book: Book, reason: str | None, leftovers: list[str], record: saga.Record, *, patient: bool) -> Outcome:
    """The report of a job that has ended. Raises EngineUnavailable while ``patient`` with an engine that does not show how it ended."""
    return Outcome(
        action_uuid=job.work.action.uuid,
        reason=reason,
        observations=_look(job, book, patient, went_well=reason is None),
        sandbox=job.facts() if reason is None else None,
        ports={job.container.uuid: job.ports} if job.ports is not None and reason is None else {},
        digests={job.container.uuid: job.digest} if job.image_id is not None and reason is None else {},
        events=events(record, job.reporter),
        leftovers=leftovers,
    )


def events(record: saga.Record, reporter: Reporter) -> list[StepEvent]:
    """What became of the steps, in the form that is written down."""
    return [
        StepEvent(
            event=event_name(step.name),
            start_time=step.started,
            finish_time=step.finished,
            result="Error" if step.error else "Success",
            traceback=step.error,
            details=reporter.details.get(step.name),
        )
        for step in record.steps
    ]


def _look(job: Job, book: Book, patient: bool, *, went_well: bool) -> list[Observation]:
    """What the engine shows of the container now; nothing if it does not answer, or EngineUnavailable while ``patient``."""
    entry = book.entry(job.container.uuid)
    if entry is None:
        return []
    # What the conductor will not hear from here is told by the next look.
    entry.told = None
    if job.work.action.state is ActionState.UNDOING:
        return []
    try:
        # What a step that went well was answered is as fresh as another look; what changed since is told by an event.
        # Of a rebuild that failed, what counts is the object that was there before, if it is still there.
        revision = job.older() if not went_well and job.action.action == "rebuild" else None
        state = job.seen if went_well and job.seen is not None else job.runtime.inspect(job.container.uuid, revision)
        entry.told = observe(entry, state)
    except errors.EngineUnavailable:
        if patient:
            raise
        return []
    except Exception:
        LOG.exception("container %s could not be looked at", job.container.uuid)
        return []
    return [entry.told]


def press_on(job: Job, steps: Sequence[Step[Job]]) -> list[str]:
    """Do every step, whatever becomes of the others. Returns the names of those that failed."""
    failed = []
    for step in steps:
        try:
            step.do(job)
        except Exception as error:
            LOG.warning("step %s of a forced %s failed: %s", step.name, job.work.action.action, error)
            failed.append(step.name)
    return failed
