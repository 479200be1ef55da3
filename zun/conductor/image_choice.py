"""Which image is meant by what a request says: found out before anything is written, with the rights of who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.domain import hints
from zun.domain.action import Caller
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.interfaces.images import Images


def driver_of(images: Mapping[str, Images], name: str) -> Images:
    """The image driver of this name. Raises NotOffered."""
    driver = images.get(name)
    if driver is None:
        raise errors.NotOffered(field="image_driver", why=f"this deployment has no image driver {name!r}.")
    return driver


def chosen(images: Mapping[str, Images], caller: Caller, container: Container) -> Container:
    """The container, with the image that is meant if images of its driver have uuids. Raises what :meth:`Images.choose` raises."""
    uuid = driver_of(images, container.image_driver).choose(container.image, caller)
    return container if uuid is None else replace(container, image_uuid=uuid)


def foretold(images: Mapping[str, Images], caller: Caller, sandbox: Sandbox, containers: Sequence[Container]) -> Sandbox:
    """The sandbox, with what is known of its containers' images before there is a host: it is chosen by that. Raises what
    :meth:`Images.architecture` raises."""
    known = [
        driver_of(images, container.image_driver).architecture(container.image_uuid, caller)
        for container in containers
        if container.image_uuid is not None
    ]
    return replace(sandbox, hints=hints.knowing(sandbox.hints, known)) if any(known) else sandbox


def for_rebuild(images: Mapping[str, Images], caller: Caller, container: Container, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a rebuild is asked for, with the image that is meant if it names one. Raises NotOffered, and as :func:`chosen`."""
    changes = {name: asked[name] for name in ("image", "image_driver") if asked.get(name) is not None}
    if not changes:
        return dict(asked)
    new = chosen(images, caller, replace(container, **changes, image_uuid=None))
    return {**asked, **{name: getattr(new, name) for name in ("image", "image_driver", "image_uuid")}}
