"""Our API under the peer's server, on a database of its own: rows that no agent looks after, and that nobody tidies away."""

from __future__ import annotations

from pathlib import Path

from bench import rows
from bench.cloud import uwsgi
from cloud import daemons, ini
from cloud.daemons import Daemon, listens
from cloud.services import mariadb, settings
from cloud.world import World, write_private
from tools import environment, processes
from tools.progress import Trouble
from zun.db.store import SqlStore
from zun.wiring.parts import utcnow

#: beside the one of the cloud's own API
PORT = 9617
DATABASE = "zun_bench"
_NAME = "zun-bench-api"
#: a project has a thousand rows and more
_NO_QUOTA: dict[str, ini.Value] = dict.fromkeys(("containers", "cpu", "memory", "disk"), 10**9)


def start(world: World) -> bool:
    """Start it, out of the sources as they are now."""
    daemons.stop(world.controller, _NAME)
    _tables(world)
    node, folder = world.controller, settings.folder(world.controller, "zun")
    python = environment.development().program("python")
    command = uwsgi.command(world, python, node.address, PORT, "zun.wsgi.api:application")
    return daemons.start(world, Daemon(_NAME, node, command, listens(node.address, PORT), {}, variables(folder)))


def variables(folder: Path) -> dict[str, str]:
    """The environment by which an API has this database."""
    return {"OS_ZUN_CONFIG_DIR": str(folder), "OS_ZUN_CONFIG_FILES": "zun.conf;bench.conf"}


def end(world: World) -> None:
    """End it and drop its database; none there is as good."""
    daemons.stop(world.controller, _NAME)
    mariadb.execute(world, f"DROP DATABASE IF EXISTS {DATABASE};")
    (settings.folder(world.controller, "zun") / "bench.conf").unlink(missing_ok=True)


def fill(world: World, project: str, count: int) -> None:
    """Have so many containers of a project in it."""
    store = SqlStore(_url(world), clock=utcnow)
    try:
        rows.into(store, project, count)
    finally:
        store.close()


def workers(world: World) -> list[int]:
    """The numbers of the processes that answer. Raises Trouble where there is none."""
    number = daemons.pid(world.controller, _NAME)
    if number is None:
        raise Trouble(f"{_NAME} does not run any more; its log is with the cloud's")
    return processes.descendants(number)


def _tables(world: World) -> None:
    statements = f"""CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4;
    GRANT ALL ON {DATABASE}.* TO zun@'%';"""
    mariadb.execute(world, statements)
    folder = settings.folder(world.controller, "zun")
    write_private(folder / "bench.conf", ini.render({"database": {"connection": _url(world)}, "quota": _NO_QUOTA}))
    command = [environment.development().program("zun-manage")]
    command += [word for name in ("zun.conf", "bench.conf") for word in ("--config-file", str(folder / name))]
    daemons.run(world, "bench-schema", *command, "db", "upgrade")


def _url(world: World) -> str:
    return world.database("zun").replace("/zun?", f"/{DATABASE}?")
