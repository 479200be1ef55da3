"""What an agent does on its host, by hand: a program for the nodes, run with the environment of the cloud's services.

``hand.py plug|unplug|attach|detach < WHAT``; what it was told and what it answers is JSON.
"""

import json
import subprocess
import sys
from typing import Any


def plug(port: dict[str, Any]) -> None:
    """A wire from the network namespace of process ``pid`` to the port, as os-vif's plug-in for Open vSwitch wants it."""
    vif, info, tap = _vif(port)
    _run("ip", "link", "add", tap, "mtu", str(port["mtu"]), "type", "veth", "peer", "name", "eth0", "netns", str(port["pid"]))
    _run("ip", "link", "set", tap, "up")
    inside = ("nsenter", "--target", str(port["pid"]), "--net")
    _run(*inside, "ip", "link", "set", "eth0", "address", port["mac"], "mtu", str(port["mtu"]), "up")
    # The switch's datapath reads packets as they are; nobody would fill in a checksum that is left to hardware.
    _run(*inside, "ethtool", "--offload", "eth0", "tx", "off")
    import os_vif

    os_vif.plug(vif, info)


def unplug(port: dict[str, Any]) -> None:
    vif, info, tap = _vif(port)
    import os_vif

    os_vif.unplug(vif, info)
    subprocess.run(["ip", "link", "delete", tap], check=False)


def attach(connection: dict[str, Any]) -> str:
    """The path of the block device that os-brick makes of what Cinder says."""
    return str(_connector(connection).connect_volume(connection["data"])["path"])


def detach(connection: dict[str, Any]) -> None:
    _connector(connection).disconnect_volume(connection["data"], None)


def _connector(connection: dict[str, Any]) -> Any:
    from os_brick.initiator import connector

    return connector.InitiatorConnector.factory(connection["driver_volume_type"].upper(), "sudo")


def _vif(port: dict[str, Any]) -> tuple[Any, Any, str]:
    import os_vif
    from os_vif.objects import instance_info, network, vif
    from oslo_config import cfg

    cfg.CONF([])
    os_vif.initialize()
    tap = f"tap{port['id']}"[:14]
    profile = vif.VIFPortProfileOpenVSwitch(interface_id=port["id"], datapath_type="netdev", create_port=True)
    made = vif.VIFOpenVSwitch(
        id=port["id"],
        address=port["mac"],
        plugin="ovs",
        vif_name=tap,
        bridge_name="br-int",
        network=network.Network(id=port["network"], bridge="br-int", mtu=port["mtu"]),
        port_profile=profile,
    )
    return made, instance_info.InstanceInfo(uuid=port["owner"], name=port["owner"]), tap


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    answer = {"plug": plug, "unplug": unplug, "attach": attach, "detach": detach}[sys.argv[1]](json.load(sys.stdin))
    print(json.dumps(answer))
