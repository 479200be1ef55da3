"""The container engine of a host: dockerd with a containerd of its own."""

from __future__ import annotations

import json

from cloud import daemons
from cloud.daemons import Daemon
from cloud.nodes import Node
from cloud.world import World
from tools.engine_api import Engine


def start(world: World, host: Node, execution: str = "/run/docker") -> bool:
    """See that it runs. Below ``execution`` are the namespaces of its networks, which it tells its plug-ins by their paths."""
    socket = world.engine(host.name)
    settings = {
        "hosts": [f"unix://{socket}"],
        "data-root": f"{host.folder}/docker",
        "exec-root": execution,
        "pidfile": "/run/docker.pid",
        # Its containers have networks from Neutron, or the host's own.
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "live-restore": True,
        "cgroup-parent": f"/{world.tag}-{host.name}",
        # Of each host there is something that no other has, by which a container can ask for it.
        "labels": [f"name={host.name}"],
        "runtimes": {f"runc-of-{host.name}": {"path": "runc"}},
        # Those of tests are on this machine, at its address in the same network.
        "insecure-registries": [f"{world.management}.0/24"],
        "registry-mirrors": [f"http://{world.registry}"],
        "shutdown-timeout": 5,
    }
    file = host.folder / "etc" / "docker.json"
    daemon = Daemon("docker", host, ["dockerd", "--config-file", str(file)], Engine(socket).answers, {file: json.dumps(settings, indent=1)})
    if daemons.pid(host, daemon.name) is None:
        socket.unlink(missing_ok=True)
        host.run("rm", "-f", "/run/docker.pid")
    return daemons.start(world, daemon)
