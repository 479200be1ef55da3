"""memcached: what keystonemiddleware and Keystone remember of tokens."""

from __future__ import annotations

from cloud import daemons
from cloud.daemons import Daemon
from cloud.world import World

_PORT = 11211


def start(world: World) -> bool:
    """See that it runs."""
    address = world.controller.address
    command = ["memcached", "-u", "root", "-l", address, "-p", str(_PORT), "-U", "0", "-m", "64"]
    return daemons.start(world, Daemon("memcached", world.controller, command, daemons.listens(address, _PORT)))
