"""What a project has, and what it may have: its own limits before those of the class ``default`` before the configuration's.

Who decides on these numbers holds ``lock(tx, project_id)``, so that nobody else adds to them until his transaction ends.
"""

from __future__ import annotations

from zun.domain.container import Container
from zun.domain.quota import DEFAULT_CLASS, ClassLimit, ProjectLimit, Quota, override
from zun.interfaces.store import Transaction


def lock(tx: Transaction, project_id: str) -> None:
    """Wait until nobody else decides on what this project has or may have."""
    tx.lock(f"project:{project_id}")


def usage(tx: Transaction, project_id: str) -> Quota:
    """What a project has, summed over its containers."""
    sums = tx.total(Container, ("cpu", "memory", "disk"), {"project_id": project_id}).get(None, {})
    count = tx.count(Container, {"project_id": project_id})
    return Quota(containers=count, cpu=sums.get("cpu") or 0, memory=sums.get("memory") or 0, disk=sums.get("disk") or 0)


def of_class(tx: Transaction, name: str, configured: Quota) -> Quota:
    """The limits of a class; one that was given none has those of the configuration."""
    return override(configured, tx.find(ClassLimit, {"class_name": name}))


def default(tx: Transaction, configured: Quota) -> Quota:
    """The limits of a project that was given none."""
    return of_class(tx, DEFAULT_CLASS, configured)


def of_project(tx: Transaction, project_id: str, configured: Quota) -> Quota:
    """The limits that hold for a project."""
    return override(default(tx, configured), tx.find(ProjectLimit, {"project_id": project_id}))
