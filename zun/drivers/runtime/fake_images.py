"""The images of the engine in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager

import msgspec

from zun import errors
from zun.domain import image as references
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import fake_archive
from zun.drivers.runtime.fake_engine import FakeEngine, Thing
from zun.interfaces.runtime import ContainerSpec, Credentials, EngineImage, FoundImage, HeldImage, Progress

_MIB = 1 << 20


def silent(told: Progress) -> None:
    """The progress callback of who does not care."""


class FakeImages:
    """The part of the fake driver that is about images."""

    _engine: FakeEngine

    def _call(self, name: str, uuid: str = "") -> AbstractContextManager[None]:
        raise NotImplementedError

    def _need(self, uuid: str) -> Thing:
        raise NotImplementedError

    def image(self, reference: str) -> EngineImage | None:
        """What ``engine.images`` has under it."""
        with self._call("image", reference):
            return self._engine.images.get(references.parse(reference, ours=True).exact)

    def pull(self, reference: str, credentials: Credentials | None = None, progress: Callable[[Progress], None] = silent) -> EngineImage:
        """What ``engine.registry`` has under it, where ``engine.accounts`` asks for nothing else; else ImagePullFailed."""
        named = references.parse(reference)
        with self._call("pull", reference):
            self._open(named, credentials, errors.ImagePullFailed)
            if named.exact not in self._engine.registry:
                raise errors.ImagePullFailed(image=reference, reason="manifest unknown")
            for done in (0, 1, 2):
                progress(Progress(of="layer", what="Downloading", done=done * _MIB, total=2 * _MIB))
            progress(Progress(of="layer", what="Pull complete"))
            self._engine.images[named.exact] = self._engine.registry[named.exact]
            return self._engine.images[named.exact]

    def commit(self, uuid: str, reference: str) -> EngineImage:
        """An image by the name; its id tells which container, and of which life, it was made of."""
        with self._call("commit", uuid):
            found = self._need(uuid)
            if found.state is EngineState.RUNNING:
                for state, what in ((EngineState.PAUSED, "pause"), (EngineState.RUNNING, "unpause")):
                    found.state = state
                    self._engine.tell(found, what)
            ports = next((held.ports for held in self._engine.images.values() if held.id == _image(found)), [])
            made = EngineImage(id=f"sha256:commit-{found.engine_id}", ports=ports, architecture=self._engine.architecture, size=_MIB)
            self._engine.images[references.parse(reference, ours=True).exact] = made
            return made

    def push(self, held: str, reference: str, credentials: Credentials | None = None, progress: Callable[[Progress], None] = silent) -> str:
        """Into ``engine.registry``, where ``engine.accounts`` asks for nothing else."""
        target = references.parse(reference)
        with self._call("push", reference):
            source = self._engine.images.get(references.parse(held, ours=True).exact)
            if source is None:
                raise errors.ImagePushFailed(image=reference, reason="the host does not hold it any more")
            self._open(target, credentials, errors.ImagePushFailed)
            progress(Progress(of="layer", what="Pushing", done=_MIB, total=_MIB))
            digest = f"sha256:{hashlib.sha256(source.id.encode()).hexdigest()}"
            self._engine.registry[target.exact] = msgspec.structs.replace(source, digests={target.name: digest})
            return digest

    def images(self, under: str) -> list[HeldImage]:
        """What ``engine.images`` has under these names."""
        with self._call("images", under):
            return [
                HeldImage(name=name, id=held.id, size=held.size)
                for name, held in self._engine.images.items()
                if name.startswith((f"{under}:", f"{under}/"))
            ]

    def load(self, pieces: Iterator[bytes], reference: str) -> EngineImage:
        """What the archive tells, once it has all come; the name is the one in it."""
        with self._call("load", reference):
            for name, held in fake_archive.read(pieces):
                self._engine.images[name] = held
            found = self._engine.images.get(references.parse(reference, ours=True).exact)
            if found is None:
                raise errors.EngineError(reason=f"it has read an archive, and nothing in it is called {reference}")
            return found

    def save(self, reference: str) -> Generator[bytes, None, None]:
        """An archive from which :meth:`load` makes an image like it."""
        with self._call("save", reference):
            named = references.parse(reference, ours=True).exact
            held = self._engine.images.get(named)
        if held is None:
            raise errors.NoSuchObject(id=reference, engine="the engine")
        return fake_archive.write(held, named)

    def remove_image(self, reference: str) -> None:
        """Take the name away, and the image with its last name unless a container is made of it."""
        named = references.parse(reference, ours=True).exact
        with self._call("remove_image", reference):
            held = self._engine.images.get(named)
            if held is None:
                return
            last = sum(other.id == held.id for other in self._engine.images.values()) == 1
            if last and any(_image(thing) == held.id for thing in self._engine.things.values()):
                raise errors.ImageInUse(id=reference)
            del self._engine.images[named]

    def search_images(self, term: str, limit: int) -> list[FoundImage]:
        """The repositories of ``engine.registry`` with the term in their name; a registry that has none does not search."""
        with self._call("search_images", term):
            domain = references.parse(term).domain
            there = {named.path: None for named in map(references.parse, self._engine.registry) if named.domain == domain}
            if not there:
                raise errors.ImageSearchFailed(term=term, reason="no such host")
            wanted = term.partition("/")[2] if references.names_registry(term) else term
            return [FoundImage(name=path.removeprefix("library/")) for path in there if wanted in path][:limit]

    def _open(
        self,
        named: references.Reference,
        credentials: Credentials | None,
        failed: type[errors.ImagePullFailed] | type[errors.ImagePushFailed],
    ) -> None:
        shown = None
        if credentials is not None and references.domain_of(credentials.domain) == references.domain_of(named.domain):
            shown = (credentials.username, credentials.password)
        if named.domain in self._engine.unreachable:
            raise failed(image=str(named), reason="connection refused")
        self._engine.shown.append((named.domain, shown))
        if named.domain in self._engine.accounts and self._engine.accounts[named.domain] != shown:
            raise failed(image=str(named), reason="no basic auth credentials" if shown is None else "unauthorized")


def _image(thing: Thing) -> str | None:
    return thing.spec.image if isinstance(thing.spec, ContainerSpec) else None
