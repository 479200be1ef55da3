"""An archive of an image, rewritten on its way: of what a tenant sends only what an image needs reaches the engine, under names of ours.

The engine is given files that are called by numbers, and last a ``manifest.json`` of ours, which says which of them the image is made
of and what it is called. So no path and no tag of the archive means anything to it, and before the last file there is no image: whoever
holds that back holds back the image. What is in an archive is never unpacked here, nor held in memory but for its short texts.

Every layer must be what the image's configuration says that it is: engines have layers by their digests, and take one that they have for
one that the archive only names; so one tenant would get another's.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from zun.drivers.image import manifest
from zun.drivers.image.manifest import BadArchive

#: The most files of an archive: an image has at most 127 layers, each up to three files.
MOST_FILES = 10_000
#: The most bytes of one text (configurations, manifests), and of all of them.
LONGEST_TEXT, ALL_TEXTS = 1 << 20, 4 << 20
#: The most that is read at a time; so long are headers at most, too.
PIECE = 1 << 20

_BLOCK = tarfile.BLOCKSIZE
_GZIP = b"\x1f\x8b"
_BROKEN = (tarfile.TarError, zlib.error, ValueError, OSError, EOFError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class File:
    """A file of the archive: what it is called for the engine, and the digest of what it is when it is not compressed."""

    name: str
    digest: str


class Bound:
    """How many bytes may still come, of all that is unpacked."""

    def __init__(self, limit: int) -> None:
        self._limit, self._left = limit, limit

    def take(self, amount: int) -> None:
        """Raises BadArchive where it is more than there may be."""
        self._left -= amount
        if self._left < 0:
            raise BadArchive(f"holds more than {self._limit} bytes, which is more than this deployment takes")


class Forward(io.RawIOBase):
    """Pieces as a file that is read once, from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._at = pieces, 0
        #: what has come and was not read: all of it from ``_from`` on
        self._rest, self._from = b"", 0

    def tell(self) -> int:
        """How many bytes have been read."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Up to so many bytes, fewer only at the end."""
        if size is None or not 0 <= size <= PIECE:
            raise BadArchive("has a header that is longer than any that says something")
        while len(self._rest) - self._from < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest, self._from = self._rest[self._from :] + piece, 0
        found = self._rest[self._from : self._from + size]
        self._from += len(found)
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on to there; what is between is lost."""
        if whence != io.SEEK_SET or offset < self._at:
            raise BadArchive("leads back to where it has been")
        while self._at < offset:
            if not self.read(min(PIECE, offset - self._at)):
                break
        return self._at

    def drain(self) -> None:
        """Read what is left."""
        self._rest, self._from = b"", 0
        for piece in self._pieces:
            self._at += len(piece)


class Gunzip:
    """Unpacks gzip as it comes, one member after the other, a piece at a time whatever it unpacks to."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes of some more of it."""
        while data:
            if self._member.eof:
                # Zeros after the last member are padding.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member = zlib.decompressobj(wbits=31)
            self._begun = True
            yield self._member.decompress(data, PIECE)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        while self._begun and not self._member.eof:
            more = self._member.decompress(b"", PIECE)
            if not more:
                return
            yield more

    def end(self) -> None:
        """Raises BadArchive where it was broken off."""
        if not self._member.eof:
            raise BadArchive("ends in the middle of what is compressed")


class _Digest:
    """The digest of a file when it is not compressed, whether or not it is."""

    def __init__(self, bound: Bound) -> None:
        self._hash, self._bound = hashlib.sha256(), bound
        self._gzip: Gunzip | None = None
        self._begun = b""
        self._told = False

    def update(self, piece: bytes) -> None:
        """Some more of it."""
        if not self._told:
            piece, self._begun = self._begun + piece, b""
            if len(piece) < len(_GZIP):
                self._begun = piece
                return
            self._told, self._gzip = True, Gunzip() if piece.startswith(_GZIP) else None
        if self._gzip is None:
            self._hash.update(piece)
            return
        for plain in self._gzip.feed(piece):
            self._bound.take(len(plain))
            self._hash.update(plain)

    def name(self) -> str:
        """The digest. Raises BadArchive where what is compressed was broken off."""
        self._hash.update(self._begun)
        if self._gzip is not None:
            self._gzip.end()
        return f"sha256:{self._hash.hexdigest()}"


