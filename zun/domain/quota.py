"""What a project may have: limits, usage and the check between them (REST contract, section 15)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from zun import errors
from zun.domain.model import Entity, Field

UNLIMITED = -1

#: the class whose limits hold for every project that has none of its own
DEFAULT_CLASS = "default"


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of each counted resource: a limit (-1: none), a usage or a request."""

    containers: float = 0
    cpu: float = 0
    memory: float = 0
    disk: float = 0


RESOURCES = tuple(Quota.__struct_fields__)


class ProjectLimit(Entity, frozen=True, kw_only=True):
    """How much of one resource one project may have. There is one row at most for a project and a resource."""

    project_id: Annotated[str, Field(length=255)]
    resource: Annotated[str, Field(doc="one of RESOURCES", length=32)]
    hard_limit: Annotated[int, Field(doc="-1: no limit")]


class ClassLimit(Entity, frozen=True, kw_only=True):
    """How much of one resource each project of a class may have. There is one row at most for a class and a resource."""

    class_name: Annotated[str, Field(length=255)]
    resource: Annotated[str, Field(doc="one of RESOURCES", length=32)]
    hard_limit: Annotated[int, Field(doc="-1: no limit")]


def override(limits: Quota, rows: Iterable[ProjectLimit | ClassLimit]) -> Quota:
    """The limits, with those of the rows in their place. A row of a resource that is counted no more says nothing."""
    given = {row.resource: float(row.hard_limit) for row in rows if row.resource in RESOURCES}
    return msgspec.structs.replace(limits, **given)


def check(limits: Quota, in_use: Quota, requested: Quota) -> None:
    """Raises OverQuota for the first resource of which more is requested than is left. Giving back is always allowed."""
    for name in RESOURCES:
        limit, used, more = (getattr(amount, name) for amount in (limits, in_use, requested))
        if limit != UNLIMITED and more > 0 and used + more > limit + 1e-9:
            raise errors.OverQuota(resource=name, requested=f"{more:g}", in_use=f"{used:g}", limit=f"{limit:g}")
