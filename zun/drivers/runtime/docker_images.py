"""Docker's images: what it holds, fetched from registries and sent there, made of containers, removed, searched for."""

from __future__ import annotations

import contextlib
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from zun import errors
from zun.domain import image as references
from zun.drivers.runtime import docker_flow, docker_pull, docker_read, docker_wire, labels
from zun.drivers.runtime.docker_flow import Flow
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.docker_objects import Objects, missing, yes
from zun.drivers.runtime.docker_pull import pull, push
from zun.drivers.runtime.docker_wire import Refused
from zun.interfaces.runtime import Credentials, EngineImage, FoundImage, HeldImage, Progress

#: the most characters of a description that a search passes on
_DESCRIPTION = 1000

#: labels of ours that an image inherits from the container that it is made of. Emptied: by them things are found to be removed.
_CLEARED = dict.fromkeys((labels.DEPLOYMENT, labels.SANDBOX, labels.CONTAINER, labels.REVISION, labels.KEPT, labels.SCHEME), "")


def silent(told: Progress) -> None:
    """The progress callback of who does not care."""


@dataclass(frozen=True, slots=True)
class _Sending:
    """An image that bears, while it is pushed, a name that is not its own here."""

    engine_id: str
    #: what the name meant before
    before: EngineImage | None


