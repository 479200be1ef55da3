"""The way through an agent's doors, over TCP (:class:`zun.interfaces.streams.Doors`)."""

from __future__ import annotations

import socket

from zun import errors
from zun.interfaces.streams import LONGEST_LINE, Door, refused


class TcpDoors:
    """``timeout`` is how long anything may take there, in seconds: to come through, and each piece of the stream."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def connect(self, door: Door) -> socket.socket:
        """The stream behind a door. Raises what the agent refuses it with, RpcUnavailable when nobody listens."""
        try:
            channel = socket.create_connection((door.host, door.port), self._timeout)
        except OSError as error:
            raise errors.RpcUnavailable(target=f"{door.host}:{door.port}", seconds=self._timeout) from error
        try:
            channel.sendall(door.token.encode() + b"\n")
            refusal = refused(line(channel))
        except OSError as error:
            channel.close()
            raise errors.RpcUnavailable(target=f"{door.host}:{door.port}", seconds=self._timeout) from error
        if refusal is not None:
            channel.close()
            raise refusal
        return channel


def line(channel: socket.socket) -> bytes:
    """One line from an agent, to the byte: what follows is the stream's."""
    found = b""
    while not found.endswith(b"\n") and len(found) < LONGEST_LINE and (more := channel.recv(1)):
        found += more
    return found
