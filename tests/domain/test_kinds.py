"""Values of requests that need more than a schema."""

from __future__ import annotations

from typing import Any

import pytest

from zun.domain import kinds, structures
from zun.domain.model import Bounds

ANY = Bounds()


def mounts(*destinations: str) -> list[dict[str, Any]]:
    given = [{"type": "bind", "source": "aGk=", "destination": destination} for destination in destinations]
    loaded: list[dict[str, Any]] = structures.MOUNTS.load(given, ANY)
    return loaded


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("/etc/app.conf", "/etc/app.conf"),
        ("//etc///app.conf/", "/etc/app.conf"),
        ("/./a/./b", "/a/b"),
        ("/a b\n", "/a b\n"),
        ("/process", "/process"),
    ],
)
def test_a_destination_is_kept_in_its_plain_form(given: str, plain: str) -> None:
    assert mounts(given)[0]["destination"] == plain


@pytest.mark.parametrize(
    "given",
    [
        "/",
        "//",
        "/.",
        "etc",
        "../etc",
        "/../etc",
        "/a/../../etc",
        "/a/..",
        "/proc",
        "/proc/sys/kernel/core_pattern",
        "//proc/1",
        "/sys",
        "/sys/fs",
    ],
)
def test_a_destination_where_nothing_can_be_put_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="destination"):
        mounts(given)


def test_nothing_is_put_over_another_thing() -> None:
    with pytest.raises(ValueError, match="same 'destination'"):
        mounts("/a/b", "/c", "//a/b/")


def test_labels_have_a_bound_together() -> None:
    half = "x" * (kinds.MAX_TEXT // 2)
    assert structures.LABELS.load({"a": half}, ANY) == {"a": half}
    with pytest.raises(ValueError, match="together"):
        structures.LABELS.load({"a": half, "b": half}, ANY)
    assert structures.ENVIRONMENT.load({"a": half, "b": half}, ANY)
