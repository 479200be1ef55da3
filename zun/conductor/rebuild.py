"""Accepting a rebuild: out of which image, and what is wanted of the container afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import images as host_images
from zun.domain.container import Container
from zun.domain.lifecycle import Desired, Status
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Transaction


def wish(tx: Transaction, container: Container, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the action: the image, if another one was ``asked`` for (see :mod:`~zun.conductor.image_choice`), and whether the
    container runs. Raises InvalidValue for an image that was made of a container on another host.
    """
    arguments: dict[str, Any] = {"running": container.status is Status.RUNNING}
    changes = {name: asked[name] for name in ("image", "image_driver") if asked.get(name) is not None}
    if not changes:
        return arguments
    new = replace(container, **changes, image_uuid=asked.get("image_uuid"), requested_host=container.host)
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    if sandbox is None:
        raise errors.ContainerNotFound(id=container.uuid)
    try:
        _, new = host_images.located(tx, sandbox, new, None)
    except errors.InvalidValue:
        raise errors.InvalidValue(field="image", rule="was made of a container, on another host than this one") from None
    return {**arguments, "image": new.image, "image_driver": new.image_driver, "image_uuid": new.image_uuid}


def wanted(container: Container) -> Desired:
    """What is wanted of it afterwards: that it runs, if it does and is not to end, or ended in Error although it should run."""
    if container.status is Status.RUNNING and container.desired is not Desired.STOPPED:
        return Desired.RUNNING
    if container.status is Status.ERROR and container.desired is Desired.RUNNING:
        return Desired.RUNNING
    return Desired.CREATED
