"""A registry for images: the engines of the hosts take it for Docker Hub too."""

from __future__ import annotations

import json

from cloud import daemons
from cloud.daemons import Daemon
from cloud.world import World


def start(world: World) -> bool:
    """See that it runs."""
    node = world.controller
    address, _, port = world.registry.partition(":")
    # YAML reads JSON.
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": f"{node.folder}/registry"}, "delete": {"enabled": True}},
        "http": {"addr": world.registry},
    }
    file = node.folder / "etc" / "registry.yml"
    command = ["docker-registry", "serve", str(file)]
    return daemons.start(world, Daemon("registry", node, command, daemons.listens(address, int(port)), {file: json.dumps(settings)}))
