"""Rows in the peer's database, by the names of its columns, with the content that ours have: see ``bench.rows``."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bench.cloud import peer
from bench.rows import address
from cloud.world import World


def fill(world: World, project: str, count: int) -> None:
    """Have so many containers of a project, and no others."""
    clear(world, project)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    rows = [_row(project, number, now) for number in range(count)]
    columns = ", ".join(rows[0])
    values = ", ".join(f":{name}" for name in rows[0])
    engine = sa.create_engine(peer.database(world))
    with engine.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO container ({columns}) VALUES ({values})"), rows)
    engine.dispose()


def clear(world: World, project: str) -> None:
    """Have none that was put there by ``fill``."""
    engine = sa.create_engine(peer.database(world))
    statement = sa.text("DELETE FROM container WHERE project_id = :project AND name LIKE 'web-%'")
    with engine.begin() as connection:
        connection.execute(statement, {"project": project})
    engine.dispose()


def _row(project: str, number: int, now: datetime) -> dict[str, object]:
    return {
        "created_at": now,
        "updated_at": now,
        "project_id": project,
        "user_id": "admin",
        "uuid": str(uuid.uuid4()),
        "container_id": uuid.uuid4().hex * 2,
        "name": f"web-{number}",
        "image": "docker.io/library/nginx:1.27",
        "cpu": 0.5,
        "cpu_policy": "shared",
        "memory": "128",
        "command": json.dumps(["nginx", "-g", "daemon off;"]),
        "status": "Running",
        "environment": json.dumps({"LANG": "C.UTF-8", "ROLE": "web"}),
        "ports": json.dumps([80]),
        "hostname": uuid.uuid4().hex[:12],
        "labels": json.dumps({"app": "shop", "tier": "front"}),
        "addresses": json.dumps({"bridge": [address(number)]}),
        # It would ask a host before it shows a container, or complain that it is down. These have none: so it is quickest.
        "host": None,
        "restart_policy": json.dumps({"Name": "always", "MaximumRetryCount": "0"}),
        "interactive": False,
        "tty": False,
        "image_driver": "docker",
        "security_groups": json.dumps([]),
        "auto_remove": False,
        "disk": 0,
        "auto_heal": False,
        "started_at": now - timedelta(days=3, seconds=number),
        "privileged": False,
        "container_type": 0,
    }
