"""Cinder: volumes, each a sparse file behind a loop device, by the driver of ``inside/loopfile.py``."""

from __future__ import annotations

from pathlib import Path

from cloud import daemons, ini
from cloud.daemons import Daemon
from cloud.services import mariadb, settings
from cloud.world import REGION, World, write_private
from tools.environment import REPOSITORY

SERVICE = "cinder"
BACKEND = "files"
_SCHEDULER, _VOLUME = "cinder-scheduler", "cinder-volume"
#: The driver is not in Cinder's package.
_PYTHONPATH = {"PYTHONPATH": str(REPOSITORY)}


def schema(world: World) -> None:
    """Make its tables."""
    write_private(_file(world), _text(world))
    daemons.run(world, "cinder-schema", world.program("cinder-manage"), *_option(world), "db", "sync")


def start(world: World) -> bool:
    """See that the API answers."""
    files = {_file(world): _text(world)}
    daemon = settings.wsgi(world, "block-storage", "cinder.wsgi.api:application", files, {}, _option(world))
    return daemons.start(world, daemon)


def start_scheduler(world: World) -> bool:
    """See that somebody chooses a place for volumes."""
    return daemons.start(world, _daemon(world, _SCHEDULER))


def start_volume(world: World) -> bool:
    """See that somebody makes them."""
    return daemons.start(world, _daemon(world, _VOLUME))


def await_reports(world: World) -> bool:
    """Wait until the scheduler and the volume service have reported: from then on volumes can be made. Raises Trouble."""
    since = daemons.started_at([(world.controller, name) for name in (_SCHEDULER, _VOLUME)])
    return mariadb.await_reports(world, "cinder.services", "updated_at", since, 2)


def _daemon(world: World, name: str) -> Daemon:
    command = [world.program(name), *_option(world)]
    return Daemon(name, world.controller, command, lambda: True, {_file(world): _text(world)}, _PYTHONPATH)


def _text(world: World) -> str:
    data = settings.state(world.controller, SERVICE)
    return ini.render(
        ini.merged(
            settings.common(world, SERVICE),
            {
                "DEFAULT": {
                    "host": world.controller.name,
                    "auth_strategy": "keystone",
                    "api_paste_config": str(world.venv / "etc/cinder/api-paste.ini"),
                    "state_path": str(data),
                    "enabled_backends": [BACKEND],
                    "default_volume_type": "__DEFAULT__",
                    "glance_api_servers": [world.url("image")],
                    "os_region_name": REGION,
                    "rootwrap_config": str(world.venv / "etc/cinder/rootwrap.conf"),
                    "report_interval": 5,
                    # Seconds after which the scheduler knows of a volume service that it has not heard begin.
                    "backend_stats_polling_interval": 5,
                },
                "coordination": {"backend_url": f"file://{data}/coordination"},
                BACKEND: {
                    "volume_driver": "cloud.inside.loopfile.LoopFileDriver",
                    "volume_backend_name": BACKEND,
                    "loopfile_folder": f"{data}/volumes",
                },
            },
        )
    )


def _file(world: World) -> Path:
    return settings.folder(world.controller, SERVICE) / "cinder.conf"


def _option(world: World) -> tuple[str, str]:
    return "--config-file", str(_file(world))
