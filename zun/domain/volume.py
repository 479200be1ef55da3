"""Volumes that the service makes for a container or a capsule, and what it must not forget of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from zun.domain.container import Container
from zun.domain.model import Entity, Field
from zun.domain.sandbox import Sandbox

#: in a mount of a container and in a volume of a capsule: whether the service has made the volume, so that it may be formatted
MADE = "made"


class MadeVolume(Entity, frozen=True, kw_only=True):
    """A volume that is being made for somebody, or was. The row is written before the volume is, and goes after it: a volume whose owner
    is no more, or never came to be, is deleted. Only volumes that have such a row are ever formatted or deleted."""

    project_id: Annotated[str, Field(doc="whose it is", length=255)]
    owner_uuid: Annotated[str, Field(doc="the container or the capsule that it is for", length=36, index=True)]
    name: Annotated[str, Field(doc="by which it is found in the volume service if its id was never learnt", length=255)]
    size: Annotated[int, Field(doc="GiB")]
    volume_id: Annotated[str | None, Field(doc="its id in the volume service, once that is known", length=64)] = None
    stays: Annotated[bool, Field(doc="it is its user's own once its owner was accepted, and does not go with him")] = False
    unborn: Annotated[bool, Field(doc="its owner has not been accepted yet, and may still be")] = True


class Leaving(Entity, frozen=True, kw_only=True):
    """Something was forgotten although nobody could confirm that nothing is left of it: whatever it has in the network service and in the
    volume service is given back, by a conductor."""

    project_id: Annotated[str, Field(doc="whose it was", length=255)]
    owner_uuid: Annotated[str, Field(doc="the container or the capsule that is gone", length=36, unique=True)]
    host: Annotated[str | None, Field(doc="who is to take off first what it has mounted, as long as it is there", length=255)] = None


def new_mounts(container: Container) -> list[dict[str, Any]]:
    """Those of its mounts for which a volume is to be made."""
    return [mount for mount in container.mounts if _is_new(mount)]


def new_volumes(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Those of its volumes that are to be made."""
    return [volume for volume in sandbox.volumes if volume["type"] == "cinder" and _is_new(volume)]


def made(wishes: Sequence[dict[str, Any]], ids: Iterable[str]) -> list[dict[str, Any]]:
    """The mounts or volumes, with the ids of those that were made for them."""
    following = iter(ids)
    return [{**wish, "source": next(following), MADE: True} if _is_new(wish) else wish for wish in wishes]


def _is_new(wish: dict[str, Any]) -> bool:
    return "size" in wish and "source" not in wish and wish["type"] in ("volume", "cinder")