class DockerImages:
    """The part of the Docker driver that is about images."""

    _http: DockerHttp
    _objects: Objects
    _timeout: float
    _pull_timeout: float

    def __init__(self) -> None:
        self._sending: dict[str, _Sending] = {}
        self._names = threading.Lock()

    def image(self, reference: str) -> EngineImage | None:
        """The image that the engine holds under this reference, or None. Raises InvalidImage."""
        named = references.parse(reference, ours=True).exact
        held = self._held(named)
        with self._names:
            sending = self._sending.get(named)
        # Docker can push an image under no name but the one that it shall have there: here that must not put it in anybody's place.
        return sending.before if sending is not None and held is not None and held.id == sending.engine_id else held

    def pull(self, reference: str, credentials: Credentials | None = None, progress: Callable[[Progress], None] = silent) -> EngineImage:
        """Fetch an image. Raises ImagePullFailed with the registry's sentence, InvalidImage, and what ``progress`` raises to give up."""
        pull(self._http, references.parse(reference), credentials, progress, self._pull_timeout)
        held = self.image(reference)
        if held is None:
            raise errors.ImagePullFailed(image=reference, reason="it was pulled, but is not there")
        return held

    def commit(self, uuid: str, reference: str) -> EngineImage:
        """Make an image of a container; Docker freezes it, and thaws it again whether or not it can. Raises NoSuchObject."""
        named = references.parse(reference, ours=True)
        query = {"container": self._objects.newest(uuid), "repo": named.name, "tag": named.tag, "pause": 1}
        answer = self._http.call("POST", "/commit", query=query, body={"Labels": _CLEARED}, timeout=self._pull_timeout)
        if answer.status == 404:
            raise missing(uuid)
        yes(answer)
        held = self._held(named.exact)
        if held is None:
            raise errors.EngineError(reason=f"an image was made of container {uuid}, but is not there")
        return held

    def push(self, held: str, reference: str, credentials: Credentials | None = None, progress: Callable[[Progress], None] = silent) -> str:
        """Send an image to a registry. Raises ImagePushFailed with the registry's sentence, and what ``progress`` raises to give up."""
        target = references.parse(reference)
        source = self._held(references.parse(held, ours=True).exact)
        if source is None:
            raise errors.ImagePushFailed(image=reference, reason="the host does not hold it any more")
        with self._named(source.id, target):
            return push(self._http, target, credentials, progress, self._pull_timeout)

    def images(self, under: str) -> list[HeldImage]:
        """What Docker holds under these names."""
        filters = msgspec.json.encode({"reference": [under, f"{under}/*"]}).decode()
        lines = yes(self._http.call("GET", "/images/json", query={"filters": filters})).data or ()
        return [
            HeldImage(name=name, id=line["Id"], size=int(line.get("Size") or 0))
            for line in lines
            for name in line.get("RepoTags") or ()
            if name.startswith((f"{under}:", f"{under}/"))
        ]

    def load(self, pieces: Iterator[bytes], reference: str) -> EngineImage:
        """Have the image of an archive. Raises EngineError with Docker's sentence, and what ``pieces`` raises."""
        try:
            told = docker_wire.upload(self._http, "/images/load", {"quiet": 1}, pieces, method="POST", patience=self._pull_timeout)
        except Refused as refusal:
            raise errors.EngineError(reason=refusal.message) from refusal
        if reason := docker_pull.failure_in(told):
            raise errors.EngineError(reason=reason)
        held = self._held(references.parse(reference, ours=True).exact)
        if held is None:
            raise errors.EngineError(reason=f"it has read an archive, and nothing in it is called {reference}")
        return held

    def save(self, reference: str) -> Flow[bytes]:
        """An archive of an image. Docker puts all of it together before it sends the first piece. Raises NoSuchObject."""
        path = f"/images/{_quoted(references.parse(reference, ours=True).exact)}/get"
        stream = self._http.stream("GET", path, timeout=self._pull_timeout, idle=self._timeout)
        if stream.status >= 300:
            with stream:
                if stream.status == 404:
                    raise errors.NoSuchObject(id=reference, engine="the engine")
                raise errors.EngineError(reason=stream.answer().message)
        return docker_flow.archive(stream)

    def remove_image(self, reference: str) -> None:
        """Take the name from an image, and the image with its last name. Nothing there is success. Raises ImageInUse."""
        answer = self._http.call("DELETE", f"/images/{_quoted(references.parse(reference, ours=True).exact)}", timeout=self._pull_timeout)
        if answer.status == 409:
            raise errors.ImageInUse(id=reference)
        if answer.status != 404:
            yes(answer)

    def search_images(self, term: str, limit: int) -> list[FoundImage]:
        """What the hub finds, or the registry that the term begins with. Raises ImageSearchFailed with Docker's sentence."""
        answer = self._http.call("GET", "/images/search", query={"term": term, "limit": limit})
        if not answer.ok:
            raise errors.ImageSearchFailed(term=term, reason=answer.message)
        return [
            FoundImage(
                name=str(found.get("name") or ""),
                description=str(found.get("description") or "")[:_DESCRIPTION],
                is_official=bool(found.get("is_official")),
                star_count=int(found.get("star_count") or 0),
            )
            for found in (answer.data or ())[:limit]
        ]

    # -- within ----------------------------------------------------------------------------------

    def _held(self, named: str) -> EngineImage | None:
        """What Docker has under a name, whatever that is for."""
        answer = self._http.call("GET", f"/images/{_quoted(named)}/json")
        return None if answer.status == 404 else docker_read.image(yes(answer).data)

    @contextlib.contextmanager
    def _named(self, engine_id: str, target: references.Reference) -> Iterator[None]:
        """Have an image bear the name ``target``, which afterwards means again what it meant before.

        A process that dies in here leaves the name behind, until the push is done again.
        """
        with self._names:
            if target.exact in self._sending:
                raise errors.EngineUnavailable(reason=f"another image is just being pushed as {target}")
            self._sending[target.exact] = _Sending(engine_id, None)
        try:
            before = self._held(target.exact)
            with self._names:
                self._sending[target.exact] = _Sending(engine_id, before if before is None or before.id != engine_id else None)
            yes(self._http.call("POST", f"/images/{engine_id}/tag", query={"repo": target.name, "tag": target.tag}))
            try:
                yield
            finally:
                self._name_again(engine_id, target)
        finally:
            with self._names:
                del self._sending[target.exact]

    def _name_again(self, engine_id: str, target: references.Reference) -> None:
        now, before = self._held(target.exact), self._sending[target.exact].before
        if now is None or now.id != engine_id:
            return  # a pull has brought the registry's own
        if before is not None:
            yes(self._http.call("POST", f"/images/{before.id}/tag", query={"repo": target.name, "tag": target.tag}))
        else:
            self.remove_image(target.exact)


def _quoted(named: str) -> str:
    return urllib.parse.quote(named, safe="/:@")
