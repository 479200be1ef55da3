"""Putting a probe's question: a command in the container, a connection or a request inside its sandbox's network."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from msgspec.structs import replace

from zun import errors
from zun.domain.probe import Answer, HttpGet, Probe, TcpSocket
from zun.interfaces.runtime import Runtime

#: bytes of a command's output that are kept, and of an answer's head that are read
MOST_OUTPUT = 4096
LONGEST_HEAD = 16_384
MOST_REDIRECTS = 10

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})(?: |\r?\n|\Z)")
_END = re.compile(rb"\n\r?\n")
_AHEAD = re.compile(rb"HTTP/\d\.\d 1")
_REDIRECTS = (301, 302, 303, 307, 308)
_LOCATION = re.compile(rb"\r?\nlocation:[ \t]*([^\r\n]*)", re.IGNORECASE)


def ask(runtime: Runtime, container_uuid: str, sandbox_uuid: str, probe: Probe) -> Answer:
    """What the container answers. Takes little more than the probe's ``timeout``.

    Raises EngineUnavailable, EngineError, NoSuchObject and NotRunning where it could not be asked.
    """
    if probe.exec is not None:
        return _run(runtime, container_uuid, probe.exec, probe.timeout)
    deadline = time.monotonic() + probe.timeout
    try:
        if probe.http is not None:
            return _get(_Way(runtime, sandbox_uuid, deadline), probe.http)
        if probe.tcp is not None:
            return _connect(_Way(runtime, sandbox_uuid, deadline), probe.tcp)
    except TimeoutError:
        return Answer(well=False, words=f"no answer within {probe.timeout} s")
    except (OSError, ssl.SSLError) as error:
        return Answer(well=False, words=error.strerror or str(error) or type(error).__name__)
    raise errors.EngineError(reason="the probe asks nothing")


def _run(runtime: Runtime, container_uuid: str, command: list[str], timeout: int) -> Answer:
    try:
        result = runtime.execute(container_uuid, command, timeout=timeout, limit=MOST_OUTPUT)
    except errors.ExecTimeout:
        return Answer(well=False, words=f"the command did not end within {timeout} s")
    if result.exit_code == 0:
        return Answer(well=True)
    output = result.output.decode("utf-8", "replace").strip()
    return Answer(well=False, words=f"the command ended with {result.exit_code}" + (f": {output}" if output else ""))


@dataclass(frozen=True, slots=True)
class _Way:
    """The way to a sandbox, open until a deadline."""

    runtime: Runtime
    sandbox_uuid: str
    deadline: float

    @property
    def left(self) -> float:
        """Seconds until the deadline. Raises TimeoutError behind it."""
        found = self.deadline - time.monotonic()
        if found <= 0:
            raise TimeoutError
        return found

    def dial(self, host: str | None, port: int) -> socket.socket:
        """A connection."""
        return self.runtime.dial(self.sandbox_uuid, port, host=host, timeout=self.left)


def _connect(way: _Way, asked: TcpSocket) -> Answer:
    way.dial(asked.host, asked.port).close()
    return Answer(well=True)


# -- requests -------------------------------------------------------------------------------------


def _get(way: _Way, asked: HttpGet) -> Answer:
    """Follow the answer to other paths and ports of the same host, as long as it leads there."""
    for _ in range(MOST_REDIRECTS + 1):
        head, host = _asked(way, asked)
        found = _STATUS.match(head)
        if found is None:
            return Answer(well=False, words="the answer is not HTTP")
        status = int(found[1])
        location = _LOCATION.search(head) if status in _REDIRECTS else None
        if location is None or not location[1].strip():
            well = 200 <= status < 400
            return Answer(well=well, words="" if well else f"HTTP status {status}")
        onward = _redirected(asked, host, location[1].strip().decode("latin-1"))
        if onward is None:
            return Answer(well=True, words=f"HTTP status {status} leads to another host, which is not asked")
        asked = onward
    return Answer(well=False, words=f"more than {MOST_REDIRECTS} redirections")


def _redirected(asked: HttpGet, host: str, location: str) -> HttpGet | None:
    """What is asked next; None for another host than ``host``, which was asked. No name is resolved."""
    try:
        target = urlsplit(urljoin(f"{asked.scheme}://{_bracketed(host)}:{asked.port}{asked.path}", location))
        port = target.port or {"http": 80, "https": 443}[target.scheme]
    except (ValueError, KeyError):
        return None
    if target.hostname != host:
        return None
    path = _quoted(target.path or "/") + (f"?{_quoted(target.query)}" if target.query else "")
    return replace(asked, port=port, path=path, scheme=target.scheme)


def _quoted(text: str) -> str:
    return "".join(each if "!" <= each <= "~" else f"%{ord(each):02X}" for each in text)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _asked(way: _Way, asked: HttpGet) -> tuple[bytes, str]:
    """The head of the answer, and the address that was asked."""
    with contextlib.ExitStack() as opened:
        channel = opened.enter_context(way.dial(asked.host, asked.port))
        peer = channel.getpeername()
        host = asked.host or (str(peer[0]) if isinstance(peer, tuple) else "localhost")
        channel.settimeout(way.left)
        if asked.scheme == "https":
            channel = opened.enter_context(_unchecked().wrap_socket(channel))
            channel.settimeout(way.left)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it was asked
            channel.sendall(_request(asked, host))
        return _head(way, channel), host


def _head(way: _Way, channel: socket.socket) -> bytes:
    """All before the first empty line, or what came before it was over."""
    head = bytearray()
    while len(head) < LONGEST_HEAD:
        channel.settimeout(way.left)
        piece = channel.recv(4096)
        head += piece
        # A word ahead of the answer ("103 Early Hints") is none.
        while (end := _END.search(head, max(0, len(head) - len(piece) - 2))) and _AHEAD.match(head):
            del head[: end.end()]
        if end is not None:
            return bytes(head[: end.start()])
        if not piece:
            break
    return bytes(head)


def _request(asked: HttpGet, host: str) -> bytes:
    """The request, with the headers that Kubernetes sends unless others are given; an empty value keeps two of them back."""
    given = {name.lower() for name, _ in asked.headers}
    own = [("Host", f"{_bracketed(host)}:{asked.port}"), ("User-Agent", "zun-probe"), ("Accept", "*/*"), ("Connection", "close")]
    headers = [pair for pair in own if pair[0].lower() not in given]
    headers += [(name, value) for name, value in asked.headers if value or name.lower() not in ("user-agent", "accept")]
    return "\r\n".join([f"GET {asked.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]).encode()


def _unchecked() -> ssl.SSLContext:
    """A probe asks whether somebody answers, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
