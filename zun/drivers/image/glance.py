"""Images that Glance keeps as archives (ADR 0025): found with the rights of who asks, fetched with the service's own."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence

from zun import errors
from zun.domain import image as references
from zun.domain.action import Caller
from zun.drivers.image.archive import one_image
from zun.drivers.image.cloud import Glance, Stored
from zun.drivers.image.fitting import fitting
from zun.drivers.image.manifest import BadArchive, Foreign
from zun.drivers.image.shelf import Shelf
from zun.interfaces.images import Brought, Source, Target
from zun.interfaces.runtime import EngineImage, FoundImage, Progress, Runtime

#: what containers' images are for Glance
CONTAINER_FORMAT, DISK_FORMAT = "docker", "raw"
#: how the engine calls them: nobody can ask for an image of such a name, nor put one in its place
UNDER = f"{references.RESERVED}/glance"

#: ways to make a digest that nobody is known to have deceived
_DIGESTS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b"})
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: so many images of one name are looked at
_NAMESAKES = 25
#: so many are looked at in a search, and so many told of
_SEARCHED, _FOUND = 1000, 100
#: characters of a digest that tell one from all others
_ENOUGH = 64

_UNKNOWN = "the project sees no such image in Glance"


class GlanceImages:
    """The image driver ``glance``."""

    name = "glance"
    central = True

    def __init__(self, glance: Glance, runtime: Runtime, shelf: Shelf, *, largest: int) -> None:
        """``largest``: the most bytes of an image, archive or not."""
        self._glance, self._runtime, self._shelf, self._largest = glance, runtime, shelf, largest

    # -- for requests ----------------------------------------------------------------------------

    def check(self, reference: str) -> None:
        """A name may be any text."""
        if not reference.strip():
            raise errors.InvalidImage(image=reference, reason="an image has a name or a uuid")

    def choose(self, reference: str, caller: Caller) -> str | None:
        """The uuid of the image that is meant by a uuid, a name, or ``name:tag``. Raises InvalidImage, SeveralMatches, NotOffered."""
        token = _token(caller, "image_driver")
        if _UUID.fullmatch(reference.lower()):
            found = self._glance.image(reference, token)
            if found is not None:
                return self._usable(found, reference, caller.project_id, token).id
        for where in _meant(reference):
            own = [each for each in self._named(token, owner=caller.project_id, **where) if each.owner == caller.project_id]
            if own:
                return self._only(reference, own).id
            others = [*self._named(token, visibility="public", **where), *self._shared(token, caller.project_id, where)]
            if others:
                return self._only(reference, others).id
        raise errors.InvalidImage(image=reference, reason=_UNKNOWN)

    def architecture(self, image_uuid: str, caller: Caller) -> str:
        """See the Protocol: a property of the image, by the name that it has for Nova too."""
        found = self._glance.image(image_uuid, _token(caller, "image_driver"))
        return found.architecture if found is not None else ""

    def check_target(self, caller: Caller) -> None:
        """Raises ImageServiceUnavailable where Glance does not answer, NotOffered for a caller without a token."""
        self._glance.images(_token(caller, "repository"), 1)

    def search(self, term: str, exact: bool, caller: Caller | None) -> list[FoundImage]:
        """Images of containers that the caller's own list in Glance has, by their names or uuids."""
        if caller is None:
            raise errors.NotOffered(field="image_driver", why="images of Glance are searched with the rights of somebody.")
        where = {"container_format": CONTAINER_FORMAT, **({"name": term} if exact else {})}
        found = self._glance.images(_token(caller, "image_driver"), _SEARCHED, **where)
        lower = term.lower()
        told = [each for each in found if exact or lower in each.name.lower() or lower == each.id.lower()]
        return [FoundImage(name=each.name, record=each.record) for each in told[:_FOUND]]

    # -- on a host -------------------------------------------------------------------------------

    def ensure(self, source: Source, policy: str, progress: Callable[[Progress], None]) -> Brought:
        """The image, in the engine, under a name that its uuid and its digest make: what bears that need not be fetched again, and
        nobody gets it whom Glance would not give it just now."""
        if policy not in ("always", "ifnotpresent", "never"):
            raise ValueError(policy)
        stored = self._allowed(source)
        name = engine_name(stored)
        with self._shelf.alone(name, wanted=lambda: progress(Progress())):
            held = self._shelf.take(name)
            if held is None and policy == "never":
                raise _failed(source, "it is not on the host, and the policy is never to pull it")
            held = held or self._fetched(source, stored, name, progress)
        return Brought(image=fitting(source.reference, held, self._host), digest=stored.digest)

    def held(self, source: Source) -> EngineImage | None:
        """The image, if the engine has it."""
        found = self._runtime.images(f"{UNDER}/{(source.image_uuid or '').lower()}") if source.image_uuid else []
        return self._runtime.image(found[0].name) if found else None

    def push(self, held: str, target: Target, progress: Callable[[Progress], None]) -> str:
        """Make the image in Glance, the project's own and private, under the uuid that was promised. Raises ImagePushFailed."""
        known = self._made(target)
        if known.status == "active":
            return known.digest  # an earlier life has sent it
        ours = hashlib.sha512()
        with contextlib.closing(self._saved(held, target, progress)) as pieces:

            def counted() -> Iterator[bytes]:
                for piece in pieces:
                    ours.update(piece)
                    yield piece

            self._glance.fill(target.uuid, counted())
        known = self._glance.image(target.uuid) or known
        if known.status != "active" or (known.hash_algo == "sha512" and known.hash_value != ours.hexdigest()):
            raise errors.ImagePushFailed(image=target.reference, reason=f"Glance has not got it as it was sent; it is {known.status}")
        return known.digest

    def unpush(self, target: Target) -> None:
        """Delete the image in Glance that was not finished."""
        known = self._glance.image(target.uuid)
        if known is not None and known.owner == target.project_id:
            self._glance.delete(target.uuid)

    def begun(self, uuids: Sequence[str]) -> list[str]:
        """See the Protocol."""
        return [uuid for uuid in uuids if self._waits_for_data(uuid)]

    def give_up(self, uuid: str) -> None:
        """See the Protocol."""
        if self._waits_for_data(uuid):
            self._glance.delete(uuid)

    def remove(self, reference: str) -> None:
        """Take an image off this host, by the engine's name for it."""
        self._runtime.remove_image(reference)

    # -- within ----------------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        return self._runtime.capabilities().architecture

    def _waits_for_data(self, uuid: str) -> bool:
        known = self._glance.image(uuid)
        return known is not None and known.status == "queued"

    def _named(self, token: str, **where: str) -> list[Stored]:
        return self._glance.images(token, _NAMESAKES, **where)

    def _shared(self, token: str, project_id: str, where: dict[str, str]) -> list[Stored]:
        """Those that others share with the project, and that it has accepted: an administrator's list has all others, too."""
        listed = self._named(token, visibility="shared", member_status="accepted", **where)
        return [each for each in listed if each.owner == project_id or self._glance.has_accepted(each.id, project_id, token)]

    def _usable(self, found: Stored, reference: str, project_id: str, token: str | None) -> Stored:
        """The image, if the project may see it and a container can be made of it. Raises InvalidImage."""
        fault = self._unseen(found, project_id, token) or _fault(found) or self._too_large(found)
        if fault is not None:
            raise errors.InvalidImage(image=reference, reason=fault)
        return found

    def _unseen(self, found: Stored, project_id: str, token: str | None) -> str | None:
        """Why the project may not see it, if it may not."""
        if found.owner == project_id or found.visibility in ("public", "community"):
            return None
        if found.visibility == "shared" and self._glance.has_accepted(found.id, project_id, token):
            return None
        return _UNKNOWN

    def _only(self, reference: str, found: list[Stored]) -> Stored:
        """The one of these namesakes that can be used. Raises SeveralMatches, InvalidImage."""
        faults = {each.id: _fault(each) or self._too_large(each) for each in found}
        usable = {each.id: each for each in found if faults[each.id] is None}
        if len(usable) > 1:
            raise errors.SeveralMatches(what="images of Glance", name=reference)
        if not usable:
            raise errors.InvalidImage(image=reference, reason=faults[found[0].id])
        return usable.popitem()[1]

    def _too_large(self, found: Stored) -> str | None:
        if found.size is not None and found.size > self._largest:
            return f"it has {found.size} bytes, and this deployment takes at most {self._largest}"
        return None

    def _allowed(self, source: Source) -> Stored:
        """The image as Glance has it now. Raises ImagePullFailed where the project may not have it, or nobody can any more."""
        if source.image_uuid is None:
            raise _failed(source, "nobody has said which one of Glance's it is")
        found = self._glance.image(source.image_uuid)
        if found is None:
            raise _failed(source, "Glance has it no more")
        fault = self._unseen(found, source.project_id, None) or _fault(found) or self._too_large(found)
        if fault is None and (found.hash_algo not in _DIGESTS or not found.hash_value):
            fault = "Glance has no digest of it that can be relied on"
        if fault is not None:
            raise _failed(source, fault)
        return found

    def _fetched(self, source: Source, stored: Stored, name: str, progress: Callable[[Progress], None]) -> EngineImage:
        digest = hashlib.new(stored.hash_algo)

        def verify() -> None:
            if digest.hexdigest() != stored.hash_value:
                raise _failed(source, f"what Glance has sent does not have the {stored.hash_algo} digest that it should have")

        with contextlib.closing(self._glance.data(stored.id)) as data:

            def counted() -> Iterator[bytes]:
                done = 0
                for piece in data:
                    digest.update(piece)
                    done += len(piece)
                    progress(Progress(of=stored.id, what="Downloading", done=done, total=stored.size))
                    yield piece

            self._shelf.make_room(stored.size or 0)
            archive = one_image(counted(), name, limit=self._largest, host=self._host, verify=verify)
            try:
                self._runtime.load(archive, name)
            except Foreign as foreign:
                raise errors.WrongArchitecture(image=source.reference, built=foreign.built, host=self._host) from foreign
            except BadArchive as bad:
                raise _failed(source, f"the archive {bad}") from bad
            except errors.EngineError as error:
                raise _failed(source, error.details["reason"]) from error
        held = self._shelf.take(name)
        if held is None:
            raise _failed(source, "the engine has read it, but does not have it")
        self._shelf.make_room(0)
        return held

    def _made(self, target: Target) -> Stored:
        """The image in Glance, which waits for its data or has them. Raises ImagePushFailed."""
        name, tag = references.split(target.reference)
        known = self._glance.image(target.uuid)
        if known is None:
            made = {"id": target.uuid, "name": name, "owner": target.project_id, "visibility": "private", "tags": [tag]}
            try:
                self._glance.make({**made, "container_format": CONTAINER_FORMAT, "disk_format": DISK_FORMAT})
            except errors.ImageServiceRefused as refusal:
                raise errors.ImagePushFailed(image=target.reference, reason=refusal.details["reason"]) from refusal
            return Stored(id=target.uuid, owner=target.project_id, status="queued")
        if known.owner != target.project_id:
            raise errors.ImagePushFailed(image=target.reference, reason="somebody else has an image of its uuid")
        if known.status == "saving":
            raise errors.ImageServiceUnavailable(reason=f"image {target.uuid} waits for what was broken off")
        if known.status not in ("queued", "active"):
            raise errors.ImagePushFailed(image=target.reference, reason=f"in Glance it is {known.status}")
        return known

    def _saved(self, held: str, target: Target, progress: Callable[[Progress], None]) -> Generator[bytes, None, None]:
        """An archive of what the engine holds, which calls it what it shall be called."""
        known, done = self._runtime.image(held), 0
        try:
            with contextlib.closing(self._runtime.save(held)) as saved:
                for piece in one_image(saved, target.reference, limit=self._largest):
                    done += len(piece)
                    progress(Progress(of=target.uuid, what="Pushing", done=done, total=known.size if known else None))
                    yield piece
        except BadArchive as bad:
            raise errors.ImagePushFailed(image=target.reference, reason=f"the engine's archive {bad}") from bad
        except errors.NoSuchObject as gone:
            raise errors.ImagePushFailed(image=target.reference, reason="the host does not hold it any more") from gone


def engine_name(stored: Stored) -> str:
    """The engine's name for an image: another digest is another image."""
    return f"{UNDER}/{stored.id.lower()}:{stored.hash_value[:_ENOUGH]}"


def _token(caller: Caller, field: str) -> str:
    if not caller.token:
        raise errors.NotOffered(field=field, why="images of Glance are for users of Keystone.")
    return caller.token


def _meant(reference: str) -> list[dict[str, str]]:
    """What a name may mean, in order: all of it is the name, or the last part is a tag."""
    name, colon, tag = reference.rpartition(":")
    return [{"name": reference}, *([{"name": name, "tag": tag}] if name and colon and tag else [])]


def _fault(found: Stored) -> str | None:
    """Why no container can be made of an image, if none can."""
    if (found.container_format, found.disk_format) != (CONTAINER_FORMAT, DISK_FORMAT):
        formats = f"{found.container_format or 'none'} and {found.disk_format or 'none'}"
        return f"its container and disk formats must be {CONTAINER_FORMAT} and {DISK_FORMAT}, and are {formats}"
    return None if found.status == "active" else f"it is {found.status} in Glance"


def _failed(source: Source, reason: str) -> errors.ImagePullFailed:
    return errors.ImagePullFailed(image=source.reference, reason=reason)
