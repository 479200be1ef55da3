"""MariaDB: one server for all services, each with a database and an account of its own."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

from cloud import daemons
from cloud.daemons import Daemon
from cloud.world import DATABASES, World
from tools.progress import Trouble

_PORT = 3306
_PATIENCE = 120.0


def start(world: World) -> bool:
    """See that it runs and has every database and account."""
    installed = _folder(world) / "installed"
    if not installed.exists():
        shutil.rmtree(_folder(world) / "data", ignore_errors=True)
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={_folder(world)}/data", "--user=root"]
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        daemons.run(world, "mariadb-install", *command, *options)
        installed.touch()
    started = daemons.start(world, _daemon(world))
    made = _folder(world) / "made"
    if not made.exists():
        execute(world, _accounts(world))
        made.touch()
    return started


def execute(world: World, statements: str) -> str:
    """Run statements as the superuser; what they print."""
    return world.controller.run(*_client(world), given=statements)


def await_reports(world: World, table: str, column: str, since: datetime, wanted: int) -> bool:
    """Wait until so many services have written a time after ``since`` into the column in which each tells that it lives.

    Returns whether they had to be waited for. Raises Trouble after two minutes.
    """
    statement = f"SELECT COUNT(*) FROM {table} WHERE {column} > '{since:%Y-%m-%d %H:%M:%S}';"  # noqa: S608
    deadline = time.monotonic() + _PATIENCE
    waited = False
    while (found := int(execute(world, statement))) < wanted:
        if time.monotonic() > deadline:
            raise Trouble(f"{wanted - found} of {wanted} in {table} do not report; their logs are in {world.logs}")
        waited = True
        time.sleep(0.2)
    return waited


def dump(world: World, database: str, file: Path) -> None:
    """Write the tables of a database as statements that make them anew."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(world.controller.run("mariadb-dump", f"--socket={_socket(world)}", "--user=root", "--skip-comments", database))
    partial.replace(file)


def restore(world: World, database: str, file: Path) -> None:
    """Run the statements of a dump. Raises Trouble."""
    world.controller.run(*_client(world), database, given=file.read_text())


def _daemon(world: World) -> Daemon:
    """Nothing is synced to the disk: nobody cuts the power of a cloud for tests, and it is made anew in a minute. But the server is killed
    there, and must keep then what it has committed: that is written at once (2, not 0), and no half of a page is left (the doublewrite)."""
    options = {
        "datadir": f"{_folder(world)}/data",
        "socket": _socket(world),
        "pid-file": f"{_folder(world)}/pid",
        "bind-address": world.controller.address,
        "port": _PORT,
        "user": "root",
        "max-connections": 1000,
        "innodb-buffer-pool-size": "192M",
        "innodb-flush-log-at-trx-commit": 2,
        "innodb-flush-method": "nosync",
        "character-set-server": "utf8mb4",
        "collation-server": "utf8mb4_general_ci",
    }
    command = ["mariadbd", "--no-defaults", "--skip-name-resolve", *(f"--{name}={value}" for name, value in options.items())]
    return Daemon("mariadb", world.controller, command, daemons.listens(world.controller.address, _PORT))


def _accounts(world: World) -> str:
    lines = []
    for name in DATABASES:
        lines.append(f"CREATE DATABASE IF NOT EXISTS {name};")
        lines.append(f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY '{world.secrets[f'database/{name}']}';")
        lines.append(f"GRANT ALL ON {name}.* TO {name}@'%';")
    return "\n".join(lines)


def _client(world: World) -> list[str]:
    return ["mariadb", "--no-defaults", f"--socket={_socket(world)}", "--user=root", "--batch", "--skip-column-names"]


def _folder(world: World) -> Path:
    folder = world.controller.folder / "mariadb"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _socket(world: World) -> str:
    return f"{_folder(world)}/socket"
