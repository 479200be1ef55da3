"""Connections from inside another network namespace of this host.

``setns(2)`` moves one thread: it is done in a thread made for it, which makes the socket and ends. A socket stays in the namespace that it
was made in, whatever thread uses it.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import os
import socket
import struct
import threading
from pathlib import Path

from zun import errors

_CLONE_NEWNET = 0x40000000
_SIOCGIFCONF = 0x8912
#: of ``struct ifreq`` where pointers have 64 bits, and where the IPv4 address is in it
_IFREQ, _ADDRESS = 40, slice(20, 24)
_MOST_INTERFACES = 64
_LOOPBACK = "127.0.0.1"

_libc = ctypes.CDLL(None, use_errno=True)


def dial(path: str, name: str | None, host: str | None, port: int, *, timeout: float) -> socket.socket:
    """A TCP connection from inside the namespace at ``path``, which the kernel calls ``name``, to an address; None is its own.

    Raises EngineError where the namespace is not that one, is our own, or cannot be entered; OSError of the connecting.
    """
    made, address = _inside(path, name, host)
    try:
        made.settimeout(timeout)
        made.connect((address, port))
        if made.getsockname() == made.getpeername():  # it has found nobody but itself
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    except BaseException:
        made.close()
        raise
    return made


def _inside(path: str, name: str | None, host: str | None) -> tuple[socket.socket, str]:
    """A socket that was made inside, and the address that it is for."""
    found: list[tuple[socket.socket, str]] = []
    trouble: list[OSError] = []

    def run() -> None:
        try:
            _enter(path, name)
            address = host or _own_address()
            found.append((socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM), address))
        except OSError as error:
            trouble.append(error)

    thread = threading.Thread(target=run, name="netns", daemon=True)
    thread.start()
    thread.join()
    if not found:
        reason = trouble[0] if trouble else "its thread ended"
        raise errors.EngineError(reason=f"the network of the sandbox could not be entered: {reason}")
    return found[0]


def _enter(path: str, name: str | None) -> None:
    """Move this thread. The namespace is held while it is looked at: the number of a process that has ended is given to another one."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        held = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - it is no path that it leads to
        if held != name or held == str(Path("/proc/thread-self/ns/net").readlink()):
            raise OSError("it is another one than the engine has named")
        if _libc.setns(handle, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)


def _own_address() -> str:
    """The first address of the namespace that this thread is in, IPv4 before IPv6; loopback where it has no other."""
    buffer = array.array("B", bytes(_IFREQ * _MOST_INTERFACES))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        told = fcntl.ioctl(asking, _SIOCGIFCONF, struct.pack("iL", len(buffer), buffer.buffer_info()[0]))
    size = struct.unpack("iL", told)[0]
    for at in range(0, size, _IFREQ):
        address = ipaddress.IPv4Address(buffer[at : at + _IFREQ].tobytes()[_ADDRESS])
        if not address.is_loopback:
            return str(address)
    with contextlib.suppress(OSError):  # a kernel without IPv6
        for line in Path("/proc/thread-self/net/if_inet6").read_text().splitlines():
            six = ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))
            if not six.is_loopback and not six.is_link_local:
                return str(six)
    return _LOOPBACK
