"""What becomes of each member of a Kubernetes Pod, as tables for people; made from the grammar, so that they cannot lie."""

from __future__ import annotations

from collections.abc import Iterator

from zun.api.grammar import Many, Member, Node, Object, Only, Refused
from zun.api.pod_fields import POD, Amounts
from zun.api.pod_probes import PROBE

#: the probe whose members are listed
ONE_PROBE = "livenessProbe"


def members(node: Node = POD, within: str = "") -> Iterator[tuple[str, Member]]:
    """Every member with its place: ``spec.containers[].image``. The members of probes, which are the same, stand once."""
    if isinstance(node, Amounts):
        node = node.known
    if isinstance(node, Many):
        yield from members(node.of, f"{within}[]")
    if isinstance(node, Object):
        for name, member in node.members.items():
            place = f"{within}.{name}" if within else name
            yield place, member
            if member.node is not PROBE or name == ONE_PROBE:
                yield from members(member.node, place)


def honoured() -> str:
    """The members that have an effect, with what it is. Init containers have the members of containers."""
    lines = ["| Member of a Pod | What becomes of it |", "|---|---|"]
    for place, member in _once():
        if not isinstance(member.node, Only) and member.doc:
            lines.append(f"| `{place}` | {member.doc} |")
        elif isinstance(member.node, Only) and not isinstance(member.node, Refused):
            words = " or ".join(f"`{_shown(value)}`" for value in member.node.values)
            lines.append(f"| `{place}` | {words} only: {member.node.why} |")
    return "\n".join(lines) + "\n"


def refused() -> str:
    """The members that are refused, by the reason."""
    reasons: dict[str, list[str]] = {}
    for place, member in _once():
        if isinstance(member.node, Refused):
            reasons.setdefault(member.node.why, []).append(place)
    lines = ["| Refused | Why |", "|---|---|"]
    lines += [f"| {', '.join(f'`{place}`' for place in places)} | {why} |" for why, places in reasons.items()]
    return "\n".join(lines) + "\n"


def _once() -> Iterator[tuple[str, Member]]:
    return ((place, member) for place, member in members() if not place.startswith("spec.initContainers["))


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "{name: linux}" if isinstance(value, dict) else str(value)
