"""The steps that bring a container to life, each idempotent by the uuid that it writes on what it makes."""

from __future__ import annotations

import logging

from zun import errors
from zun.compute import pulling
from zun.compute.job import Job
from zun.domain.capsule import needs
from zun.domain.lifecycle import Desired, EngineState
from zun.domain.sandbox import Sandbox
from zun.interfaces.runtime import Bind, ContainerSpec, ContainerState, SandboxSpec
from zun.saga import Step

LOG = logging.getLogger(__name__)


def attach_volumes(job: Job) -> None:
    """Bring the container's mounts to this host, and have what it shares with others of its sandbox."""
    volumes, container = job.plugs.volumes, job.container
    job.binds = volumes.attach(container)
    if container.volume_mounts:
        places = volumes.attach_shared(job.sandbox)
        job.binds += [
            Bind(source=places[mount["volume"]], destination=mount["destination"], read_only=bool(mount.get("read_only")))
            for mount in container.volume_mounts
        ]


def detach_volumes(job: Job) -> None:
    """Take them off again."""
    job.plugs.volumes.detach(job.container)


def remove_volumes(job: Job) -> None:
    """Delete those that were made for it."""
    job.plugs.volumes.remove(job.container)


def pull_image(job: Job) -> None:
    """Have the image in the engine. A container that is made already needs none."""
    container = job.container
    # Before its first attempt a create has made nothing.
    made = None if job.work.action.action == "create" and not job.again else job.runtime.inspect(container.uuid)
    # Only a rebuild makes a newer object beside the one that is there.
    if made is not None and (made.revision >= container.revision or job.work.action.action != "rebuild") and not _orphaned(job, made):
        held = pulling.held(job) if job.work.action.action == "create" else None
        job.ports = held.ports if held else None
        return
    image = pulling.fetch(job)
    job.image_id = image.id
    job.ports = image.ports


def _orphaned(job: Job, made: ContainerState) -> bool:
    """Whether the object waits for its first start in a sandbox that is no more: then it is made anew, and nothing is lost with it."""
    if made.state is not EngineState.CREATED:
        return False
    state = job.runtime.sandbox(job.sandbox.uuid)
    return state is None or (job.sandbox.engine_id is not None and state.engine_id != job.sandbox.engine_id)


def sandbox_spec(sandbox: Sandbox, attachment: str) -> SandboxSpec:
    """What the sandbox shall be. One that is no capsule carries its limits on its container, so that the engine's own tools show them."""
    return SandboxSpec(
        uuid=sandbox.uuid,
        hostname=sandbox.hostname,
        runtime=sandbox.runtime,
        network=attachment,
        cpu=sandbox.cpu if sandbox.capsule else 0.0,
        memory=sandbox.memory if sandbox.capsule else 0,
    )


def ensure_sandbox(job: Job) -> None:
    """Have the sandbox, running."""
    job.state = job.runtime.ensure_sandbox(sandbox_spec(job.sandbox, job.plugs.network.attachment))


def remove_sandbox(job: Job) -> None:
    """Remove it, if nobody else lives there; else hold the others to what they need."""
    if job.alone:
        job.runtime.remove_sandbox(job.sandbox.uuid)
    elif job.sandbox.capsule:
        amounts = needs([one for one in job.work.charge.containers if one.uuid != job.container.uuid])
        try:
            job.runtime.limit_sandbox(job.sandbox.uuid, amounts.cpu, amounts.memory)
        except errors.EngineError as error:
            # Each container is held to its own limits still.
            LOG.warning("sandbox %s stays as large as it was: %s", job.sandbox.uuid, error)


def begin_network(job: Job) -> None:
    """Have the network service begin with what a new sandbox needs: what it does takes longer than all else that there is to do."""
    job.plugs.network.begin(job.sandbox, job.device, again=job.again)


def await_network(job: Job) -> None:
    """Wait until the sandbox's addresses can be used."""
    job.plugs.network.settle(job.plugged, job.cancelled)


def plug_network(job: Job) -> None:
    """Give the sandbox its addresses."""
    if job.state is None:
        raise errors.ZunError(reason="the sandbox is plugged before it is made")
    job.plugged = job.plugs.network.plug(job.sandbox, job.device, job.state)


def unplug_network(job: Job) -> None:
    """Take them away, if nobody else lives there."""
    if job.alone:
        job.plugs.network.unplug(job.device)


def create_container(job: Job) -> None:
    """Make the container's engine object, not started. One that is made already needs no image and is left alone."""
    container = job.container
    if job.image_id is None:
        return
    job.runtime.ensure_container(
        ContainerSpec(
            uuid=container.uuid,
            sandbox_uuid=container.sandbox_uuid,
            name=container.name,
            image=job.image_id,
            revision=container.revision,
            command=container.command,
            entrypoint=container.entrypoint,
            environment=container.environment,
            labels=container.labels,
            workdir=container.workdir,
            interactive=container.interactive,
            tty=container.tty,
            privileged=container.privileged,
            cpu=container.cpu,
            cpu_limit=container.cpu_limit,
            cpuset=job.plugs.cores.of(container, job.sandbox),
            memory=container.memory,
            disk=container.disk,
            healthcheck=container.healthcheck,
            binds=[*job.binds, *_names(job)],
            runtime=job.sandbox.runtime,
            share_process_namespace=job.sandbox.share_process_namespace,
        )
    )


def _names(job: Job) -> list[Bind]:
    """The files by which it knows names; what its user puts in their place is his."""
    taken = {bind.destination for bind in job.binds}
    return [bind for bind in job.plugs.network.files(job.device) if bind.destination not in taken]


def remove_container(job: Job) -> None:
    """Remove every object of the container."""
    job.runtime.remove(job.container.uuid)


def start_wanted(job: Job) -> None:
    """Start the container, if that is what its user wants."""
    if job.container.desired is Desired.RUNNING:
        job.seen = job.runtime.start(job.container.uuid)


def start_container(job: Job) -> None:
    """Start the container."""
    job.seen = job.runtime.start(job.container.uuid)


#: Undone in reverse when any of them fails: a failed create leaves nothing.
CREATE = (
    Step("begin_network", begin_network, unplug_network),
    Step("attach_volumes", attach_volumes, detach_volumes),
    Step("pull_image", pull_image),
    Step("ensure_sandbox", ensure_sandbox, remove_sandbox),
    Step("plug_network", plug_network),
    Step("create_container", create_container, remove_container),
    Step("await_network", await_network),
    Step("start_container", start_wanted),
)

#: The same, for a container that exists as far as anybody knows: what is there is used, what is missing is made, nothing is undone.
ENSURE = tuple(Step(step.name, step.do) for step in CREATE[:-1])
