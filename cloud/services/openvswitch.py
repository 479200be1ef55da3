"""Open vSwitch of a node, with the datapath that needs no kernel module, and the bridges that Neutron's agent expects.

Tunnels of this datapath leave by a bridge: the underlay's address is on one, and the wire to the other nodes is its port.
"""

from __future__ import annotations

from cloud import daemons
from cloud.daemons import Daemon
from cloud.fabric import PUBLIC_PORT, UNDERLAY_PORT
from cloud.nodes import Node
from cloud.world import NETWORK, World

#: Where Neutron's agent and os-vif ask by default.
CONNECTION = "tcp:127.0.0.1:6640"
INTEGRATION, UNDERLAY, EXTERNAL = "br-int", "br-underlay", "br-ex"
_SOCKET = "/run/openvswitch/db.sock"
_QUIET = ("--no-chdir", "-vconsole:warn", "-vsyslog:off")
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def start(world: World, node: Node) -> bool:
    """See that the switch runs and has its bridges."""
    database = node.folder / "openvswitch.db"
    if not database.exists():
        node.run("ovsdb-tool", "create", str(database), _SCHEMA)
    remotes = [f"--remote=punix:{_SOCKET}", "--remote=ptcp:6640:127.0.0.1"]
    command = ["ovsdb-server", str(database), *remotes, "--pidfile=/run/openvswitch/ovsdb-server.pid"]
    started = daemons.start(world, Daemon("ovsdb-server", node, [*command, *_QUIET], lambda: _answers(node, "ovsdb-server")))
    if started:
        node.run("ovs-vsctl", "--no-wait", "init")
    command = ["ovs-vswitchd", f"unix:{_SOCKET}", "--pidfile=/run/openvswitch/ovs-vswitchd.pid", *_QUIET]
    started |= daemons.start(world, Daemon("ovs-vswitchd", node, command, lambda: _answers(node, "ovs-vswitchd")))
    _bridges(node)
    return started


def _bridges(node: Node) -> None:
    bridges = [INTEGRATION, UNDERLAY, *([EXTERNAL] if node.name == NETWORK else [])]
    words: list[str] = []
    for bridge in bridges:
        words += ["--", "--may-exist", "add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev"]
    words += ["--", "--may-exist", "add-port", UNDERLAY, UNDERLAY_PORT]
    if node.name == NETWORK:
        words += ["--", "--may-exist", "add-port", EXTERNAL, PUBLIC_PORT]
    node.run("ovs-vsctl", *words[1:])
    node.run("ip", "address", "replace", f"{node.underlay}/24", "dev", UNDERLAY)
    node.run("ip", "link", "set", UNDERLAY, "up")


def _answers(node: Node, program: str) -> bool:
    return node.run("ovs-appctl", "-t", program, "version", check=False) != ""
