"""Where images come from. The promises are tested by ``zun.conformance.images``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from zun.domain.action import Caller
from zun.interfaces.runtime import Credentials, EngineImage, FoundImage, Progress


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An image that a project wants on a host."""

    #: in the words of who asked for it
    reference: str
    project_id: str
    #: what :meth:`Images.choose` has answered
    image_uuid: str | None = None
    #: what opens its registry
    credentials: Credentials | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image goes that was made of a container."""

    #: what it shall be called, with its tag
    reference: str
    project_id: str
    #: of the image; whoever keeps images by uuids keeps it under this one
    uuid: str
    #: what opens its registry
    credentials: Credentials | None = None


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the engine, and its digest in the place that it came from, where that has one."""

    image: EngineImage
    digest: str | None = None


class Images(Protocol):
    """An image driver: brings an image into the engine of this host. Safe for several threads."""

    name: str
    #: whether all hosts find the same, and none is needed to search
    central: bool

    def check(self, reference: str) -> None:
        """Raises InvalidImage for a reference that can never name an image. Looks at nothing outside."""

    def choose(self, reference: str, caller: Caller) -> str | None:
        """The uuid of the image that the caller means, of those that his project may see; None where images have none, and a host finds
        out what is meant. Only looks, with the rights of the caller.

        Raises InvalidImage, SeveralMatches, ImageServiceUnavailable, and NotOffered for a caller who is nobody there.
        """

    def architecture(self, image_uuid: str, caller: Caller) -> str:
        """What the image that :meth:`choose` has answered is built for, in the words of whoever made it; empty where nobody says so
        before it is on a host. Raises ImageServiceUnavailable, and NotOffered as :meth:`choose`."""

    def check_target(self, caller: Caller) -> None:
        """Raises ImageServiceUnavailable where a :meth:`push` would have nowhere to go just now, and NotOffered as :meth:`choose`."""

    def ensure(self, source: Source, policy: str, progress: Callable[[Progress], None]) -> Brought:
        """The image, in the engine, by ``policy`` (always, ifnotpresent, never). Whether the project may have it still is asked anew.

        Nothing becomes an image that did not come whole. Raises ImagePullFailed, ImageServiceUnavailable, what ``progress`` raises to give
        up, and WrongArchitecture for one that this host's engine cannot run.
        """

    def held(self, source: Source) -> EngineImage | None:
        """The image, if the engine has it. Nobody else is asked."""

    def push(self, held: str, target: Target, progress: Callable[[Progress], None]) -> str:
        """Send what the engine holds under ``held``; returns its digest there. May be repeated. Raises ImagePushFailed,
        ImageServiceUnavailable, and what ``progress`` raises to give up."""

    def unpush(self, target: Target) -> None:
        """Leave nothing of a :meth:`push` that did not succeed. May be repeated."""

    def begun(self, uuids: Sequence[str]) -> list[str]:
        """Those of the uuids of some dozens of targets under which there is an image that has no data. Called by conductors."""

    def give_up(self, uuid: str) -> None:
        """Take such an image away, and none that has data; may be repeated. Called by conductors."""

    def remove(self, reference: str) -> None:
        """Take the image off this host. Nothing there is success. Raises ImageInUse."""

    def search(self, term: str, exact: bool, caller: Caller | None) -> list[FoundImage]:
        """Images whose names have the term in them, or are it; of a driver that is ``central``, those that the caller may see. Raises
        ImageSearchFailed, SearchUnavailable, ImageServiceUnavailable."""
