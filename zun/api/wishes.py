"""What capsule templates and Pod manifests have in common on their way to a wish: ports, directories, restarts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zun.api.grammar import Leaf, Member, Object, refused, wrong
from zun.api.reading import Place
from zun.domain import kinds, quantity
from zun.domain.capsule import INIT_POLICY, MOST_CONTAINERS, CapsuleWish
from zun.domain.kinds import MAX_ENTRIES, MAX_TEXT, WORDS, fixed, text
from zun.domain.model import Bounds, Json

#: of volumes, of mounts of one container, of ports of one container
MOST_VOLUMES = 64
MOST_PORTS = 256

#: a list of strings; numbers and truths are none, because nobody knows how they were written
TEXTS = fixed(
    "list of words",
    {"type": ["array", "null"], "maxItems": MAX_ENTRIES, "items": {"type": "string", "maxLength": MAX_TEXT}},
    WORDS.load,
)


def _port(value: Any, bounds: Bounds) -> int:
    port = int(value)
    if not 1 <= port <= 65_535:
        raise ValueError("must be between 1 and 65535")
    return port


PORT = fixed("port", {"type": "integer", "minimum": 1, "maximum": 65_535})
PORT_DIGITS = fixed("port", {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$", "maxLength": 5}]}, _port)
PROTOCOL = kinds.choice("protocol", "TCP", "UDP")
RESTARTS = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}
RESTART = kinds.choice("restart policy", *RESTARTS)
VOLUME_NAME = text("name", 1, 255)

EMPTY_DIR = Object(
    {
        "medium": Member(Leaf(kinds.choice("medium", "", "Memory")), "`Memory`: the directory is kept in memory"),
        "sizeLimit": Member(Leaf(quantity.QUANTITY), "how much it may hold; for `medium: Memory` only"),
    },
    null=True,
    null_is_absent=True,
)


def empty_dir(name: str, asked: Json, place: Place) -> Json:
    """A directory that all containers of the capsule may share and that goes with it."""
    medium, limit = asked.get("medium", ""), asked.get("sizeLimit")
    if limit is not None and medium != "Memory":
        raise refused((*place, "sizeLimit"), "only directories with the medium 'Memory' can have a limit here.")
    size = None if limit is None else quantity.mebibytes(limit) * quantity.MIB
    if size is not None and not quantity.MIB <= size <= 2**40:
        raise wrong((*place, "sizeLimit"), "must be between 1Mi and 1Ti")
    return {"name": name, "type": "empty", "medium": medium, "size": size}


def restart(word: str, *, init: bool) -> dict[str, str]:
    """The restart policy of a container of a capsule with this policy."""
    if init and word == "Always":
        return dict(INIT_POLICY)
    return {"MaximumRetryCount": "0", "Name": RESTARTS[word]}


def exposed(ports: Iterable[tuple[int, str]]) -> dict[str, Any]:
    """Ports in the form of ``exposed_ports``."""
    return {f"{port}/{protocol.lower()}": {} for port, protocol in ports}


def check_names(named: Iterable[tuple[Place, str]], what: str) -> None:
    """Raises InvalidValue for a name that stands twice; ``named`` are places and names."""
    seen: set[str] = set()
    for place, name in named:
        if name in seen:
            raise wrong(place, f"is the name of another {what}, too")
        seen.add(name)


def wish(sandbox: dict[str, Any], containers: list[dict[str, Any]]) -> CapsuleWish:
    """The wish. Raises InvalidValue for more containers than a capsule may have."""
    if len(containers) > MOST_CONTAINERS:
        raise wrong(("spec", "containers"), f"a capsule has at most {MOST_CONTAINERS} containers, init containers counted")
    return CapsuleWish(sandbox=sandbox, containers=containers)
