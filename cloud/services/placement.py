"""Placement: what hosts have, and who has been given what."""

from __future__ import annotations

from pathlib import Path

from cloud import daemons, ini
from cloud.services import settings
from cloud.world import World, write_private

SERVICE = "placement"


def schema(world: World) -> None:
    """Make its tables."""
    write_private(_file(world), _text(world))
    daemons.run(world, "placement-schema", world.program("placement-manage"), "--config-file", str(_file(world)), "db", "sync")


def start(world: World) -> bool:
    """See that it answers."""
    environment = {"OS_PLACEMENT_CONFIG_DIR": str(settings.folder(world.controller, SERVICE))}
    files = {_file(world): _text(world)}
    return daemons.start(world, settings.wsgi(world, "placement", "placement.wsgi.api:application", files, environment))


def _text(world: World) -> str:
    common = dict(settings.common(world, SERVICE))
    own = {"placement_database": common.pop("database"), "api": {"auth_strategy": "keystone"}}
    return ini.render(ini.merged(common, own))


def _file(world: World) -> Path:
    return settings.folder(world.controller, SERVICE) / "placement.conf"
