"""What the members of a Kubernetes manifest are declared with."""

from __future__ import annotations

from zun.api.grammar import Leaf, Member, Object, Refused
from zun.domain.kinds import fixed

UNKNOWN = "is no member of a Kubernetes v1 Pod that this service knows"


def manifest(members: dict[str, Member]) -> Object:
    """An object of Kubernetes: null is as good as nothing."""
    return Object(members, null_is_absent=True, unknown=UNKNOWN)


def all_refused(names: str, why: str) -> dict[str, Member]:
    """Members that are refused for one reason; ``names`` are parted by blanks."""
    return {name: Member(Refused(why=why)) for name in names.split()}


def whole(low: int, high: int = 2**31 - 1) -> Leaf:
    """A whole number."""
    return Leaf(fixed("whole number", {"type": "integer", "minimum": low, "maximum": high}))
