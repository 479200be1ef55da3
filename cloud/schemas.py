"""The services' empty tables: made by each service itself, and kept, because from a dump they are there in a second the next time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cloud import software
from cloud.services import cinder, glance, keystone, mariadb, neutron, placement
from cloud.world import World

#: Each service's own way to make its tables; the slowest first.
MAKERS: Mapping[str, Callable[[World], None]] = {
    "neutron": neutron.schema,
    "cinder": cinder.schema,
    "keystone": keystone.schema,
    "glance": glance.schema,
    "placement": placement.schema,
}


def make(world: World, name: str) -> bool:
    """See that a service has its tables. Returns whether it had none."""
    done = world.folder / "schemas" / name
    if done.exists():
        return False
    file = kept(world, name)
    if file.exists():
        mariadb.restore(world, name, file)
    else:
        MAKERS[name](world)
        mariadb.dump(world, name, file)
    done.parent.mkdir(exist_ok=True)
    done.touch()
    return True


def kept(world: World, name: str) -> Path:
    """Where the dump of these versions is, or would be. Nobody has written into these tables: there is no secret in it."""
    return world.home / "cache" / f"{name}-{software.fingerprint()[:12]}.sql"
