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
from zun.domain.action import Action, ActionState
from zun.domain.container import REGISTRIES
from zun.domain.host_image import own_name
from zun.interfaces.images import Images, Source, Target
from zun.interfaces.rpc import Access, ImageFacts, ImageWork, Outcome
from zun.interfaces.runtime import Credentials, EngineImage
from zun.saga import Step

LOG = logging.getLogger(__name__)


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
        """Who brings it here, and who gets it. Raises InvalidImage where this host does not have that driver."""
        name = self.work.image.image_driver
        if name not in self.plugs.images:
            raise errors.InvalidImage(image=self.work.image.reference, reason=f"host has no image driver {name!r}")
        return self.plugs.images[name]

    @property
    def own_name(self) -> str:
        """What the engine calls it while, or because, it is in no registry."""
        return own_name(self.work.image.uuid)

    def source(self) -> tuple[str, Credentials | None]:
        """Its name, that of a registry completed, and what opens that."""
        image = self.work.image
        if image.image_driver != REGISTRIES:
            return image.reference, None
        return source(image.reference, image.registry_id, self.opens, self.plugs.default_registry)

    def target(self) -> Target:
        """Where it goes that was made of a container."""
        reference, credentials = self.source()
        image = self.work.image
        return Target(reference=reference, project_id=image.project_id, uuid=image.uuid, credentials=credentials)


def pull_image(job: ImageJob) -> None:
    """Have the registry's image in the engine."""
    reference, credentials = job.source()
    wanted = Source(reference=reference, project_id=job.work.image.project_id, credentials=credentials)
    brought = job.driver.ensure(wanted, "always", job.reporter.step("pull_image"))
    job.facts = _facts(brought.image, brought.digest)


def commit_container(job: ImageJob) -> None:
    """Make the image, under a name that is nobody's."""
    container = job.work.action.container_uuid
    if container is None:
        raise errors.NoSuchObject(id=job.work.image.uuid, engine="the service any more: its container was deleted")
    job.facts = _facts(job.plugs.runtime.commit(container, job.own_name))


def push_image(job: ImageJob) -> None:
    """Send it to its registry, or to Glance, if it is to go anywhere."""
    if job.work.image.kept or job.facts is None:
        return
    digest = job.driver.push(job.own_name, job.target(), job.reporter.step("push_image"))
    job.facts = replace(job.facts, digest=digest)


def unpush_image(job: ImageJob) -> None:
    """Leave nothing there of what was not finished."""
    image = job.work.image
    if not image.kept:
        job.driver.unpush(Target(reference=image.reference, project_id=image.project_id, uuid=image.uuid))


def remove_copy(job: ImageJob) -> None:
    """What is elsewhere need not stay here."""
    if not job.work.image.kept:
        remove_own(job)


def remove_own(job: ImageJob) -> None:
    """Remove what was made of the container."""
    job.plugs.runtime.remove_image(job.own_name)


def remove_image(job: ImageJob) -> None:
    """Remove it from the engine. What was sent elsewhere stays there."""
    if job.work.image.kept or job.work.image.image_driver != REGISTRIES:
        remove_own(job)
    else:
        job.driver.remove(job.source()[0])


SAGAS: Mapping[str, Sequence[Step[ImageJob]]] = {
    "pull": (Step("pull_image", pull_image),),
    "commit": (
        Step("commit_container", commit_container, remove_own),
        Step("push_image", push_image, unpush_image),
        Step("remove_copy", remove_copy),
    ),
    "delete": (Step("remove_image", remove_image),),
}


def _facts(held: EngineImage, digest: str | None = None) -> ImageFacts:
    return ImageFacts(image_id=held.id, size=held.size, digest=digest)


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
