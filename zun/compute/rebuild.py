"""The steps of a rebuild: the next object of a container is made beside the old one, and takes its place once it is known to be good.

The two share the sandbox's network and the container's volumes, so they never run at the same time: the old one is stopped before the
new one is started, and is there to be started again until the new one runs (ADR 0016). Every undo looks at what the engine has: where
the old object is gone there is nothing to go back to, and the new one stays.
"""

from __future__ import annotations

from zun import errors
from zun.compute import create
from zun.compute.job import Job
from zun.domain.lifecycle import Desired, EngineState
from zun.saga import Step


def remove_newer(job: Job) -> None:
    """Remove what the rebuild has made, where the object that it was to follow is still there."""
    older = job.older()
    if older is not None:
        job.runtime.remove(job.container.uuid, keep_revision=older)


def stop_old(job: Job) -> None:
    """Make room for the new object: it needs the ports and the volumes."""
    older = job.older()
    if older is not None:
        job.runtime.stop(job.container.uuid, revision=older)


def start_old(job: Job) -> None:
    """Have the old object as it was."""
    older = job.older()
    if older is not None and job.action.arguments.get("running"):
        create.ensure_sandbox(job)
        job.runtime.start(job.container.uuid, revision=older)


def start_new(job: Job) -> None:
    """Start the new object, if the container is to run. One that has ended already, and not well, is not good."""
    container = job.container
    if container.desired is not Desired.RUNNING:
        return
    job.seen = job.runtime.start(container.uuid, revision=container.revision)
    if job.seen.state is EngineState.EXITED and job.seen.exit_code != 0:
        raise errors.EngineError(reason=f"what was made of {container.image} ended at once with exit code {job.seen.exit_code}")


def stop_new(job: Job) -> None:
    """Make room for the old object again."""
    if job.older() is None:
        return
    try:
        job.runtime.stop(job.container.uuid, revision=job.container.revision)
    except errors.NoSuchObject:
        return


def remove_old(job: Job) -> None:
    """Remove the old object: from here on there is no way back."""
    job.runtime.remove(job.container.uuid, keep_revision=job.container.revision)


#: A create's steps, undone as far as they made something of the rebuild's own; then the two objects change places.
REBUILD = (
    *(Step(step.name, step.do, remove_newer if step.do is create.create_container else None) for step in create.CREATE[:-1]),
    Step("stop_old_container", stop_old, start_old),
    Step("start_new_container", start_new, stop_new),
    Step("remove_old_container", remove_old),
)
