"""Work on a whole sandbox: what is done to every container of a capsule, as one action. All of it is done, or all of it undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from zun import errors, saga
from zun.compute import create
from zun.compute import job as jobs
from zun.compute.book import Book
from zun.compute.job import Job
from zun.domain.action import Action
from zun.domain.lifecycle import EngineState
from zun.interfaces.rpc import Outcome, Work
from zun.saga import Step


@dataclass(slots=True)
class Crew:
    """The jobs of all containers of a sandbox, in order, which are one piece of work."""

    work: Work
    jobs: list[Job]
    cancelled: Callable[[], None] = lambda: None

    @property
    def action(self) -> Action:
        """The action that this is."""
        return self.work.action

    @property
    def first(self) -> Job:
        """The one by which is done what is done once for the sandbox."""
        return self.jobs[0]


def each(do: Callable[[Job], None]) -> Callable[[Crew], None]:
    """Do it for one container after the other. A failure says whose it is."""

    def do_all(crew: Crew) -> None:
        for job in crew.jobs:
            crew.cancelled()
            _named(job, do)

    return do_all


def every(undo: Callable[[Job], None]) -> Callable[[Crew], None]:
    """Undo it for all, the last one first; one that fails does not keep the others from being undone. Raises the first failure."""

    def undo_all(crew: Crew) -> None:
        _raise_first(_tried(lambda job=job: undo(job)) for job in reversed(crew.jobs))  # type: ignore[misc]

    return undo_all


def once(do: Callable[[Job], None]) -> Callable[[Crew], None]:
    """Do what is the sandbox's, not a container's."""
    return lambda crew: do(crew.first)


def _named(job: Job, do: Callable[[Job], None]) -> None:
    try:
        do(job)
    except (errors.ServiceUnavailable, errors.Cancelled):
        raise
    except errors.ZunError as error:
        raise errors.OfContainer(name=job.container.name, reason=error) from error


def _tried(do: Callable[[], None]) -> Exception | None:
    try:
        do()
    except Exception as error:
        return error
    return None


def _raise_first(outcomes: Iterable[Exception | None]) -> None:
    failed = [error for error in list(outcomes) if error is not None]
    if failed:
        raise failed[0]


def ensure_sandbox(crew: Crew) -> None:
    """Have the sandbox, running."""
    create.ensure_sandbox(crew.first)
    for job in crew.jobs:
        job.state = crew.first.state


def remove_sandbox(crew: Crew) -> None:
    """Remove it with all that is in it."""
    crew.first.runtime.remove_sandbox(crew.first.sandbox.uuid)


def unplug_network(crew: Crew) -> None:
    """Take its addresses away."""
    crew.first.plugs.network.unplug(crew.first.device)


def detach_volumes(crew: Crew) -> None:
    """Take the containers' mounts off the host, and remove what they shared."""
    every(create.detach_volumes)(crew)
    crew.first.plugs.volumes.detach_shared(crew.first.sandbox)


def remove_volumes(crew: Crew) -> None:
    """Delete those that were made for the sandbox, and go with it."""
    crew.first.plugs.volumes.remove_shared(crew.first.sandbox)


def start_first(crew: Crew) -> None:
    """Start those whose turn it is before all others: the first initialising one, or all where there is none.

    The rest have their turn when the conductors hear that it has ended. What has begun already (in an earlier life) is left alone.
    """
    inits = [job for job in crew.jobs if job.container.init]
    for job in inits[:1] or crew.jobs:
        crew.cancelled()
        _named(job, _start_new)


def _start_new(job: Job) -> None:
    begun = job.runtime.inspect(job.container.uuid) if job.again else None
    if begun is None or begun.state is EngineState.CREATED:
        job.seen = job.runtime.start(job.container.uuid)


def stop_all(crew: Crew) -> None:
    """Ask all to end at once, and end each after its grace; gone already is as good."""

    def stop(job: Job) -> None:
        try:
            job.runtime.stop(job.container.uuid, job.container.grace)
        except (errors.NoSuchObject, errors.NotRunning):
            return

    with ThreadPoolExecutor(max_workers=len(crew.jobs), thread_name_prefix="stopping") as pool:
        outcomes = list(pool.map(lambda job: _tried(lambda: _named(job, stop)), crew.jobs))
    _raise_first(outcomes)


#: As ``create.CREATE``, for all: images first, so that nothing begins that lacks another's image.
CREATE = (
    Step("begin_network", once(create.begin_network), unplug_network),
    Step("attach_volumes", each(create.attach_volumes), detach_volumes),
    Step("pull_image", each(create.pull_image)),
    Step("ensure_sandbox", ensure_sandbox, remove_sandbox),
    Step("plug_network", once(create.plug_network)),
    Step("create_container", each(create.create_container), every(create.remove_container)),
    Step("await_network", once(create.await_network)),
    Step("start_container", start_first),
)

SAGAS: Mapping[str, Sequence[Step[Crew]]] = {
    "create": CREATE,
    "delete": (
        Step("stop_container", stop_all),
        Step("remove_container", every(create.remove_container)),
        Step("unplug_network", unplug_network),
        Step("remove_sandbox", remove_sandbox),
        Step("detach_volumes", detach_volumes),
        Step("remove_volumes", remove_volumes),
    ),
}


def outcome(crew: Crew, book: Book, reason: str | None, leftovers: list[str], record: saga.Record, *, patient: bool) -> Outcome:
    """The report of work on all. Raises EngineUnavailable while ``patient`` with an engine that does not show how it ended."""
    told = [jobs.outcome(job, book, reason, leftovers, record, patient=patient) for job in crew.jobs]
    return Outcome(
        action_uuid=crew.action.uuid,
        reason=reason,
        observations=[seen for one in told for seen in one.observations],
        sandbox=crew.first.facts() if reason is None else None,
        ports={uuid: ports for one in told for uuid, ports in one.ports.items()},
        digests={uuid: digest for one in told for uuid, digest in one.digests.items()},
        events=told[0].events,
        leftovers=leftovers,
    )
