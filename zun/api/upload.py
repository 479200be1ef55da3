"""A JSON body with one text in it that may be huge: looked through whole before anything is done with it, and never held whole.

The server has put the body into a file, or it is put into one here. The first pass finds the text and checks everything: the JSON to the
letter, the text's own form to its last character. So a body that is broken after a gigabyte has changed nothing. The second pass is the
text.
"""

from __future__ import annotations

import binascii
import codecs
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import falcon

from zun import errors
from zun.api import reading

#: bytes of the body besides the text, before it and after it
LARGEST_REST = 65_536
_PIECE = 262_144
_SPACE = bytes.maketrans(b"", b""), b" \t\r\n"

_TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*"|[{}\[\],:]|[^"{}\[\],:\s]+|\s+', re.DOTALL)
#: as much of a text in JSON as is whole
_WHOLE = re.compile(rb'(?:[^"\\]+|\\(?:u[0-9a-fA-F]{4}|[^u]))*', re.DOTALL)
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")


class Upload:
    """The body of a request, and in it the member ``name``. Close it."""

    def __init__(self, request: falcon.Request, name: str, limit: int) -> None:
        """Raises RequestTooLarge over ``limit`` bytes, UnsupportedMediaType for a body of another type."""
        if (request.content_length or 0) > limit:
            raise errors.RequestTooLarge(limit=limit)
        if request.content_length != 0 and (request.content_type or "").split(";")[0].strip().lower() != reading.JSON:
            raise errors.UnsupportedMediaType()
        self._name = name
        self._own: IO[bytes] | None = None
        given: Any = request.stream if request.env.get("wsgi.input_terminated") else request.bounded_stream
        if not (hasattr(given, "seekable") and given.seekable()):
            given = self._own = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by close
            _copy(request, self._own, limit)
        self._file: IO[bytes] = given
        self._begin = self._end = 0

    def members(self, decode: Callable[[Iterable[bytes]], Iterator[bytes]]) -> dict[str, Any]:
        """All members but the text; whatever is wrong with the body, or with the text for ``decode``, is told here.

        Raises BadRequest, SchemaValidationError.
        """
        head = self._file.read(LARGEST_REST)
        begin = _place(head, self._name)
        if begin is None:
            if len(head) == LARGEST_REST and self._file.read(1):
                raise errors.BadRequest(reason=f"'{self._name}' must begin within the first {LARGEST_REST} bytes of the request body.")
            parsed = reading.parse(head) if head else {}
            given = isinstance(parsed, dict) and self._name in parsed
            raise errors.SchemaValidationError(field=self._name, rule="must be a string" if given else "is required")
        self._begin = begin
        for _ in decode(self._raw(checked=True)):
            pass
        self._file.seek(self._end)
        tail = self._file.read(LARGEST_REST + 1)
        if len(tail) > LARGEST_REST:
            raise errors.BadRequest(reason=f"There are more than {LARGEST_REST} bytes behind '{self._name}' in the request body.")
        members = dict(reading.parse(head[:begin] + tail))
        del members[self._name]
        return members

    def text(self) -> Iterator[bytes]:
        """The text as it stands in the JSON, in pieces that break nothing in two that JSON writes as one."""
        return self._raw(checked=False)

    def close(self) -> None:
        """Give up what was kept here."""
        if self._own is not None:
            self._own.close()

    def _raw(self, *, checked: bool) -> Iterator[bytes]:
        self._file.seek(self._begin)
        rest, place = b"", self._begin
        while True:
            size = _PIECE if checked else min(_PIECE, self._end - place - len(rest))
            buffer = rest + (self._file.read(size) if size > 0 else b"")
            if not checked and not buffer:
                return
            found = _WHOLE.match(buffer)
            whole = found.end() if found else 0
            place += whole
            if whole:
                yield buffer[:whole]
            rest = buffer[whole:]
            if checked and rest.startswith(b'"'):
                self._end = place
                return
            if len(rest) >= 6 or (checked and len(buffer) - len(rest) == 0 and size and len(buffer) < 6):
                raise errors.BadRequest(reason=f"The request body is not valid JSON: '{self._name}' has no end, or an escape that is none.")


def _copy(request: falcon.Request, file: IO[bytes], limit: int) -> None:
    stream: Any = request.stream if request.env.get("wsgi.input_terminated") else request.bounded_stream
    size = 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > limit:
            raise errors.RequestTooLarge(limit=limit)
        file.write(piece)
    file.seek(0)


def _place(head: bytes, name: str) -> int | None:
    """Where the text of the member begins, if there is one in the head of the body."""
    depth, key, place = 0, b"", 0
    expected: tuple[bytes, ...] = ()
    while place < len(head):
        # the text itself may have no end here, so it is looked for before it is read
        if expected == (b":",) and head[place : place + 1] == b'"':
            return place + 1
        found = _TOKEN.match(head, place)
        if found is None:
            return None
        token, place = found.group(), found.end()
        if token.isspace():
            continue
        if token == b":" and depth == 1 and _named(key, name):
            expected = (b":",)
            continue
        expected = ()
        key = token if token.startswith(b'"') else b""
        depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
        if depth == 0:
            return None
    return None


def _named(key: bytes, name: str) -> bool:
    try:
        return bool(json.loads(key) == name)
    except ValueError:
        return False


# -- what the text is -----------------------------------------------------------------------------


def plain(name: str) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    """The text itself, in UTF-8."""

    def decoded(raw: Iterable[bytes]) -> Iterator[bytes]:
        for text in _texts(raw):
            try:
                yield text.encode()
            except UnicodeEncodeError:
                raise errors.SchemaValidationError(field=name, rule="must not contain half of a Unicode surrogate pair") from None

    return decoded


def base64(name: str) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    """What the text says in Base64; blanks and line ends do not count."""

    def decoded(raw: Iterable[bytes]) -> Iterator[bytes]:
        rest, ended = b"", False
        try:
            for piece in raw:
                letters = piece if b"\\" not in piece else json.loads(b'"' + piece + b'"').encode("ascii")
                rest += letters.translate(*_SPACE)
                whole = len(rest) // 4 * 4
                if not whole:
                    continue
                if ended:
                    raise ValueError
                ended = rest[:whole].endswith(b"=")
                yield binascii.a2b_base64(rest[:whole], strict_mode=True)
                rest = rest[whole:]
        except ValueError:
            raise errors.SchemaValidationError(field=name, rule="must be Base64") from None
        if rest:
            raise errors.SchemaValidationError(field=name, rule="must be Base64")

    return decoded


def _texts(raw: Iterable[bytes]) -> Iterator[str]:
    """The JSON text read, pieces joined where a character or a pair is broken between them."""
    reader, kept = codecs.getincrementaldecoder("utf-8")(), ""
    try:
        for piece in raw:
            kept += reader.decode(piece)
            half = _HALF_PAIR.search(kept)
            ready, kept = (kept[: half.start()], kept[half.start() :]) if half else (kept, "")
            yield json.loads(f'"{ready}"')
        reader.decode(b"", final=True)
        yield json.loads(f'"{kept}"')
    except UnicodeDecodeError:
        raise errors.BadRequest(reason="The request body is not valid UTF-8.") from None
    except ValueError as error:
        raise errors.BadRequest(reason=f"The request body is not valid JSON: {error}") from None
