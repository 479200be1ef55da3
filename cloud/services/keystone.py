"""Keystone: identity. Its keys and its first administrator are made here; everybody else by ``inside/furnish.py``."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cloud import daemons, ini
from cloud.daemons import Daemon
from cloud.services import settings
from cloud.world import REGION, World, write_private

SERVICE = "keystone"


def schema(world: World) -> None:
    """Make its tables."""
    _configure(world)
    daemons.run(world, "keystone-schema", world.program("keystone-manage"), *_option(world), "db_sync")


def bootstrap(world: World) -> bool:
    """Make the first administrator, the roles and the endpoint, once."""
    done = settings.state(world.controller, SERVICE) / "bootstrapped"
    if done.exists():
        return False
    _configure(world)
    url = world.url("identity")
    # Not in the command line, where every account of this machine could read it.
    secret = {"OS_BOOTSTRAP_PASSWORD": world.secrets["user/admin"]}
    urls = [word for interface in ("admin", "internal", "public") for word in (f"--bootstrap-{interface}-url", url)]
    command = [world.program("keystone-manage"), *_option(world), "bootstrap", *urls, "--bootstrap-region-id", REGION]
    daemons.run(world, "keystone-bootstrap", *command, environment=secret)
    done.touch()
    return True


def start(world: World) -> bool:
    """See that it answers."""
    _keys(world)
    return daemons.start(world, _daemon(world))


def _daemon(world: World) -> Daemon:
    environment = {"OS_KEYSTONE_CONFIG_DIR": str(settings.folder(world.controller, SERVICE))}
    return settings.wsgi(world, "identity", "keystone.wsgi.api:application", {_file(world): _text(world)}, environment, workers=2)


def _text(world: World) -> str:
    keys = settings.state(world.controller, SERVICE)
    return ini.render(
        {
            "DEFAULT": {"use_stderr": True, "public_endpoint": world.url("identity").removesuffix("/v3")},
            "database": {"connection": world.database(SERVICE)},
            "cache": {"enabled": True, "backend": "dogpile.cache.pymemcache", "memcache_servers": [world.memcached]},
            "token": {"provider": "fernet", "expiration": 14400},
            "fernet_tokens": {"key_repository": f"{keys}/fernet"},
            "fernet_receipts": {"key_repository": f"{keys}/fernet"},
            "credential": {"key_repository": f"{keys}/credential"},
            # The cheapest that is allowed: these passwords are random, and every test asks for tokens.
            "identity": {"password_hash_rounds": 4, "max_password_length": 72},
            "oslo_policy": {"enforce_scope": True, "enforce_new_defaults": True},
        }
    )


def _keys(world: World) -> None:
    """What ``keystone-manage fernet_setup`` would make, without its five seconds."""
    for purpose in ("fernet", "credential"):
        for number in ("0", "1"):
            file = settings.state(world.controller, SERVICE) / purpose / number
            if not file.exists():
                write_private(file, base64.urlsafe_b64encode(os.urandom(32)).decode())
                file.parent.chmod(0o700)


def _configure(world: World) -> None:
    _keys(world)
    write_private(_file(world), _text(world))


def _file(world: World) -> Path:
    return settings.folder(world.controller, SERVICE) / "keystone.conf"


def _option(world: World) -> tuple[str, str]:
    return "--config-file", str(_file(world))
