"""Settings that OpenStack's services have in common."""

from __future__ import annotations

from pathlib import Path

from cloud.daemons import Daemon, listens
from cloud.ini import Settings
from cloud.nodes import Node
from cloud.world import REGION, World

_SERVE = Path(__file__).parents[1] / "inside" / "serve.py"


def folder(node: Node, service: str) -> Path:
    """Where a service's configuration lies, on its node."""
    return node.folder / "etc" / service


def state(node: Node, service: str) -> Path:
    """Where a service keeps its files, on its node; it is there afterwards."""
    path = node.folder / service
    path.mkdir(parents=True, exist_ok=True)
    return path


def credentials(world: World, user: str) -> dict[str, str]:
    """A section's options by which keystoneauth becomes a service's user."""
    account = world.account(user)
    return {
        "auth_type": "password",
        "auth_url": account["auth_url"],
        "username": user,
        "password": account["password"],
        "project_name": account["project_name"],
        "user_domain_name": account["user_domain_name"],
        "project_domain_name": account["project_domain_name"],
        "region_name": REGION,
    }


def common(world: World, service: str) -> Settings:
    """Database, messages, tokens of users, and tokens of its own."""
    return {
        "DEFAULT": {"transport_url": world.transport, "use_stderr": True},
        "database": {"connection": world.database(service), "max_pool_size": 10, "max_overflow": 20},
        "keystone_authtoken": {
            **credentials(world, service),
            "www_authenticate_uri": world.url("identity"),
            "memcached_servers": [world.memcached],
            "service_token_roles": ["service"],
            "service_token_roles_required": True,
            "service_type": service,
        },
        "service_user": {**credentials(world, service), "send_service_user_token": True},
        "oslo_messaging_rabbit": {"heartbeat_in_pthread": False, "rabbit_retry_interval": 1, "rabbit_interval_max": 5},
        "oslo_concurrency": {"lock_path": str(state(world.controller, service) / "locks")},
        "oslo_policy": {"enforce_scope": True, "enforce_new_defaults": True},
    }


def wsgi(
    world: World,
    service: str,
    application: str,
    files: dict[Path, str],
    environment: dict[str, str],
    arguments: tuple[str, ...] = (),
    workers: int = 1,
    first: str | None = None,
) -> Daemon:
    """A daemon that serves a WSGI application at the endpoint of a service type, with so many processes of eight threads; each of them
    calls the function ``first`` (MODULE:NAME) before it serves."""
    node, port = world.controller, world.port(service)
    command = [world.program("python"), str(_SERVE), "--bind", f"{node.address}:{port}", "--workers", str(workers)]
    command += ["--application", application, *([] if first is None else ["--first", first]), "--", *arguments]
    return Daemon(application.partition(".")[0], node, command, listens(node.address, port), files, environment)
