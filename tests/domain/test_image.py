"""The grammar of image references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zun import errors
from zun.domain import image

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("quay.io/org/app:v1", "quay.io/org/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("registry:5000/a/b/c:2", "registry:5000/a/b/c:2"),
        ("Registry/app", "Registry/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("a--b/c__d.e-f", "docker.io/a--b/c__d.e-f:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox:1@{DIGEST}"),
    ],
)
def test_a_reference_is_completed(text: str, completed: str) -> None:
    assert str(image.parse(text)) == completed


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "Busybox", "busybox:", "busybox:-x", "busybox@", "busybox@sha256:00", "a//b", "/busybox", "busybox/", "a b", "a_-b"),
        *("http://registry/app", "-registry.io/app", "registry.io:port/app", "busybox:" + "x" * 129, "a" * 250, "bücher", "busybox\n"),
        *("zun.invalid/zun/pause:1", "Zun.Invalid/x"),
        "0123456789abcdef" * 4,
        f"busybox@{DIGEST.upper()}",
    ],
)
def test_what_can_never_name_an_image_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidImage):
        image.parse(text)


def test_a_digest_decides_over_a_tag() -> None:
    reference = image.parse(f"busybox:1@{DIGEST}")
    assert reference.version == DIGEST
    assert reference.exact == f"docker.io/library/busybox@{DIGEST}"


@given(st.text(max_size=80))
def test_any_text_is_either_refused_or_completed_for_good(text: str) -> None:
    try:
        completed = str(image.parse(text))
    except errors.InvalidImage:
        return
    assert str(image.parse(completed)) == completed


@pytest.mark.parametrize(
    ("text", "home", "exact"),
    [
        ("busybox", "docker.io", "docker.io/library/busybox:latest"),
        ("busybox", "registry.example", "registry.example/busybox:latest"),
        ("team/web:1", "localhost:5000", "localhost:5000/team/web:1"),
        ("other.example/web", "registry.example", "other.example/web:latest"),
    ],
)
def test_a_name_without_a_registry_is_at_home(text: str, home: str, exact: str) -> None:
    assert image.parse(text, home=home).exact == exact
    assert image.names_registry(text) is text.startswith("other")


@pytest.mark.parametrize(
    "name", ["registry.example", "localhost", "localhost:5000", "[::1]:5000", "10.0.0.1:5000", "docker.io", "Registry"]
)
def test_what_can_be_a_registry(name: str) -> None:
    assert image.is_registry(name)


@pytest.mark.parametrize(
    "name", ["", "team", "https://registry.example", "registry.example/v2", "a b.c", "zun.invalid", "ZUN.invalid", "a@b.c"]
)
def test_what_cannot_be_a_registry(name: str) -> None:
    assert not image.is_registry(name)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("busybox", ("busybox", "latest")),
        ("localhost:5000/web", ("localhost:5000/web", "latest")),
        ("localhost:5000/team/web:1", ("localhost:5000/team/web", "1")),
        ("web:1@sha256:" + "a" * 64, ("web", "sha256:" + "a" * 64)),
    ],
)
def test_a_name_is_parted_as_it_is_written(text: str, parts: tuple[str, str]) -> None:
    assert image.split(text) == parts
