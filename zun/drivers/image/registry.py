"""Images from registries, fetched by the engine itself."""

from __future__ import annotations

from collections.abc import Callable

from zun import errors
from zun.domain import image
from zun.interfaces.runtime import Credentials, EngineImage, Runtime


class RegistryImages:
    """The image driver ``docker``: the engine of this host pulls. Its name is the contract's, whichever engine that is."""

    name = "docker"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def check(self, reference: str) -> None:
        """Raises InvalidImage for a reference that breaks the grammar."""
        image.parse(reference)

    def ensure(self, reference: str, policy: str, credentials: Credentials | None, progress: Callable[[str], None]) -> EngineImage:
        """The image, in the engine. ``always`` pulls, ``never`` takes what is there, ``ifnotpresent`` pulls when nothing is there.

        Raises ImagePullFailed, InvalidImage, or ValueError for another policy.
        """
        if policy not in ("always", "ifnotpresent", "never"):
            raise ValueError(policy)
        self.check(reference)
        if policy != "always":
            held = self._runtime.image(reference)
            if held is not None:
                return held
            if policy == "never":
                raise errors.ImagePullFailed(image=reference, reason="it is not on the host, and the policy is never to pull it")
        return self._runtime.pull(reference, credentials, progress)
