"""Rows for the lists: containers of a host that is not there, so that no agent looks after them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from zun.db.store import SqlStore
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Service
from zun.domain.lifecycle import Desired, Status
from zun.domain.sandbox import Sandbox
from zun.wiring.parts import utcnow

HOST = "bench-rows"


def database(state: Path) -> Path:
    """The service's database file."""
    return state / "zun.sqlite"


def fill(state: Path, project: str, count: int) -> None:
    """Have so many containers, as they look when they have run for a while."""
    store = SqlStore(f"sqlite:///{database(state)}", utcnow, durable=False)
    try:
        into(store, project, count)
    finally:
        store.close()


def into(store: SqlStore, project: str, count: int) -> None:
    """The same, in any database."""
    with store.write() as tx:
        if not tx.find(Service, {"host": HOST}):
            tx.add(Service(uuid=str(uuid.uuid4()), host=HOST, binary=COMPUTE, last_seen_up=utcnow()))
        for number in range(tx.count(Container, {"host": HOST}), count):
            sandbox = Sandbox(
                uuid=str(uuid.uuid4()),
                project_id=project,
                user_id="admin",
                host=HOST,
                hostname=uuid.uuid4().hex[:12],
                cpu=0.5,
                memory=128,
                engine_id=uuid.uuid4().hex * 2,
                addresses={"bridge": [address(number)]},
            )
            tx.add(sandbox)
            tx.add(_container(sandbox, number))


def address(number: int) -> dict[str, Any]:
    """An address of a container, as it is shown."""
    return {
        "addr": f"10.213.{number // 250}.{number % 250 + 2}",
        "version": 4,
        "port": uuid.uuid4().hex * 2,
        "subnet_id": uuid.uuid4().hex * 2,
        "preserve_on_delete": False,
    }


def _container(sandbox: Sandbox, number: int) -> Container:
    return Container(
        uuid=str(uuid.uuid4()),
        sandbox_uuid=sandbox.uuid,
        project_id=sandbox.project_id,
        user_id="admin",
        name=f"web-{number}",
        image="docker.io/library/nginx:1.27",
        cpu=0.5,
        memory=128,
        command=["nginx", "-g", "daemon off;"],
        environment={"LANG": "C.UTF-8", "ROLE": "web"},
        labels={"app": "shop", "tier": "front"},
        restart_policy={"Name": "always", "MaximumRetryCount": "0"},
        ports=[80],
        status=Status.RUNNING,
        desired=Desired.RUNNING,
        incarnation=1,
        engine_id=uuid.uuid4().hex * 2,
        # Its age is told in days, and so with as many letters all the time.
        started_at=utcnow() - timedelta(days=3, seconds=number),
    )
