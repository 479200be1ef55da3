"""Images from registries, fetched by the engine itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zun import errors
from zun.domain import image
from zun.domain.action import Caller
from zun.drivers.image.fitting import fitting
from zun.interfaces.images import Brought, Source, Target
from zun.interfaces.runtime import EngineImage, FoundImage, Progress, Runtime

#: the most that a search answers: Docker's own bound
MOST_FOUND = 100


class RegistryImages:
    """The image driver ``docker``: the engine of this host pulls. Its name is the contract's, whichever engine that is."""

    name = "docker"
    central = False

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def check(self, reference: str) -> None:
        """Raises InvalidImage for a reference that breaks the grammar."""
        image.parse(reference)

    def choose(self, reference: str, caller: Caller) -> str | None:
        """A registry is asked by the host that pulls. Raises InvalidImage."""
        self.check(reference)
        return None

    def architecture(self, image_uuid: str, caller: Caller) -> str:
        """Not known here, either."""
        return ""

    def check_target(self, caller: Caller) -> None:
        """Which registry it will be is not known here."""

    def ensure(self, source: Source, policy: str, progress: Callable[[Progress], None]) -> Brought:
        """The image, in the engine. ``always`` pulls, ``never`` takes what is there, ``ifnotpresent`` pulls when nothing is there.

        Raises ImagePullFailed, InvalidImage, WrongArchitecture, or ValueError for another policy.
        """
        if policy not in ("always", "ifnotpresent", "never"):
            raise ValueError(policy)
        reference = source.reference
        named = image.parse(reference)
        held = self._runtime.image(reference) if policy != "always" else None
        if held is None and policy == "never":
            raise errors.ImagePullFailed(image=reference, reason="it is not on the host, and the policy is never to pull it")
        held = fitting(
            reference, held or self._runtime.pull(reference, source.credentials, progress), self._runtime.capabilities().architecture
        )
        return Brought(image=held, digest=held.digests.get(named.name))

    def held(self, source: Source) -> EngineImage | None:
        """The image, if the engine has it."""
        return self._runtime.image(source.reference)

    def push(self, held: str, target: Target, progress: Callable[[Progress], None]) -> str:
        """Send what the engine holds under ``held``. Raises ImagePushFailed, InvalidImage."""
        self.check(target.reference)
        return self._runtime.push(held, target.reference, target.credentials, progress)

    def unpush(self, target: Target) -> None:
        """A registry has no image before it has all of it."""

    def begun(self, uuids: Sequence[str]) -> list[str]:
        """See :meth:`unpush`."""
        return []

    def give_up(self, uuid: str) -> None:
        """See :meth:`unpush`."""

    def remove(self, reference: str) -> None:
        """Take it out of the engine. Raises ImageInUse."""
        self._runtime.remove_image(reference)

    def search(self, term: str, exact: bool, caller: Caller | None) -> list[FoundImage]:
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
