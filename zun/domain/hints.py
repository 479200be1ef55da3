"""Scheduler hints: what a request says of its host. The contract lets a hint be anything; those that mean something have a form.

``label:K`` is the value that the engine's label K must have; ``same_host`` and ``different_host`` are uuids of containers or capsules, one
or a list of them. Any other hint is kept and has no effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

LABEL = "label:"
SAME_HOST = "same_host"
DIFFERENT_HOST = "different_host"

#: uuids that one hint may name
MOST_NAMED = 100

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """The hints that mean something. Uuids are in lower case."""

    labels: Mapping[str, str] = {}
    same_host: frozenset[str] = frozenset()
    different_host: frozenset[str] = frozenset()


def read(given: Mapping[str, Any]) -> Hints:
    """What the hints of a sandbox mean. It takes whatever was ever stored; what has no form matches nothing."""
    return Hints(
        labels={key.removeprefix(LABEL): _text(value) for key, value in given.items() if key.startswith(LABEL)},
        same_host=_named(given.get(SAME_HOST)),
        different_host=_named(given.get(DIFFERENT_HOST)),
    )


def check(given: Mapping[str, Any]) -> None:
    """Raises ValueError, with the rule's sentence, for a hint that would mean something and has not its form."""
    for key, value in given.items():
        if key.startswith(LABEL):
            _check_label(key, value)
    for key in (SAME_HOST, DIFFERENT_HOST):
        named = given.get(key)
        # Clients send a lone value, and an array where a key was given twice; an empty one is a form left blank.
        uuids = named if isinstance(named, list) else [] if named in (None, "") else [named]
        if len(uuids) > MOST_NAMED:
            raise ValueError(f"'{key}' must not name more than {MOST_NAMED} containers")
        if not all(isinstance(uuid, str) and _UUID.fullmatch(uuid.lower()) for uuid in uuids):
            raise ValueError(f"'{key}' must be the uuid of a container, or a list of them")


def _check_label(key: str, value: Any) -> None:
    if key == LABEL:
        raise ValueError(f"'{key}' must be followed by the name of a label")
    if isinstance(value, list | dict):
        raise ValueError(f"'{key}' must be one value")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _named(value: Any) -> frozenset[str]:
    uuids = value if isinstance(value, list) else [] if value in (None, "") else [value]
    return frozenset(_text(uuid).lower() for uuid in uuids)
