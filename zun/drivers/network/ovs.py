"""Wires to Open vSwitch: pairs of virtual Ethernet devices, plugged by os-vif."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from pyroute2 import IPRoute, NetlinkError

from zun import errors
from zun.drivers.network import inside
from zun.drivers.network.cloud import Port
from zun.drivers.network.notes import Notes
from zun.drivers.network.vif import Interface
from zun.interfaces.runtime import SandboxState

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: What is left of a name in the kernel.
_LONGEST = 14

_DATAPATH = "netdev"


def tap(port_id: str) -> str:
    """The name of the host's end of a wire, as all of OpenStack has it."""
    return f"tap{port_id}"[:_LONGEST]


def loose(port_id: str) -> str:
    """The name of the other end, as long as there is no sandbox for it."""
    return f"zun{port_id}"[:_LONGEST]


def _check(port: Port) -> None:
    """Raises WiringFailed."""
    if port.vif_type != "ovs" or port.vif_details.get("ovs_hybrid_plug"):
        raise errors.WiringFailed(port=port.id, reason=f"this driver has no wires of the kind {port.vif_type!r}")


class OvsWires:
    """Implements :class:`zun.drivers.network.vif.Wires`."""

    def __init__(self, plugin: Any, bridge: str, notes: Notes) -> None:
        """``plugin`` is os-vif's for Open vSwitch."""
        self._plugin = plugin
        self._notes = notes
        self._bridge = bridge
        self._lock = threading.Lock()

    def lay(self, port: Port, device: str) -> None:
        """See the Protocol. The other end waits in this host's network, without an address and down."""
        _check(port)

        def wire() -> None:
            self._notes.begin(device, port.id)
            name = tap(port.id)
            with IPRoute() as ip:
                if not ip.link_lookup(ifname=name):
                    ip.link("add", ifname=name, kind="veth", peer={"ifname": loose(port.id)})
                    ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
            self._plug(port, device, 0)

        self._trying(port.id, wire)

    def connect(self, port: Port, device: str, state: SandboxState, wanted: Interface) -> None:
        """See the Protocol."""
        _check(port)
        plain = port.vif_details.get("datapath_type") == _DATAPATH
        wanted = replace(wanted, plain_checksums=plain)

        def wire() -> None:
            self._notes.begin(device, port.id)
            self._pair(port, state, wanted)
            for refused in inside.run(state, lambda: inside.configure(wanted)):
                LOG.warning("port %s: the kernel refuses the route to %s", port.id, refused)
            self._plug(port, device, wanted.mtu)

        self._trying(port.id, wire)

    def connected(self, state: SandboxState, addresses: set[str]) -> bool:
        """See the Protocol."""
        try:
            return addresses <= inside.run(state, inside.addresses)
        except OSError:
            return False

    def disconnect(self, port_id: str, device: str) -> None:
        """See the Protocol."""

        def cut() -> None:
            with self._lock:
                self._plugin.unplug(*self._vif(Port(id=port_id, network_id=port_id, project_id=""), device, 0))
            self._remove(tap(port_id))
            self._notes.end(device, port_id)

        self._trying(port_id, cut)

    def left(self, device: str) -> list[str]:
        """See the Protocol."""
        with self._lock:
            return self._trying("?", lambda: self._plugged(device))

    def begun(self, device: str) -> list[str]:
        """See the Protocol."""
        return self._trying("?", lambda: self._notes.of(device))

    def _plugged(self, device: str) -> list[str]:
        api = self._plugin.ovsdb.ovsdb
        found = api.db_find("Interface", ("external_ids", "=", {"vm-uuid": device}), columns=["external_ids"]).execute(check_error=True)
        return [line["external_ids"]["iface-id"] for line in found or () if "iface-id" in line["external_ids"]]

    def _plug(self, port: Port, device: str, mtu: int) -> None:
        with self._lock:
            self._plugin.plug(*self._vif(port, device, mtu))

    def _pair(self, port: Port, state: SandboxState, wanted: Interface) -> None:
        """Two devices that are one wire, one here and one in the sandbox."""
        name = tap(port.id)
        there = inside.run(state, inside.interfaces)
        if there.get(wanted.name) == wanted.mac and self._index(name) is not None:
            return
        laid = self._index(loose(port.id))
        if laid is not None and wanted.name not in there:
            with inside.entered(state) as handle, IPRoute() as ip:
                ip.link("set", index=laid, net_ns_fd=handle, ifname=wanted.name, address=wanted.mac)
            return
        # Its other end is in no sandbox, or in one that is gone.
        self._remove(name)
        with inside.entered(state) as handle, IPRoute() as ip:
            peer = {"ifname": wanted.name, "net_ns_fd": handle, "address": wanted.mac, "mtu": wanted.mtu}
            ip.link("add", ifname=name, kind="veth", mtu=wanted.mtu, peer=peer)
            ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")

    @staticmethod
    def _index(name: str) -> int | None:
        with IPRoute() as ip:
            return next(iter(ip.link_lookup(ifname=name)), None)

    def _remove(self, name: str) -> None:
        index = self._index(name)
        if index is not None:
            try:
                with IPRoute() as ip:
                    ip.link("del", index=index)
            except NetlinkError:
                if self._index(name) is not None:
                    raise

    def _vif(self, port: Port, device: str, mtu: int) -> tuple[Any, Any]:
        from os_vif.objects import instance_info, network, vif

        bridge = str(port.vif_details.get("bridge_name") or self._bridge)
        datapath = str(port.vif_details.get("datapath_type") or "system")
        profile = vif.VIFPortProfileOpenVSwitch(interface_id=port.id, datapath_type=datapath, create_port=True)
        made = vif.VIFOpenVSwitch(
            id=port.id,
            address=port.mac or "00:00:00:00:00:00",
            plugin="ovs",
            vif_name=tap(port.id),
            bridge_name=bridge,
            network=network.Network(id=port.network_id, bridge=bridge, mtu=mtu or None),
            port_profile=profile,
        )
        return made, instance_info.InstanceInfo(uuid=device, name=device)

    @staticmethod
    def _trying(port_id: str, do: Callable[[], T]) -> T:
        try:
            return do()
        except errors.ZunError:
            raise
        except Exception as error:
            # What os-vif and its libraries raise has no root of its own.
            LOG.warning("port %s: %s", port_id, error, exc_info=True)
            raise errors.WiringFailed(port=port_id, reason=str(error) or type(error).__name__) from error


def wires(conf: Any, bridge: str) -> OvsWires:
    """The wires of this host, by the section ``[os_vif_ovs]`` of ``conf``; nothing is asked of the switch yet."""
    from os_vif import objects
    from vif_plug_ovs import privsep
    from vif_plug_ovs.ovs import OvsPlugin

    objects.register_all()
    if os.geteuid() == 0:
        # Who may do everything needs no helper that may.
        privsep.vif_plug.set_client_mode(False)
    conf.register_opts(OvsPlugin.CONFIG_OPTS, "os_vif_ovs")
    return OvsWires(OvsPlugin(conf.os_vif_ovs), bridge, Notes(Path(conf.state_path) / "wires"))
