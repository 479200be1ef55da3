"""Images from registries, fetched by the engine itself."""

from __future__ import annotations

from collections.abc import Callable

from zun import errors
from zun.domain import architecture, image
from zun.interfaces.runtime import Credentials, EngineImage, FoundImage, Progress, Runtime

#: the most that a search answers: Docker's own bound
MOST_FOUND = 100


class RegistryImages:
    """The image driver ``docker``: the engine of this host pulls. Its name is the contract's, whichever engine that is."""

    name = "docker"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def check(self, reference: str) -> None:
        """Raises InvalidImage for a reference that breaks the grammar."""
        image.parse(reference)

    def ensure(self, reference: str, policy: str, credentials: Credentials | None, progress: Callable[[Progress], None]) -> EngineImage:
        """The image, in the engine. ``always`` pulls, ``never`` takes what is there, ``ifnotpresent`` pulls when nothing is there.

        Raises ImagePullFailed, InvalidImage, WrongArchitecture, or ValueError for another policy.
        """
        if policy not in ("always", "ifnotpresent", "never"):
            raise ValueError(policy)
        self.check(reference)
        held = self._runtime.image(reference) if policy != "always" else None
        if held is None and policy == "never":
            raise errors.ImagePullFailed(image=reference, reason="it is not on the host, and the policy is never to pull it")
        return self._fitting(reference, held or self._runtime.pull(reference, credentials, progress))

    def push(self, held: str, reference: str, credentials: Credentials | None, progress: Callable[[Progress], None]) -> str:
        """Send what the engine holds under ``held``. Raises ImagePushFailed, InvalidImage."""
        self.check(reference)
        return self._runtime.push(held, reference, credentials, progress)

    def remove(self, reference: str) -> None:
        """Take it out of the engine. Raises ImageInUse."""
        self._runtime.remove_image(reference)

    def search(self, term: str, exact: bool) -> list[FoundImage]:
        """What the hub has, or the registry that the term names. Raises ImageSearchFailed for that one, SearchUnavailable for the hub."""
        try:
            found = self._runtime.search_images(term, MOST_FOUND)
        except errors.ImageSearchFailed as failure:
            if image.names_registry(term):
                raise
            raise errors.SearchUnavailable(reason=failure.details["reason"]) from failure
        # A registry may or may not put its own name before those that it has found.
        names = {term, term.partition("/")[2] if image.names_registry(term) else term}
        return [each for each in found if not exact or each.name in names]

    def _fitting(self, reference: str, held: EngineImage) -> EngineImage:
        host = self._runtime.capabilities().architecture
        if not architecture.runs(host, held.architecture):
            raise errors.WrongArchitecture(image=reference, built=held.architecture, host=host)
        return held
