"""The first tables: sandboxes, containers, actions, services, hosts, locks."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def text(length: int | None = None) -> sa.types.TypeEngine[Any]:
    """Text compared by code point, unbounded without a length."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.MEDIUMTEXT(), "mysql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time with microseconds."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def number() -> sa.types.TypeEngine[Any]:
    """A primary key that counts by itself."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Owners come before what they own."""
    _sandboxes()
    _containers()
    _actions()
    _services()
    _hosts()
    _locks()


def _sandboxes() -> None:
    op.create_table(
        "sandboxes",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("user_id", text(255), nullable=False),
        sa.Column("host", text(255), nullable=True),
        sa.Column("requested_host", text(255), nullable=True),
        sa.Column("availability_zone", text(255), nullable=True),
        sa.Column("runtime", text(32), nullable=True),
        sa.Column("hostname", text(63), nullable=True),
        sa.Column("cpu", sa.Double(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("disk", sa.BigInteger(), nullable=False),
        sa.Column("hints", text(), nullable=False),
        sa.Column("nets", text(), nullable=False),
        sa.Column("security_groups", text(), nullable=False),
        sa.Column("exposed_ports", text(), nullable=False),
        sa.Column("addresses", text(), nullable=False),
        sa.Column("engine_id", text(255), nullable=True),
        sa.UniqueConstraint("uuid", name="uniq_sandboxes0uuid"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_sandboxes_project_id", "sandboxes", ["project_id"])
    op.create_index("ix_sandboxes_host", "sandboxes", ["host"])


def _containers() -> None:
    op.create_table(
        "containers",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("sandbox_uuid", text(36), nullable=False),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("user_id", text(255), nullable=False),
        sa.Column("name", text(255), nullable=False),
        sa.Column("image", text(255), nullable=False),
        sa.Column("image_driver", text(255), nullable=False),
        sa.Column("image_pull_policy", text(16), nullable=True),
        sa.Column("registry_id", text(36), nullable=True),
        sa.Column("cpu", sa.Double(), nullable=False),
        sa.Column("cpu_policy", text(16), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("disk", sa.BigInteger(), nullable=False),
        sa.Column("command", text(), nullable=False),
        sa.Column("entrypoint", text(), nullable=False),
        sa.Column("environment", text(), nullable=False),
        sa.Column("labels", text(), nullable=False),
        sa.Column("workdir", text(255), nullable=True),
        sa.Column("restart_policy", text(), nullable=False),
        sa.Column("interactive", sa.Boolean(), nullable=False),
        sa.Column("tty", sa.Boolean(), nullable=False),
        sa.Column("auto_remove", sa.Boolean(), nullable=False),
        sa.Column("auto_heal", sa.Boolean(), nullable=False),
        sa.Column("privileged", sa.Boolean(), nullable=False),
        sa.Column("healthcheck", text(), nullable=False),
        sa.Column("mounts", text(), nullable=False),
        sa.Column("ports", text(), nullable=False),
        sa.Column("status", text(20), nullable=False),
        sa.Column("status_reason", text(), nullable=True),
        sa.Column("task_state", text(32), nullable=True),
        sa.Column("desired", text(16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("restart_count", sa.BigInteger(), nullable=False),
        sa.Column("engine_id", text(255), nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("error", text(), nullable=True),
        sa.Column("started_at", moment(), nullable=True),
        sa.Column("finished_at", moment(), nullable=True),
        sa.UniqueConstraint("uuid", name="uniq_containers0uuid"),
        sa.ForeignKeyConstraint(["sandbox_uuid"], ["sandboxes.uuid"], name="fk_containers_sandbox_uuid"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_containers_sandbox_uuid", "containers", ["sandbox_uuid"])
    op.create_index("ix_containers_project_id", "containers", ["project_id"])
    op.create_index("ix_containers_name", "containers", ["name"])


def _actions() -> None:
    op.create_table(
        "actions",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("action", text(32), nullable=False),
        sa.Column("sandbox_uuid", text(36), nullable=False),
        sa.Column("container_uuid", text(36), nullable=True),
        sa.Column("request_id", text(64), nullable=False),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("user_id", text(255), nullable=False),
        sa.Column("arguments", text(), nullable=False),
        sa.Column("state", text(16), nullable=False),
        sa.Column("host", text(255), nullable=True),
        sa.Column("epoch", text(36), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("not_before", moment(), nullable=True),
        sa.Column("start_time", moment(), nullable=True),
        sa.Column("finish_time", moment(), nullable=True),
        sa.Column("message", text(255), nullable=True),
        sa.Column("events", text(), nullable=False),
        sa.UniqueConstraint("uuid", name="uniq_actions0uuid"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_actions_sandbox_uuid", "actions", ["sandbox_uuid"])
    op.create_index("ix_actions_container_uuid", "actions", ["container_uuid"])
    op.create_index("ix_actions_request_id", "actions", ["request_id"])
    op.create_index("ix_actions_state", "actions", ["state"])
    op.create_index("ix_actions_host", "actions", ["host"])


def _services() -> None:
    op.create_table(
        "services",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("host", text(255), nullable=False),
        sa.Column("binary", text(64), nullable=False),
        sa.Column("availability_zone", text(255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", text(255), nullable=True),
        sa.Column("forced_down", sa.Boolean(), nullable=False),
        sa.Column("last_seen_up", moment(), nullable=True),
        sa.Column("report_count", sa.BigInteger(), nullable=False),
        sa.Column("epoch", text(36), nullable=True),
        sa.UniqueConstraint("uuid", name="uniq_services0uuid"),
        sa.UniqueConstraint("host", "binary", name="uniq_services0host0binary"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_services_host", "services", ["host"])


def _hosts() -> None:
    op.create_table(
        "hosts",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("hostname", text(255), nullable=False),
        sa.Column("mem_total", sa.BigInteger(), nullable=False),
        sa.Column("cpus", sa.BigInteger(), nullable=False),
        sa.Column("disk_total", sa.BigInteger(), nullable=False),
        sa.Column("disk_quota_supported", sa.Boolean(), nullable=False),
        sa.Column("total_containers", sa.BigInteger(), nullable=False),
        sa.Column("architecture", text(32), nullable=False),
        sa.Column("os_type", text(32), nullable=False),
        sa.Column("os", text(64), nullable=False),
        sa.Column("kernel_version", text(128), nullable=False),
        sa.Column("labels", text(), nullable=False),
        sa.Column("runtimes", text(), nullable=False),
        sa.Column("enable_cpu_pinning", sa.Boolean(), nullable=False),
        sa.Column("cpu_allocation_ratio", sa.Double(), nullable=False),
        sa.Column("ram_allocation_ratio", sa.Double(), nullable=False),
        sa.Column("reserved_memory", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("uuid", name="uniq_hosts0uuid"),
        sa.UniqueConstraint("hostname", name="uniq_hosts0hostname"),
        sqlite_autoincrement=True,
        **TABLE,
    )


def _locks() -> None:
    op.create_table(
        "locks",
        sa.Column("name", text(300), primary_key=True),
        **TABLE,
    )
