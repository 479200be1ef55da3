"""What the driver needs of Glance, in its own words; who answers is :mod:`zun.drivers.image.sdk`, or a fake in tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from zun.interfaces.runtime import Pieces


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An image. ``size`` in bytes; ``record`` is what Glance shows of it."""

    id: str
    name: str = ""
    owner: str = ""
    status: str = "active"
    visibility: str = "private"
    container_format: str = ""
    disk_format: str = ""
    size: int | None = None
    #: in which way its digest was made, and the digest
    hash_algo: str = ""
    hash_value: str = ""
    #: what it is said to be built for
    architecture: str = ""
    record: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """The two as one word."""
        return f"{self.hash_algo}:{self.hash_value}"


class Glance(Protocol):
    """Calls of Glance. With the ``token`` of a user they are made with his rights; without, with the service's, which sees every project.

    All raise ImageServiceUnavailable and ImageServiceRefused.
    """

    def image(self, image_id: str, token: str | None = None) -> Stored | None:
        """An image, or None where there is none that the asking one may see."""

    def images(self, token: str, most: int, **where: str) -> list[Stored]:
        """Up to so many of the images with this ``name``, ``owner``, ``visibility`` ..., the newest first."""

    def has_accepted(self, image_id: str, project_id: str, token: str | None = None) -> bool:
        """Whether an image is shared with a project, and the project has accepted that."""

    def data(self, image_id: str) -> Pieces:
        """What is in it, as it comes."""

    def make(self, body: Mapping[str, Any]) -> None:
        """Make an image without data, with attributes in Glance's names."""

    def fill(self, image_id: str, pieces: Iterator[bytes]) -> None:
        """Give it its data, in pieces as they come; what ``pieces`` raises breaks it off, and is raised."""

    def delete(self, image_id: str) -> None:
        """Delete an image; gone already is as good."""
