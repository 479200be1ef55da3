"""MariaDB: one server for all services, each with a database and an account of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cloud import daemons
from cloud.daemons import Daemon
from cloud.world import DATABASES, World

_PORT = 3306


def start(world: World) -> bool:
    """See that it runs and has every database and account."""
    if not (_folder(world) / "data" / "mysql").exists():
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={_folder(world)}/data", "--user=root"]
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        daemons.run(world, "mariadb-install", *command, *options)
    started = daemons.start(world, _daemon(world))
    made = _folder(world) / "made"
    if not made.exists():
        execute(world, _accounts(world))
        made.touch()
    return started


def execute(world: World, statements: str) -> str:
    """Run statements as the superuser; what they print."""
    return world.controller.run(*_client(world), given=statements)


def dump(world: World, names: tuple[str, ...], file: Path) -> None:
    """Write the databases as statements that make them anew."""
    partial = file.with_suffix(".partial")
    file.parent.mkdir(parents=True, exist_ok=True)
    command = ["mariadb-dump", f"--socket={_socket(world)}", "--user=root", "--skip-comments", "--databases", *names]
    partial.write_text(world.controller.run(*command))
    partial.replace(file)


def restore(world: World, file: Path) -> None:
    """Run the statements of a dump."""
    with file.open("rb") as statements:
        subprocess.run(world.controller.command(*_client(world)), stdin=statements, check=True, cwd="/")


def _daemon(world: World) -> Daemon:
    """Nothing is synced to the disk: nobody cuts the power of a cloud for tests, and it is made anew in a minute."""
    options = {
        "datadir": f"{_folder(world)}/data",
        "socket": _socket(world),
        "pid-file": f"{_folder(world)}/pid",
        "bind-address": world.controller.address,
        "port": _PORT,
        "user": "root",
        "max-connections": 1000,
        "innodb-buffer-pool-size": "192M",
        "innodb-flush-log-at-trx-commit": 0,
        "innodb-flush-method": "nosync",
        "innodb-doublewrite": 0,
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
