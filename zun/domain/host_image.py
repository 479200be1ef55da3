"""Images on hosts that somebody asked for by name, or made of a container (REST contract, section 10)."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from zun.domain import image, kinds
from zun.domain.model import Entity, Field, Version

_OURS = Version(1, 41)


class ImageState(enum.StrEnum):
    """Where an image on a host stands."""

    PULLING = "Pulling"
    #: it is being made of a container, and perhaps on its way to its registry
    COMMITTING = "Committing"
    AVAILABLE = "Available"
    ERROR = "Error"
    DELETING = "Deleting"


def _bytes(value: int | None) -> Any:
    return None if value is None else str(value)


class Image(Entity, frozen=True, kw_only=True):
    """One image on one host, under one name."""

    project_id: Annotated[str, Field(doc="whose it is", shown=True, length=255, index=True)]
    user_id: Annotated[str, Field(doc="who asked for it", length=255)]
    host: Annotated[str, Field(doc="the host that has it", create=kinds.HOST_OR_UUID, required=True, shown=True, length=255, index=True)]
    repo: Annotated[
        str, Field(doc="its name: when it is asked for, with a tag or a digest", create=kinds.IMAGE, required=True, shown=True, length=255)
    ]
    tag: Annotated[str, Field(doc="its tag, or a digest that was asked for in its place", shown=True, length=135)] = image.DEFAULT_TAG
    image_id: Annotated[str | None, Field(doc="the engine's name for it", shown=True, length=255)] = None
    size: Annotated[int | None, Field(doc="bytes that it takes on its host, as text", shown=True, show=_bytes)] = None
    digest: Annotated[str | None, Field(doc="its digest as its registry has it", shown=True, shown_since=_OURS, length=135)] = None
    status: Annotated[ImageState, Field(doc="where it stands", shown=True, shown_since=_OURS, length=16)] = ImageState.PULLING
    status_reason: Annotated[str | None, Field(doc="why it is in Error", shown=True, shown_since=_OURS)] = None
    registry_id: Annotated[
        str | None, Field(doc="uuid of the registry whose account opens its registry", shown=True, shown_since=_OURS, length=36, index=True)
    ] = None
    image_driver: Annotated[str, Field(doc="who has it: registries, or Glance under this same uuid", length=16)] = "docker"
    kept: Annotated[bool, Field(doc="made of a container and in no registry: it is under a name of the service's own")] = False

    @property
    def reference(self) -> str:
        """What was asked for, or what it is to be called."""
        return f"{self.repo}@{self.tag}" if ":" in self.tag else f"{self.repo}:{self.tag}"


def own_name(uuid: str) -> str:
    """The engine's name for what was made of a container: nobody can ask for an image of that name, nor put one in its place."""
    return f"{image.RESERVED}/commit/{uuid}:{image.DEFAULT_TAG}"
