"""Where images come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from zun.interfaces.runtime import Credentials, EngineImage, FoundImage, Progress


class Images(Protocol):
    """An image driver: brings an image into the engine of this host."""

    name: str

    def check(self, reference: str) -> None:
        """Raises InvalidImage for a reference that can never name an image. Looks at nothing outside."""

    def ensure(self, reference: str, policy: str, credentials: Credentials | None, progress: Callable[[Progress], None]) -> EngineImage:
        """The image, in the engine, by ``policy`` (always, ifnotpresent, never). Raises ImagePullFailed, and WrongArchitecture for one
        that this host's engine cannot run."""

    def push(self, held: str, reference: str, credentials: Credentials | None, progress: Callable[[Progress], None]) -> str:
        """Send what the engine holds under ``held`` to where ``reference`` says; returns its digest there. Raises ImagePushFailed."""

    def remove(self, reference: str) -> None:
        """Take the image off this host. Nothing there is success. Raises ImageInUse."""

    def search(self, term: str, exact: bool) -> list[FoundImage]:
        """Images whose names have the term in them, or are it. Raises ImageSearchFailed."""