def one_image(
    pieces: Iterable[bytes], name: str, *, limit: int, host: str = "", verify: Callable[[], None] = lambda: None
) -> Generator[bytes, None, None]:
    """A Docker archive with the one image of a Docker or OCI archive (perhaps compressed by gzip), which it calls ``name``.

    ``limit`` is the most bytes that it may hold when nothing of it is compressed. Of an index the image for the architecture ``host`` is
    taken. ``verify`` is called when all has come, and raises to hold back the image. Raises BadArchive, and
    :class:`~zun.drivers.image.manifest.Foreign` where there is none for the host.
    """
    bound = Bound(limit)
    source = Forward(_plain(iter(pieces), bound))
    reading = _Reading(source, bound)
    try:
        yield from reading.files()
        source.drain()
        verify()
        text = manifest.docker(reading.texts, reading.resolved(), name, host)
    except BadArchive:
        raise
    except _BROKEN as error:
        raise BadArchive(f"cannot be read: {error}") from error
    yield _header("manifest.json", len(text)) + text + b"\0" * (-len(text) % _BLOCK) + b"\0" * 2 * _BLOCK


class _Reading:
    def __init__(self, source: Forward, bound: Bound) -> None:
        self._source, self._bound = source, bound
        self._files: dict[str, File] = {}
        self._links: dict[str, str] = {}
        #: by name, what may be JSON
        self.texts: dict[str, Any] = {}
        self._room = ALL_TEXTS

    def files(self) -> Iterator[bytes]:
        """All files, by numbers, as an archive without an end."""
        tar = tarfile.TarFile(fileobj=self._source, mode="r")
        for number in range(MOST_FILES + 1):
            member = tar.next()
            # What it remembers of those before is of no use, and grows.
            tar.members = []  # type: ignore[attr-defined]
            if member is None:
                return
            if number == MOST_FILES:
                break
            yield from self._file(member, str(number))
        raise BadArchive(f"holds more than {MOST_FILES} files")

    def _file(self, member: tarfile.TarInfo, number: str) -> Iterator[bytes]:
        path = posixpath.normpath(member.name.lstrip("/"))
        if member.size < 0 or member.issparse():
            raise BadArchive("holds a file of a kind that no image has")
        self._forget(path)
        if member.issym():
            self._links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
        elif member.islnk():
            self._links[path] = posixpath.normpath(member.linkname.lstrip("/"))
        elif member.isreg():
            yield _header(number, member.size)
            digest, text = _Digest(self._bound), b""
            kept = member.size <= min(LONGEST_TEXT, self._room)
            left = member.size
            while left:
                piece = self._source.read(min(PIECE, left))
                if not piece:
                    raise BadArchive("ends in the middle of a file")
                left -= len(piece)
                digest.update(piece)
                if kept and not text and not piece.lstrip().startswith((b"{", b"[")):
                    kept = False
                text += piece if kept else b""
                yield piece
            if member.size % _BLOCK:
                yield b"\0" * (-member.size % _BLOCK)
            self._files[path] = File(number, digest.name())
            if kept and text:
                self._keep(path, text)

    def _keep(self, path: str, text: bytes) -> None:
        try:
            self.texts[path] = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return
        self._room -= len(text)

    def _forget(self, path: str) -> None:
        """As with any archive, of two files of one name the later one counts."""
        self._files.pop(path, None)
        self._links.pop(path, None)
        self.texts.pop(path, None)

    def resolved(self) -> dict[str, File]:
        """All files by name, and by what leads to them."""
        found = dict(self._files)
        for path, target in self._links.items():
            # A link to a link is no work of any engine's.
            if target in self._files:
                found[path] = self._files[target]
        return found


def _plain(pieces: Iterator[bytes], bound: Bound) -> Iterator[bytes]:
    """What comes, unpacked where it is compressed as a whole."""
    first = b""
    while len(first) < len(_GZIP):
        piece = next(pieces, b"")
        if not piece:
            break
        first += piece
    gzip = Gunzip() if first.startswith(_GZIP) else None
    for piece in _after(first, pieces):
        for plain in (piece,) if gzip is None else gzip.feed(piece):
            bound.take(len(plain))
            if plain:
                yield plain
    if gzip is not None:
        gzip.end()


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)
