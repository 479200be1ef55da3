"""How a sandbox gets its addresses. The promises are tested by ``zun.conformance.network``.

A driver knows a sandbox by its ``device``: the uuid that its user knows (:func:`zun.domain.sandbox.device_of`), which is written on
everything that is made for it. So every call on a host may be repeated, by another process too, and finds what another one has left.

All calls may raise :class:`~zun.errors.NetworkUnavailable` (the network service does not answer; nothing is known) or
:class:`~zun.errors.NetworkRefused` (it answered no).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from zun.domain.sandbox import Sandbox
from zun.interfaces.runtime import Bind, SandboxState

Addresses = dict[str, list[dict[str, Any]]]


class Plugged(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox has: its addresses (REST contract, section 6), and the uuids of the security groups on its own ports (None: there
    are no such things). ``awaited`` is what :meth:`Network.settle` waits for, in the driver's own words."""

    addresses: Addresses
    security_groups: list[str] | None = None
    awaited: list[str] = []


class Network(Protocol):
    """A network driver: what it refuses is asked where requests are accepted, the rest is done on the host."""

    name: str
    #: what the runtime driver shall give a new sandbox: "engine" or "none"
    attachment: str

    # -- before anything is accepted -------------------------------------------------------------

    def refuse(self, sandbox: Sandbox) -> None:
        """Raises NotOffered, naming the field, for a wish that this driver cannot honour. Called before anything is accepted."""

    def refuse_change(self, verb: str, wish: Mapping[str, Any]) -> None:
        """The same for a change of networks or security groups, before it is accepted. ``verb`` is ``network_attach``,
        ``network_detach``, ``add_security_group`` or ``remove_security_group`` of a container, or ``create`` or ``delete`` of a network;
        ``wish`` has its arguments by name. Raises NetworkNotFound for the deletion of a network that is not there."""

    def choose(self, sandbox: Sandbox, *, external: bool) -> Sandbox:
        """The sandbox with everything that it names in the network service by its uuid, and a network chosen where it names none.
        ``external``: it may be in external networks that nobody shares. Nothing is changed anywhere.

        Raises NetworkNotFound, PortNotFound, PortNotUsable, SecurityGroupNotFound, SeveralMatches, ExternalNetworkAttachForbidden,
        NoNetwork, InvalidValue.
        """

    def choose_change(self, sandbox: Sandbox, device: str, verb: str, wish: Mapping[str, Any], *, external: bool) -> dict[str, Any]:
        """The same for a change of a sandbox that lives. Raises AlreadyAttached and NotAttached besides."""

    # -- on the host -----------------------------------------------------------------------------

    def begin(self, sandbox: Sandbox, device: str, *, again: bool) -> None:
        """Have the network service begin with what the sandbox is to have, before there is one: it takes its time, and meanwhile the
        host has other things to do. Nothing is waited for; may be repeated, and then ``again`` says so.

        Raises BindingFailed, WiringFailed.
        """

    def plug(self, sandbox: Sandbox, device: str, state: SandboxState) -> Plugged:
        """Give the running sandbox its addresses, whether or not anything was begun; may be repeated. They can be used when
        :meth:`settle` returns.

        Raises BindingFailed, WiringFailed.
        """

    def settle(self, plugged: Plugged, cancelled: Callable[[], None] = lambda: None, *, longest: float | None = None) -> None:
        """Wait until what was plugged can be used, for ``longest`` seconds at most if that is said; ``cancelled`` is asked meanwhile, and
        raises to give up. Raises BindingFailed, PortNotActive."""

    def restore(self, sandbox: Sandbox, device: str, state: SandboxState) -> Plugged:
        """Give back what the sandbox had when it was last plugged: it runs anew, or something was lost. As :meth:`plug`."""

    def change(self, sandbox: Sandbox, device: str, state: SandboxState, verb: str, wish: Mapping[str, Any]) -> Plugged:
        """Do what :meth:`choose_change` has answered; may be repeated. As :meth:`plug`."""

    def undo_change(self, sandbox: Sandbox, device: str, state: SandboxState, verb: str, wish: Mapping[str, Any]) -> None:
        """Have it as it was before; may be repeated."""

    def unplug(self, device: str) -> None:
        """Take everything away; may be repeated, and succeeds when the sandbox is gone."""

    def here(self) -> list[str]:
        """The devices of whom there is something on this host, or may be."""

    def clean(self, device: str) -> None:
        """Take all of a device off this host, of whom nobody knows any more here; may be repeated."""

    def release(self, device: str) -> None:
        """Give back to the network service what a device has, although the host that has it is not heard of; may be repeated. Called by
        conductors."""

    def left(self, devices: Sequence[str]) -> list[str]:
        """Those of these devices (some dozens) of which the network service has something, wherever they were. Called by conductors."""

    def files(self, device: str) -> list[Bind]:
        """The files of this host by which the sandbox's containers know names, where the engine does not make them."""
