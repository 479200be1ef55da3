"""Where images come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from zun.interfaces.runtime import Credentials, EngineImage


class Images(Protocol):
    """An image driver: brings an image into the engine of this host."""

    name: str

    def check(self, reference: str) -> None:
        """Raises InvalidImage for a reference that can never name an image. Looks at nothing outside."""

    def ensure(self, reference: str, policy: str, credentials: Credentials | None, progress: Callable[[str], None]) -> EngineImage:
        """The image, in the engine, by ``policy`` (always, ifnotpresent, never). Raises ImagePullFailed."""
