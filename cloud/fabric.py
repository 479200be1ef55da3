"""The wires between the nodes: a management network, an underlay for tunnels, and a public network.

The bridges are in a node of their own, so that they go when it goes and no rule of this machine's own firewall is asked. This machine has
one end of two wires: into the management network, and into the public one, as the router at the edge of the cloud's floating addresses.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from cloud import nodes, remains
from cloud.nodes import Node
from cloud.world import CONTROLLER, FABRIC, NETWORK, World
from tools.progress import Trouble

MANAGEMENT, UNDERLAY, PUBLIC = "mgmt", "underlay", "public"
#: interfaces of the nodes
MANAGEMENT_PORT, UNDERLAY_PORT, PUBLIC_PORT = "mgmt0", "underlay0", "public0"


def make(world: World) -> bool:
    """See that all nodes are up and wired. Returns whether anything was to be done; then every node is new and empty of processes."""
    everybody = (world.node(FABRIC), *world.nodes())
    # Written when all is done: whoever was interrupted before begins anew.
    wired = world.node(FABRIC).folder / "wired"
    if wired.exists() and all(node.init is not None for node in everybody):
        return False
    remove(world)
    for node in everybody:
        # The databases' and images' files of the controller are worth keeping; what a switch or an engine remembers of its ports is not.
        if node.name != CONTROLLER:
            nodes.forget(node)
        node.folder.mkdir(parents=True, exist_ok=True)
        (node.folder / "hosts").write_text(hosts(world))
        node.start()
    fabric = world.node(FABRIC)
    for bridge in (MANAGEMENT, UNDERLAY, PUBLIC):
        fabric.run("ip", "link", "add", bridge, "up", "type", "bridge")
    for node in world.nodes():
        connect(world, node)
    _wire(fabric, PUBLIC, world.node(NETWORK), PUBLIC_PORT)
    _wire_machine(world, fabric, MANAGEMENT, world.gateway)
    _wire_machine(world, fabric, PUBLIC, f"{world.public}.1")
    # The switch at its end reads packets as they are; nobody would fill in a checksum that is left to hardware.
    _run("ethtool", "--offload", f"{world.tag}-{PUBLIC}", "tx", "off")
    wired.touch()
    return True


def admit(world: World, name: str, number: int) -> Node:
    """A new node that has no services: somebody with a wire into the management network and one into the public one, and nothing else.
    ``number`` is the last of its addresses. One of that name that is there is ended first. Raises Trouble."""
    node = Node(name, world.folder / "nodes" / name, f"{world.management}.{number}")
    dismiss(world, node)
    node.folder.mkdir(parents=True)
    (node.folder / "hosts").write_text(hosts(world))
    node.start()
    fabric = world.node(FABRIC)
    for bridge, port, network in ((MANAGEMENT, MANAGEMENT_PORT, world.management), (PUBLIC, PUBLIC_PORT, world.public)):
        _wire(fabric, bridge, node, port)
        node.run("ip", "address", "add", f"{network}.{number}/24", "dev", port)
    node.run("ethtool", "--offload", PUBLIC_PORT, "tx", "off")
    return node


def dismiss(world: World, node: Node) -> None:
    """End a node that was let in, and all that runs in it. None is as good."""
    remains.end_nodes(node.folder)
    for bridge in (MANAGEMENT, UNDERLAY, PUBLIC):
        # The kernel would do it, a little later.
        world.node(FABRIC).run("ip", "link", "delete", _fabric_end(bridge, node), check=False)
    nodes.forget(node)


def remove(world: World) -> None:
    """End all nodes, and with them all that runs in them; returns when their wires are gone too. None there is as good."""
    remains.end_nodes(world.folder)
    remains.await_links_gone(world.tag)


def connect(world: World, node: Node) -> None:
    """Wire a node that has no wires yet to the management network, and to the underlay where it has an address there."""
    fabric = world.node(FABRIC)
    _wire(fabric, MANAGEMENT, node, MANAGEMENT_PORT)
    node.run("ip", "address", "add", f"{node.address}/24", "dev", MANAGEMENT_PORT)
    if node.underlay:
        _wire(fabric, UNDERLAY, node, UNDERLAY_PORT)


def hosts(world: World) -> str:
    """The text of a node's ``/etc/hosts``."""
    lines = ["127.0.0.1 localhost", "::1 localhost", f"{world.gateway} machine"]
    return "\n".join([*lines, *(f"{node.address} {node.name}" for node in world.nodes())]) + "\n"


def _wire(fabric: Node, bridge: str, node: Node, port: str) -> None:
    """A wire from a bridge to a node's port."""
    here = _fabric_end(bridge, node)
    _ip("link", "add", here, "netns", str(fabric.init), "type", "veth", "peer", "name", port, "netns", str(node.init))
    fabric.run("ip", "link", "set", here, "master", bridge, "up")
    node.run("ip", "link", "set", port, "up")


def _fabric_end(bridge: str, node: Node) -> str:
    return f"{bridge[:4]}-{node.name}"[:15]


def _wire_machine(world: World, fabric: Node, bridge: str, address: str) -> None:
    """A wire from a bridge to this machine itself."""
    here = f"{world.tag}-{bridge}"
    _ip("link", "add", here, "type", "veth", "peer", "name", "machine", "netns", str(fabric.init))
    fabric.run("ip", "link", "set", "machine", "name", f"{bridge[:4]}-machine", "master", bridge, "up")
    # No IPv6 address of its own: nothing here speaks to it.
    with suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{here}/disable_ipv6").write_text("1\n")
    _ip("address", "add", f"{address}/24", "dev", here)
    _ip("link", "set", here, "up")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
