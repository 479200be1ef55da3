"""What a project may have: limits, usage and the check between them (REST contract, section 15)."""

from __future__ import annotations

import msgspec

from zun import errors

UNLIMITED = -1


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of each counted resource: a limit (-1: none), a usage or a request."""

    containers: float = 0
    cpu: float = 0
    memory: float = 0
    disk: float = 0


RESOURCES = tuple(Quota.__struct_fields__)


def check(limits: Quota, in_use: Quota, requested: Quota) -> None:
    """Raises OverQuota for the first resource of which more is requested than is left. Giving back is always allowed."""
    for name in RESOURCES:
        limit, used, more = (getattr(amount, name) for amount in (limits, in_use, requested))
        if limit != UNLIMITED and more > 0 and used + more > limit + 1e-9:
            raise errors.OverQuota(resource=name, requested=f"{more:g}", in_use=f"{used:g}", limit=f"{limit:g}")
