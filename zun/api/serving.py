"""The HTTP server: waitress, within bounds, and what it refuses by itself is told in the API's own form."""

from __future__ import annotations

import copy
import re
import socket
import weakref
from typing import Any

from oslo_config import cfg
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask

from zun.api import failures
from zun.api.auth import WSGI

#: Connections at a time; each may hold a header and a small body in memory, and a larger body in a file of its own.
CONNECTIONS = 400
HEADER_BYTES = BODY_BYTES_IN_MEMORY = 65_536
#: Seconds after which a connection on which nothing happens is closed, and how often it is looked.
IDLE, LOOK = 60, 10
_CODINGS = re.compile(rb"^transfer-encoding:(.*)$", re.IGNORECASE | re.MULTILINE)


class Refusal(ErrorTask):
    """The answer to what is no HTTP, or too much of it: such a request never reaches the application."""

    def execute(self) -> None:
        """Send it, and end the connection: where the next request would begin nobody knows."""
        request: Any = self.request
        failure = failures.framework(request.error.code, str(request.error.body))
        self.status = f"{request.error.code} {request.error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.content_length = len(failure.body)
        self.set_close_on_finish()
        self.write(failure.body)


class Channel(HTTPChannel):
    """A connection."""

    error_task_class = Refusal


def channel(largest: int, at_once: int) -> type[Channel]:
    """Connections on which put_archive may have a body of ``largest`` bytes; ``at_once`` of them at a time, of those who say who they are.

    The server takes a body in before anybody looks at it, so this is what bounds the disk that it takes.
    """
    taken: weakref.WeakSet[HTTPRequestParser] = weakref.WeakSet()

    class Parser(HTTPRequestParser):
        """A request."""

        def parse_header(self, header_plus: bytes) -> None:
            """Its limits are known with its path.

            A body whose length is told in two ways, which something on the way to here may take for another than we do, is refused.
            """
            super().parse_header(header_plus)
            codings = _CODINGS.findall(header_plus)
            if codings and (self.version != "1.1" or "CONTENT_LENGTH" in self.headers or b"," in b",".join(codings)):
                raise ParsingError("The length of the body is told in two ways")
            named = "AUTHORIZATION" in self.headers or "X_AUTH_TOKEN" in self.headers
            if str(getattr(self, "path", "")).rstrip("/").endswith("/put_archive") and named and len(taken) < at_once:
                taken.add(self)
                self.adj = copy.copy(self.adj)
                self.adj.max_request_body_size = largest

    class Larger(Channel):
        """A connection."""

        parser_class = Parser

    return Larger


def make_server(app: WSGI, listening: socket.socket, conf: cfg.ConfigOpts) -> Any:
    """waitress's server for the application on a bound socket; its ``run`` serves, its ``close`` ends that.

    A body that says itself that it is too long is answered before it is read, and one that is sent in chunks as soon as it is. The
    application has the exact limit; twice of it is where the server stops reading.
    """
    server: Any = create_server(
        app,
        sockets=[listening],
        threads=conf.api.threads,
        max_request_body_size=conf.api.max_request_body_size * 2,
        max_request_header_size=HEADER_BYTES,
        inbuf_overflow=BODY_BYTES_IN_MEMORY,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE,
        cleanup_interval=LOOK,
        asyncore_use_poll=True,
        # where a client of HTTP/1.0 names no host, links point to this
        server_name=f"[{conf.api.host_ip}]" if ":" in conf.api.host_ip else conf.api.host_ip,
        ident="zun",
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = channel(conf.api.max_archive_body_size + 1, conf.api.max_archives)
    return server
