"""What a host does with images: brings them, makes them of containers, removes them. Each in a lane of its own, beside the sandboxes'."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from zun import errors, saga
from zun.compute import job as jobs
from zun.compute.job import Opens, Plugs
from zun.compute.lanes import Lanes
from zun.compute.outbox import Outbox
from zun.compute.progress import Reporter
from zun.compute.pulling import source
from zun.domain import image as references
from zun.domain.action import Action, ActionState
from zun.domain.host_image import own_name
from zun.interfaces.images import Images
from zun.interfaces.rpc import Access, ImageFacts, ImageWork, Outcome
from zun.interfaces.runtime import Credentials, EngineImage
from zun.saga import Step

LOG = logging.getLogger(__name__)

#: the image driver whose images hosts hold
DRIVER = "docker"


@dataclass(slots=True)
class ImageJob:
    """What the steps of work on an image stand on; they leave here what the report needs."""

    work: ImageWork
    plugs: Plugs
    opens: Opens
    cancelled: Callable[[], None] = lambda: None
    reporter: Reporter = field(default_factory=Reporter)
    facts: ImageFacts | None = None

    @property
    def action(self) -> Action:
        """The action that this is."""
        return self.work.action

    @property
    def driver(self) -> Images:
        """Who brings and removes images here."""
        return self.plugs.images[DRIVER]

    @property
    def own_name(self) -> str:
        """What the engine calls it while, or because, it is in no registry."""
        return own_name(self.work.image.uuid)

    def source(self) -> tuple[str, Credentials | None]:
        """Its name, completed, and what opens its registry."""
        image = self.work.image
        return source(image.reference, image.registry_id, self.opens, self.plugs.default_registry)


def pull_image(job: ImageJob) -> None:
    """Have the registry's image in the engine."""
    reference, credentials = job.source()
    held = job.driver.ensure(reference, "always", credentials, job.reporter.step("pull_image"))
    job.facts = _facts(held, references.parse(reference).name)


def commit_container(job: ImageJob) -> None:
    """Make the image, under a name that is nobody's."""
    container = job.work.action.container_uuid
    if container is None:
        raise errors.NoSuchObject(id=job.work.image.uuid, engine="the service any more: its container was deleted")
    job.facts = _facts(job.plugs.runtime.commit(container, job.own_name), "")


def push_image(job: ImageJob) -> None:
    """Send it to its registry, if it has one."""
    if job.work.image.kept or job.facts is None:
        return
    reference, credentials = job.source()
    digest = job.driver.push(job.own_name, reference, credentials, job.reporter.step("push_image"))
    job.facts = replace(job.facts, digest=digest)


def remove_copy(job: ImageJob) -> None:
    """What is in its registry need not stay here."""
    if not job.work.image.kept:
        remove_own(job)


def remove_own(job: ImageJob) -> None:
    """Remove what was made of the container."""
    job.driver.remove(job.own_name)


def remove_image(job: ImageJob) -> None:
    """Remove it from the engine."""
    job.driver.remove(job.own_name if job.work.image.kept else job.source()[0])


SAGAS: Mapping[str, Sequence[Step[ImageJob]]] = {
    "pull": (Step("pull_image", pull_image),),
    "commit": (
        Step("commit_container", commit_container, remove_own),
        Step("push_image", push_image),
        Step("remove_copy", remove_copy),
    ),
    "delete": (Step("remove_image", remove_image),),
}


def _facts(held: EngineImage, repository: str) -> ImageFacts:
    return ImageFacts(image_id=held.id, size=held.size, digest=held.digests.get(repository))


class ImageHands:
    """Carries work on images through."""

    def __init__(
        self,
        plugs: Plugs,
        lanes: Lanes,
        outbox: Outbox,
        *,
        clock: Callable[[], datetime],
        fault: saga.FaultPoint,
        patient: Callable[[datetime | None], bool],
        again: float,
        cancelled: Callable[[str], None],
        opens: Callable[[str, str], Access],
        reporter: Callable[[str], Reporter],
    ) -> None:
        """``patient`` says whether an engine that has not answered since then is waited for, ``again`` after how many seconds it is asked
        again. The others are about an action, by its uuid."""
        self._plugs = plugs
        self._lanes = lanes
        self._outbox = outbox
        self._clock = clock
        self._fault = fault
        self._patient = patient
        self._again = again
        self._cancelled = cancelled
        self._opens = opens
        self._reporter = reporter

    def begin(self, work: ImageWork) -> None:
        """Do it when its lane is free."""
        self._lanes.put(work.image.uuid, partial(self._do, work))

    def _do(self, work: ImageWork, since: datetime | None = None) -> None:
        """Whatever happens, it ends: with an outcome, or by being tried again."""
        action = work.action
        try:
            self._outbox.put(self._carried(work, since))
        except saga.SagaInterrupted as pause:
            LOG.warning("%s of image %s waits: %s", action.action, work.image.uuid, pause)
            self._lanes.put(work.image.uuid, partial(self._do, work, since or self._clock()), after=self._again)
        except Exception:
            LOG.exception("%s of image %s failed", action.action, work.image.uuid)
            self._outbox.put(Outcome(action_uuid=action.uuid, reason=f"A fault of the service in {action.action}; see its log."))

    def _carried(self, work: ImageWork, since: datetime | None) -> Outcome:
        action = work.action
        steps = SAGAS.get(action.action)
        if steps is None:
            return Outcome(action_uuid=action.uuid, reason=f"This host cannot {action.action} images.")
        job = ImageJob(
            work,
            self._plugs,
            opens=partial(self._opens, action.uuid),
            cancelled=partial(self._cancelled, action.uuid),
            reporter=self._reporter(action.uuid),
        )
        reason, leftovers, record = jobs.run(job, steps, clock=self._clock, fault=self._fault, patient=self._patient(since))
        went_well = reason is None and action.state is not ActionState.UNDOING
        return Outcome(
            action_uuid=action.uuid,
            reason=reason,
            image=job.facts if went_well else None,
            events=jobs.events(record, job.reporter),
            leftovers=leftovers,
        )
