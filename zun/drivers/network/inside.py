"""What is done inside a sandbox's network: by a thread that was made for it, because ``setns(2)`` moves one thread, and for good."""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pyroute2 import IPRoute, NetlinkError

from zun.drivers.network.vif import Interface
from zun.interfaces.runtime import SandboxState

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17
#: IPv6's duplicate address detection takes a second, and Neutron gives no address twice
_IFA_F_NODAD = 0x02
_RTNH_F_ONLINK = 4
_SYSCTLS = {"disable_ipv6": "0", "accept_ra": "0", "autoconf": "0"}
_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}

T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)


def run(state: SandboxState, do: Callable[[], T]) -> T:
    """What ``do`` returns in the sandbox's network. Raises OSError where that is not there any more, and what ``do`` raises."""
    answers: list[T] = []
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            with entered(state) as handle:
                if _libc.setns(handle, _CLONE_NEWNET) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
                answers.append(do())
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=work, name="netns", daemon=True)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return answers[0]


class entered:
    """A handle on the sandbox's network, checked: the number of a process that has ended is given to another one. Raises OSError."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._handle = -1

    def __enter__(self) -> int:
        if self._state.netns is None:
            raise OSError("the sandbox does not run")
        self._handle = os.open(self._state.netns, os.O_RDONLY | os.O_CLOEXEC)
        held = os.readlink(f"/proc/self/fd/{self._handle}")  # noqa: PTH115 - it is no path that it leads to
        known = self._state.network
        if (known is not None and held != known) or held == str(Path("/proc/thread-self/ns/net").readlink()):
            os.close(self._handle)
            raise OSError("the sandbox's network is another one than the engine has named")
        return self._handle

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def interfaces() -> dict[str, str]:
    """The interfaces of the network that this thread is in: their hardware addresses by name."""
    with IPRoute() as ip:
        return {link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_ADDRESS") or "" for link in ip.get_links()}


def addresses() -> set[str]:
    """The addresses that the network has that this thread is in."""
    with IPRoute() as ip:
        return {str(found.get_attr("IFA_ADDRESS")) for found in ip.get_addr()}


def configure(wanted: Interface) -> list[str]:
    """Have the interface as it is wanted, in the network that this thread is in. Returns what could not be had of its routes.

    Raises OSError, NetlinkError.
    """
    with IPRoute() as ip:
        for name, value in _SYSCTLS.items():
            with contextlib.suppress(OSError):  # a kernel without IPv6
                Path("/proc/sys/net/ipv6/conf", wanted.name, name).write_text(value)
        index = ip.link_lookup(ifname=wanted.name)[0]
        ip.link("set", index=ip.link_lookup(ifname="lo")[0], state="up")
        ip.link("set", index=index, address=wanted.mac, mtu=wanted.mtu)
        ip.link("set", index=index, state="up")
        if wanted.plain_checksums:
            _leave_nothing_to_hardware(wanted.name)
        for address in wanted.addresses:
            host, _, length = address.partition("/")
            flags = {"flags": _IFA_F_NODAD} if ":" in host else {}
            ip.addr("replace", index=index, address=host, prefixlen=int(length), **flags)
        return _route(ip, index, wanted)


def _route(ip: IPRoute, index: int, wanted: Interface) -> list[str]:
    refused = []
    pairs: Sequence[tuple[str, str]] = [(_ANYWHERE[ipaddress.ip_address(gateway).version], gateway) for gateway in wanted.gateways]
    for destination, hop in [*wanted.routes, *pairs]:
        try:
            # The next hop may lie outside of the subnet, as Neutron allows.
            ip.route("replace", dst=destination, gateway=hop, oif=index, priority=wanted.metric, flags=_RTNH_F_ONLINK)
        except NetlinkError as error:
            refused.append(f"{destination} by {hop}: {error}")
    return refused


def _leave_nothing_to_hardware(name: str) -> None:
    value = array.array("I", [_ETHTOOL_STXCSUM, 0])
    asked = struct.pack("16sP", name.encode(), value.buffer_info()[0]).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, _SIOCETHTOOL, asked)
