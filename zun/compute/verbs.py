"""What a host does for each verb: a saga. A new verb is a row here, a row in ``domain.lifecycle.VERBS`` and a row of the API."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.compute import create
from zun.compute.create import CREATE, ENSURE
from zun.compute.job import Job
from zun.compute.rebuild import REBUILD
from zun.domain.capsule import needs
from zun.domain.container import DEDICATED
from zun.domain.sandbox import own_cores
from zun.saga import Step


def _timeout(job: Job) -> int | None:
    value = job.work.action.arguments.get("timeout")
    return job.container.grace if value is None else int(value)


def stop_container(job: Job) -> None:
    """Ask it to end, and end it after the grace."""
    job.seen = job.runtime.stop(job.container.uuid, _timeout(job))


def stop_first(job: Job) -> None:
    """Stop it before its deletion, if the request said so; gone already is as good."""
    if job.work.action.arguments.get("stop"):
        try:
            job.runtime.stop(job.container.uuid, _timeout(job))
        except (errors.NoSuchObject, errors.NotRunning):
            return


def stop_present(job: Job) -> None:
    """Stop it, if the engine has it."""
    try:
        job.runtime.stop(job.container.uuid, _timeout(job))
    except errors.NoSuchObject:
        return


def kill_container(job: Job) -> None:
    """Send the signal. Where it may have been sent before, a container that has ended is as good."""
    try:
        job.seen = job.runtime.kill(job.container.uuid, job.work.action.arguments.get("signal") or "KILL")
    except errors.NotRunning:
        if not job.again:
            raise


def pause_container(job: Job) -> None:
    """Freeze it."""
    job.seen = job.runtime.pause(job.container.uuid)


def unpause_container(job: Job) -> None:
    """Thaw it."""
    job.seen = job.runtime.unpause(job.container.uuid)


def set_limits(job: Job) -> None:
    """Set the limits that were asked for."""
    wanted = job.action.arguments
    with contextlib.suppress(errors.NoSuchObject):  # what is made next is made with them
        job.runtime.update(job.container.uuid, wanted.get("cpu"), wanted.get("memory"), _own_cores(job, wanted))
    _hold_together(job, wanted)


def restore_limits(job: Job) -> None:
    """Set those from before: an engine that refused may have set one of the two. What it will not take now either stays as it is."""
    before = job.action.arguments.get("before") or {}
    with contextlib.suppress(errors.NoSuchObject, errors.EngineError):
        job.runtime.update(job.container.uuid, before.get("cpu"), before.get("memory"))
    # But for its cores: it must have left those that it was to get, before anybody else gets them.
    cores = _own_cores(job, before)
    if cores is not None:
        with contextlib.suppress(errors.NoSuchObject):
            job.runtime.update(job.container.uuid, cpuset=cores)
    with contextlib.suppress(errors.EngineError):
        _hold_together(job, before)


def change_network(job: Job) -> None:
    """Attach or detach a network, put it into a security group or take it out."""
    create.ensure_sandbox(job)
    if job.state is not None:
        job.plugged = job.plugs.network.change(job.sandbox, job.device, job.state, job.action.action, job.action.arguments)
        job.plugs.network.settle(job.plugged, job.cancelled)


def undo_attachment(job: Job) -> None:
    """Detach what was not attached before."""
    if job.action.arguments.get("network") not in job.sandbox.addresses:
        state = job.state or job.runtime.sandbox(job.sandbox.uuid)
        if state is not None:
            job.plugs.network.undo_change(job.sandbox, job.device, state, job.action.action, job.action.arguments)


def _hold_together(job: Job, limits: Mapping[str, Any]) -> None:
    """Hold a capsule's containers together to what they need when this one has these limits."""
    if job.sandbox.capsule:
        own = replace(job.container, **{name: limits[name] for name in ("cpu", "memory") if limits.get(name) is not None})
        amounts = needs([own if one.uuid == own.uuid else one for one in job.work.charge.containers])
        job.runtime.limit_sandbox(job.sandbox.uuid, amounts.cpu, amounts.memory)


def _own_cores(job: Job, limits: Mapping[str, Any]) -> list[int] | None:
    """The cores that go with these limits, where the container has cores of its own and they are changed."""
    if job.container.cpu_policy != DEDICATED or limits.get("cpu") is None:
        return None
    return own_cores(job.sandbox, limits["cpu"])


SAGAS: Mapping[str, Sequence[Step[Job]]] = {
    "create": CREATE,
    "start": (*ENSURE, Step("start_container", create.start_container)),
    "stop": (Step("stop_container", stop_container),),
    "reboot": (Step("stop_container", stop_present), *ENSURE, Step("start_container", create.start_container)),
    "kill": (Step("kill_container", kill_container),),
    "pause": (Step("pause_container", pause_container),),
    "unpause": (Step("unpause_container", unpause_container),),
    "rebuild": REBUILD,
    "network_attach": (Step("attach_network", change_network, undo_attachment),),
    "network_detach": (Step("detach_network", change_network),),
    "add_security_group": (Step("add_security_group", change_network),),
    "remove_security_group": (Step("remove_security_group", change_network),),
    "resize_container": (Step("set_limits", set_limits, restore_limits),),
    "delete": (
        Step("stop_container", stop_first),
        Step("remove_container", create.remove_container),
        Step("unplug_network", create.unplug_network),
        Step("remove_sandbox", create.remove_sandbox),
        Step("detach_volumes", create.detach_volumes),
        Step("remove_volumes", create.remove_volumes),
    ),
}
