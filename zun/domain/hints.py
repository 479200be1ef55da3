"""Scheduler hints: what a request says of its host. The contract lets a hint be anything; those that mean something have a form.

``label:K`` is the value that the engine's label K must have; ``same_host`` and ``different_host`` are uuids of containers or capsules, one
or a list of them; ``architecture`` is what the image is built for, or a list where there are several. Any other hint is kept and has no
effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

LABEL = "label:"
SAME_HOST = "same_host"
DIFFERENT_HOST = "different_host"
ARCHITECTURE = "architecture"

#: what one hint may name
MOST_NAMED = 100

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD = re.compile("[a-z0-9][a-z0-9_.-]{0,31}")


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """The hints that mean something, in lower case but for labels."""

    labels: Mapping[str, str] = {}
    same_host: frozenset[str] = frozenset()
    different_host: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()


def read(given: Mapping[str, Any]) -> Hints:
    """What the hints of a sandbox mean. It takes whatever was ever stored; what has no form matches nothing."""
    return Hints(
        labels={key.removeprefix(LABEL): _text(value) for key, value in given.items() if key.startswith(LABEL)},
        same_host=_named(given.get(SAME_HOST)),
        different_host=_named(given.get(DIFFERENT_HOST)),
        architectures=_named(given.get(ARCHITECTURE)),
    )


def check(given: Mapping[str, Any]) -> None:
    """Raises ValueError, with the rule's sentence, for a hint that would mean something and has not its form."""
    for key, value in given.items():
        if key.startswith(LABEL):
            _check_label(key, value)
    _check_words(given, SAME_HOST, _UUID, "the uuid of a container")
    _check_words(given, DIFFERENT_HOST, _UUID, "the uuid of a container")
    _check_words(given, ARCHITECTURE, _WORD, "the name of an architecture, such as 'x86_64'")


def knowing(given: Mapping[str, Any], architectures: Iterable[str]) -> dict[str, Any]:
    """The hints, with what is known of the images besides: it is added to what they say of architectures."""
    # An image may say anything of itself; what is no name says nothing.
    known = read(given).architectures | {name.lower() for name in architectures if _WORD.fullmatch(name.lower())}
    return {**given, ARCHITECTURE: sorted(known)} if known else dict(given)


def _check_words(given: Mapping[str, Any], key: str, form: re.Pattern[str], what: str) -> None:
    words = _several(given.get(key))
    if len(words) > MOST_NAMED:
        raise ValueError(f"'{key}' must not be more than {MOST_NAMED}")
    if not all(isinstance(word, str) and form.fullmatch(word.lower()) for word in words):
        raise ValueError(f"'{key}' must be {what}, or a list of them")


def _check_label(key: str, value: Any) -> None:
    if key == LABEL:
        raise ValueError(f"'{key}' must be followed by the name of a label")
    if isinstance(value, list | dict):
        raise ValueError(f"'{key}' must be one value")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _named(value: Any) -> frozenset[str]:
    return frozenset(_text(word).lower() for word in _several(value))


def _several(value: Any) -> list[Any]:
    """Clients send a lone value, and an array where a key was given twice; an empty one is a form left blank."""
    if isinstance(value, list):
        return value
    return [] if value in (None, "") else [value]
