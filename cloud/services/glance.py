"""Glance: images, in files."""

from __future__ import annotations

from pathlib import Path

from cloud import daemons, ini
from cloud.services import settings
from cloud.world import World, write_private

SERVICE = "glance"


def schema(world: World) -> None:
    """Make its tables."""
    write_private(_file(world), _text(world))
    daemons.run(world, "glance-schema", world.program("glance-manage"), "--config-file", str(_file(world)), "db_sync")


def start(world: World) -> bool:
    """See that it answers."""
    environment = {"OS_GLANCE_CONFIG_DIR": str(settings.folder(world.controller, SERVICE))}
    files = {_file(world): _text(world)}
    return daemons.start(world, settings.wsgi(world, "image", "glance.wsgi.api:application", files, environment))


def _text(world: World) -> str:
    data = settings.state(world.controller, SERVICE)
    stores = {
        name: {"filesystem_store_datadir": f"{data}/{name}"} for name in ("images", "os_glance_staging_store", "os_glance_tasks_store")
    }
    return ini.render(
        ini.merged(
            settings.common(world, SERVICE),
            {
                "DEFAULT": {"enabled_backends": ["images:file"], "worker_self_reference_url": world.url("image")},
                "glance_store": {"default_backend": "images"},
                "paste_deploy": {"flavor": "keystone", "config_file": str(world.venv / "etc/glance/glance-api-paste.ini")},
            },
            stores,
        )
    )


def _file(world: World) -> Path:
    return settings.folder(world.controller, SERVICE) / "glance-api.conf"
