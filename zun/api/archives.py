"""Files in and out of containers, and the sizes of terminals (REST contract, section 7)."""

from __future__ import annotations

import binascii
import codecs
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zun import errors
from zun.api import upload
from zun.api.arguments import ExecSize, PathOf, TerminalSize
from zun.api.call import Call, Streamed
from zun.api.shown import PathFacts
from zun.conductor.archives import Outgoing
from zun.domain.model import Version
from zun.interfaces.streams import PathStat

#: from here on an archive is Base64, and no more plain text
_BASE64 = Version(1, 25)
_PIECE = 65_536

DATA = "data"


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """A tar archive, in Base64 from microversion 1.25 on, and what is at the path."""

    data: Annotated[str, Meta(description="the archive")]
    stat: PathFacts


def put_form(call: Call) -> Callable[..., Iterator[bytes]]:
    """How the archive stands in the request's body."""
    return upload.base64(DATA) if call.version >= _BASE64 else upload.plain(DATA)


def put(call: Call) -> None:
    """``POST /containers/{id}/put_archive``."""
    options: PathOf = call.options
    assert call.upload is not None
    call.parts.archives.write(call.row, options.path, put_form(call)(call.upload.text()))


def get(call: Call) -> Streamed:
    """``GET /containers/{id}/get_archive``. The answer is made as the archive comes."""
    options: PathOf = call.options
    stat, pieces = call.parts.archives.read(call.row, options.path)
    if call.version >= _BASE64:
        return Streamed(Whole(stat, _encoded(pieces), pieces.close))
    return _text(stat, pieces)


def resize(call: Call) -> None:
    """``POST /containers/{id}/resize``."""
    options: TerminalSize = call.options
    call.parts.verbs.agent(call.row, "resize").resize(call.row.uuid, options.h, options.w)


def execute_resize(call: Call) -> None:
    """``POST /containers/{id}/execute_resize``."""
    options: ExecSize = call.options
    call.parts.verbs.agent(call.row, "execute_resize").exec_resize(call.row.uuid, options.exec_id, options.h, options.w)


class Whole:
    """The answer's body: its head, the archive as it comes, its tail. Without the tail it is no JSON: so a reader sees that something is
    missing."""

    def __init__(self, stat: PathStat, data: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces = self._all(stat, data)
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    @staticmethod
    def _all(stat: PathStat, data: Iterator[bytes]) -> Iterator[bytes]:
        told: dict[str, Any] = {
            "name": stat.name,
            "size": stat.size,
            "mode": stat.mode,
            "mtime": stat.mtime,
            "linkTarget": stat.link_target,
        }
        yield b'{"stat":' + msgspec.json.encode(told) + b',"data":"'
        yield from data
        yield b'"}'


def _encoded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Base64, in pieces that need no filling up but the last."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) // 3 * 3
        yield binascii.b2a_base64(rest[:whole], newline=False)
        rest = rest[whole:]
    yield binascii.b2a_base64(rest, newline=False)


def _text(stat: PathStat, pieces: Outgoing) -> Streamed:
    """The archive as text, which not every archive is: it is known before the answer begins, and kept in a file until then."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the answer
    reader = codecs.getincrementaldecoder("utf-8")()
    try:
        with contextlib.closing(pieces):
            for piece in pieces:
                file.write(json.dumps(reader.decode(piece))[1:-1].encode())
        reader.decode(b"", final=True)
    except UnicodeDecodeError:
        file.close()
        raise errors.InvalidValue(field="path", rule="holds what is no UTF-8 text; ask at microversion 1.25 or later") from None
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return Streamed(Whole(stat, iter(lambda: file.read(_PIECE), b""), file.close))
