"""Neutron's own time for a port: a program for a host of the test cloud, beside its agent. What it is told and what it answers is JSON.

``python -m bench.bare zun.conf`` reads lines of ``{"network": uuid, "project": uuid, "count": n}``. For each it makes so many ports at
once, bound to this host, plugs a wire of each into the switch by os-vif, and waits until Neutron calls them active: that is what every
service that gives machines ports of Neutron does, and nothing of ours. It answers the seconds of each port's parts.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyroute2 import IPRoute

LOOK_EVERY = 0.05
PATIENCE = 300.0


class Bare:
    """The calls, with the configuration and the credentials of this host's agent."""

    def __init__(self, file: str) -> None:
        # The libraries must run on threads here as they do in the agent.
        import zun.rpc.threads  # noqa: F401, I001
        from keystoneauth1 import adapter, loading
        from os_vif import objects
        from vif_plug_ovs import privsep
        from vif_plug_ovs.ovs import OvsPlugin

        from zun import conf as options
        from zun.conf import neutron

        conf = options.new()
        conf(["--config-file", file], project="zun")
        neutron.register(conf)
        # It is a measurement, however long it takes.
        conf.set_override("timeout", PATIENCE, neutron.GROUP)
        auth = loading.load_auth_from_conf_options(conf, neutron.GROUP)
        session = loading.load_session_from_conf_options(conf, neutron.GROUP, auth=auth)
        self._neutron = adapter.Adapter(session, service_type="network", interface="internal", region_name=conf.neutron.region_name)
        self._host = conf.host
        objects.register_all()
        privsep.vif_plug.set_client_mode(False)
        conf.register_opts(OvsPlugin.CONFIG_OPTS, "os_vif_ovs")
        self._plugin = OvsPlugin(conf.os_vif_ovs)
        self._bridge = conf.neutron.ovs_bridge

    def measure(self, network: str, project: str, count: int) -> list[dict[str, float]]:
        """The seconds of each of so many ports at once."""
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self._one(network, project), range(count)))

    def _one(self, network: str, project: str) -> dict[str, float]:
        device = str(uuid.uuid4())
        body = {
            "network_id": network,
            "project_id": project,
            "device_id": device,
            "device_owner": "compute:bench",
            "binding:host_id": self._host,
        }
        begun = time.perf_counter()
        port = self._neutron.post("/v2.0/ports", json={"port": body}).json()["port"]
        made = time.perf_counter()
        try:
            vif = self._plug(port, device)
            plugged = time.perf_counter()
            while self._neutron.get(f"/v2.0/ports/{port['id']}?fields=status").json()["port"]["status"] != "ACTIVE":
                if time.perf_counter() > begun + PATIENCE:
                    raise TimeoutError(f"port {port['id']} did not become active")
                time.sleep(LOOK_EVERY)
            active = time.perf_counter()
            self._unplug(vif, device)
        finally:
            self._neutron.delete(f"/v2.0/ports/{port['id']}")
        gone = time.perf_counter()
        return {"make": made - begun, "plug": plugged - made, "wait": active - plugged, "all": active - begun, "end": gone - active}

    def _plug(self, port: dict[str, Any], device: str) -> Any:
        from os_vif.objects import instance_info, network, vif

        name = f"tap{port['id']}"[:14]
        with IPRoute() as ip:
            ip.link("add", ifname=name, kind="veth", peer={"ifname": f"bare{port['id']}"[:14]})
            ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
        made = vif.VIFOpenVSwitch(
            id=port["id"],
            address=port["mac_address"],
            plugin="ovs",
            vif_name=name,
            bridge_name=self._bridge,
            network=network.Network(id=port["network_id"], bridge=self._bridge, mtu=1400),
            port_profile=vif.VIFPortProfileOpenVSwitch(interface_id=port["id"], datapath_type="netdev", create_port=True),
        )
        self._plugin.plug(made, instance_info.InstanceInfo(uuid=device, name=device))
        return made

    def _unplug(self, vif: Any, device: str) -> None:
        from os_vif.objects import instance_info

        self._plugin.unplug(vif, instance_info.InstanceInfo(uuid=device, name=device))
        with IPRoute() as ip:
            for index in ip.link_lookup(ifname=vif.vif_name):
                ip.link("del", index=index)


def main() -> int:
    """Answer until there is nothing more to be asked."""
    bare = Bare(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(bare.measure(**json.loads(line))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
