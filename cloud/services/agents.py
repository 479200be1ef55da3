"""Neutron's agents: the switch's on every host, those of DHCP, routers and metadata on the network node."""

from __future__ import annotations

from pathlib import Path

from cloud import daemons, ini
from cloud.daemons import Daemon
from cloud.ini import Settings
from cloud.nodes import Node
from cloud.services import mariadb, neutron, openvswitch, settings
from cloud.world import NETWORK, World, write_private

_ALL = [f"neutron-{kind}-agent" for kind in ("openvswitch", "dhcp", "l3", "metadata")]
#: Where Nova would answer, on the controller, for what is asked of 169.254.169.254. Nobody listens there, unless a test does.
METADATA_PORT = 8775
_INTERFACES: Settings = {
    "DEFAULT": {"interface_driver": "openvswitch"},
    "ovs": {"ovsdb_connection": openvswitch.CONNECTION, "datapath_type": "netdev", "integration_bridge": openvswitch.INTEGRATION},
}


def start_switch(world: World, node: Node) -> bool:
    """See that a node's switch does what Neutron says."""
    ovs: dict[str, ini.Value] = {**_INTERFACES["ovs"], "local_ip": node.underlay}
    if node.name == NETWORK:
        ovs["bridge_mappings"] = f"{neutron.PHYSICAL}:{openvswitch.EXTERNAL}"
    own: Settings = {
        "ovs": ovs,
        "agent": {"tunnel_types": ["vxlan"], "l2_population": True, "arp_responder": True, "polling_interval": 1},
        "securitygroup": {"enable_security_group": True, "firewall_driver": "openvswitch"},
    }
    return daemons.start(world, _daemon(world, node, "openvswitch", own))


def start_dhcp(world: World) -> bool:
    """See that networks have DHCP."""
    node = world.node(NETWORK)
    # It reads files in the cloud's folder, which is closed to the account that it would take for itself.
    dnsmasq = settings.folder(node, neutron.SERVICE) / "dnsmasq.conf"
    write_private(dnsmasq, "user=root\ngroup=root\n")
    own: Settings = {"DEFAULT": {"enable_isolated_metadata": False, "resync_interval": 5, "dnsmasq_config_file": str(dnsmasq)}}
    return daemons.start(world, _daemon(world, node, "dhcp", ini.merged(_INTERFACES, own)))


def start_l3(world: World) -> bool:
    """See that networks have routers."""
    own: Settings = {"DEFAULT": {"agent_mode": "legacy"}}
    return daemons.start(world, _daemon(world, world.node(NETWORK), "l3", ini.merged(_INTERFACES, own)))


def start_metadata(world: World) -> bool:
    """See that what routers are asked at 169.254.169.254 is passed on, with the uuid of whoever asks."""
    own: Settings = {
        "DEFAULT": {
            "nova_metadata_host": world.controller.address,
            "nova_metadata_port": METADATA_PORT,
            "metadata_proxy_shared_secret": world.secrets["metadata"],
            "metadata_workers": 1,
        }
    }
    return daemons.start(world, _daemon(world, world.node(NETWORK), "metadata", own))


def await_reports(world: World) -> bool:
    """Wait until all agents have reported since they were started: from then on ports can be bound and networks get their DHCP.

    Raises Trouble.
    """
    agents = [(node, name) for node in world.nodes() for name in daemons.names(node) if name in _ALL]
    since = daemons.started_at([*agents, (world.controller, "neutron-rpc")])
    return mariadb.await_reports(world, "neutron.agents", "heartbeat_timestamp", since, len(agents))


def _daemon(world: World, node: Node, kind: str, own: Settings) -> Daemon:
    name = f"neutron-{kind}-agent"
    folder: Path = settings.folder(node, neutron.SERVICE)
    files = {
        folder / f"{kind}_agent.ini": ini.render(ini.merged(neutron.of_node(world, node), own)),
    }
    command = [world.program(name), *(word for file in files for word in ("--config-file", str(file)))]
    return Daemon(name, node, command, lambda: True, files)
