"""The services' empty tables: made once by each service, and kept, because from a dump they are there in seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from cloud import software
from cloud.services import cinder, glance, keystone, mariadb, neutron, placement
from cloud.world import World

#: Each service's own way to make its tables.
MAKERS: Mapping[str, Callable[[World], None]] = {
    "neutron": neutron.schema,
    "cinder": cinder.schema,
    "keystone": keystone.schema,
    "glance": glance.schema,
    "placement": placement.schema,
}


def kept(world: World) -> Path:
    """Where the dump of these versions is, or would be. There is no secret in it, and nothing of anybody's."""
    return world.home / "cache" / f"schemas-{hashlib.sha256(software.fingerprint().encode()).hexdigest()[:12]}.sql"


def restore(world: World) -> bool:
    """Make all tables from the dump, if there is one. Returns whether it did."""
    if _made(world, "restored").exists() or not kept(world).exists() or any(_made(world, name).exists() for name in MAKERS):
        return False
    mariadb.restore(world, kept(world))
    for name in ("restored", *MAKERS):
        _made(world, name).touch()
    return True


def make(world: World, name: str) -> bool:
    """See that a service has its tables."""
    if _made(world, name).exists():
        return False
    MAKERS[name](world)
    _made(world, name).touch()
    return True


def keep(world: World) -> bool:
    """Dump all tables for the next time, while they are still empty."""
    if kept(world).exists() or (world.folder / "furnished").exists():
        return False
    mariadb.dump(world, tuple(MAKERS), kept(world))
    return True


def _made(world: World, name: str) -> Path:
    folder = world.folder / "schemas"
    folder.mkdir(exist_ok=True)
    return folder / name
