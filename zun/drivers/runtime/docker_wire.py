"""Connections to Docker that turn into streams: the head of the answer is read to the byte, and the rest belongs to the caller."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from zun import errors
from zun.drivers.runtime.docker_http import DockerHttp

#: the head of an answer is never longer, in bytes
_LONGEST_HEAD = 65_536
#: seconds that it has to come in where the caller has no deadline, and between two looks at one that is half there
_PATIENCE, _LOOK = 60.0, 0.002
_TROUBLE = (OSError, http.client.HTTPException)
_UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


class Refused(Exception):
    """The engine said no: its HTTP status and its own sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Frames:
    """What is in Docker's multiplexed stream: frames of 8 bytes of header (stream, three zeros, length), then the content.

    Called with each piece as it arrives; nothing of the content is kept.
    """

    def __init__(self) -> None:
        self._header, self._left = b"", 0

    def __call__(self, piece: bytes) -> bytes:
        """The content of one more piece, which may be nothing."""
        found, view = [], memoryview(piece)
        while view:
            if self._left:
                taken, view = view[: self._left], view[self._left :]
                self._left -= len(taken)
                found.append(bytes(taken))
                continue
            wanted = 8 - len(self._header)
            self._header, view = self._header + bytes(view[:wanted]), view[wanted:]
            if len(self._header) == 8:
                self._left, self._header = int.from_bytes(self._header[4:], "big"), b""
        return b"".join(found)


def plain(piece: bytes) -> bytes:
    """A terminal's stream is what it is."""
    return piece


def hijack(engine: DockerHttp, path: str, *, query: dict[str, Any] | None = None, body: Any = None) -> socket.socket:
    """POST, and take the connection over: what is sent and received from now on is the stream. Raises Refused, EngineUnavailable."""
    content = b"" if body is None else msgspec.json.encode(body)
    head = f"POST {engine.target(path, query)} HTTP/1.1\r\nHost: docker\r\n{_UPGRADE}Content-Type: application/json\r\n"
    return _stream(engine, f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)


def flow(engine: DockerHttp, path: str, query: dict[str, Any]) -> socket.socket:
    """GET in the manner of HTTP/1.0, whose answer has no chunks: what is received from now on is the stream, until its end.

    Raises Refused, EngineUnavailable.
    """
    return _stream(engine, f"GET {engine.target(path, query)} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())


def upload(
    engine: DockerHttp,
    path: str,
    query: dict[str, Any],
    pieces: Iterator[bytes],
    *,
    method: str = "PUT",
    patience: float | None = None,
) -> bytes:
    """PUT in chunks as they come; what ``pieces`` raises breaks it off and is raised. Returns the beginning of the answer, for which it
    has ``patience`` seconds, or the usual deadline. Raises Refused, EngineUnavailable."""
    channel = engine.dial()
    try:
        head = f"{method} {engine.target(path, query)} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\n"
        channel.sendall(f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
        for piece in pieces:
            # An empty one would say that this is the end.
            if piece and not _sent(channel, b"%x\r\n%b\r\n" % (len(piece), piece)):
                break
        else:
            _sent(channel, b"0\r\n\r\n")
        if patience is not None:
            channel.settimeout(patience)
        return _checked(channel)
    except _TROUBLE as error:
        raise _lost(error) from error
    finally:
        channel.close()


def _sent(channel: socket.socket, data: bytes) -> bool:
    """False where the engine has hung up: it has answered already, and that is worth more than the error."""
    try:
        channel.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _stream(engine: DockerHttp, request: bytes) -> socket.socket:
    channel = engine.dial()
    try:
        channel.sendall(request)
        head = _head(channel)
        status = int(head.split(b" ", 2)[1])
        if status not in (101, 200):
            _checked(channel)
        _exactly(channel, len(head))
        channel.settimeout(None)
    except _TROUBLE as error:
        channel.close()
        raise _lost(error) from error
    except BaseException:
        channel.close()
        raise
    return channel


def _head(channel: socket.socket) -> bytes:
    """The head of the answer, looked at and left where it is."""
    until = time.monotonic() + (channel.gettimeout() or _PATIENCE)
    while True:
        found = channel.recv(_LONGEST_HEAD, socket.MSG_PEEK)
        end = found.find(b"\r\n\r\n")
        if end >= 0:
            return found[: end + 4]
        if not found or len(found) == _LONGEST_HEAD:
            raise http.client.BadStatusLine("no head of an answer")
        if time.monotonic() > until:
            raise TimeoutError
        # Docker writes a head in pieces, and nothing on a Unix socket waits for more than has been looked at already.
        time.sleep(_LOOK)


def _exactly(channel: socket.socket, length: int) -> None:
    while length:
        length -= len(channel.recv(length))


def _checked(channel: socket.socket) -> bytes:
    """Read an answer, or the beginning of a long one. Raises Refused unless it is a yes."""
    answer = http.client.HTTPResponse(channel, method="PUT")
    try:
        answer.begin()
        text = answer.read(_LONGEST_HEAD)
    finally:
        answer.close()
    if answer.status >= 300:
        try:
            message = str(msgspec.json.decode(text)["message"]).strip()
        except (msgspec.DecodeError, KeyError, TypeError):
            message = text[:1000].decode("utf-8", "replace").strip() or f"HTTP status {answer.status}"
        raise Refused(answer.status, message)
    return text


def _lost(error: Exception) -> errors.EngineUnavailable:
    return errors.EngineUnavailable(reason="no answer in time" if isinstance(error, TimeoutError) else (str(error) or type(error).__name__))
