"""The room that images take on a host: who goes, and who stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from zun.drivers.image import shelf
from zun.drivers.image.glance import UNDER
from zun.drivers.runtime.fake import FakeEngine, FakeRuntime
from zun.interfaces.runtime import ContainerSpec, EngineImage, SandboxSpec

BUSYBOX = "docker.io/library/busybox:latest"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine({BUSYBOX: EngineImage(id="sha256:busybox", architecture="amd64")})


def held(engine: FakeEngine) -> list[str]:
    """The images of Glance in the engine."""
    return [name for name in engine.images if name.startswith(UNDER)]


def shelved(engine: FakeEngine, folder: Path, clock: list[float], most: int) -> shelf.Shelf:
    return shelf.Shelf(FakeRuntime(engine), UNDER, folder, most=most, clock=lambda: clock[0])


def put(engine: FakeEngine, name: str, size: int = 10) -> str:
    whole = f"{UNDER}/{name}:1"
    engine.images[whole] = EngineImage(id=f"sha256:{name}", size=size)
    return whole


def test_those_go_that_were_not_asked_for_longest(engine: FakeEngine, tmp_path: Path) -> None:
    clock = [1e9]
    kept = shelved(engine, tmp_path, clock, most=30)
    first, second, third = (put(engine, name) for name in ("a", "b", "c"))
    for name in (second, first, third):
        clock[0] += 1
        kept.take(name)
    clock[0] += shelf.GRACE + 1
    # Another life remembers it, too.
    shelved(engine, tmp_path, clock, most=30).make_room(15)
    assert held(engine) == [third]
    assert BUSYBOX in engine.images


def test_what_was_asked_for_just_now_stays_whatever_room_is_wanted(engine: FakeEngine, tmp_path: Path) -> None:
    clock = [1e9]
    kept = shelved(engine, tmp_path, clock, most=1)
    name = put(engine, "a")
    kept.take(name)
    kept.make_room(1000)
    assert held(engine) == [name]


def test_what_a_container_is_made_of_stays(engine: FakeEngine, tmp_path: Path) -> None:
    runtime = FakeRuntime(engine)
    name = put(engine, "a")
    runtime.ensure_sandbox(SandboxSpec(uuid="s"))
    runtime.ensure_container(ContainerSpec(uuid="c", sandbox_uuid="s", name="c", image="sha256:a"))
    kept = shelved(engine, tmp_path, [1e9], most=1)
    kept.make_room(1000)
    assert held(engine) == [name]
    runtime.remove_sandbox("s")
    kept.make_room(1000)
    assert held(engine) == []


def test_without_a_bound_all_stay(engine: FakeEngine, tmp_path: Path) -> None:
    name = put(engine, "a")
    shelved(engine, tmp_path, [1e9], most=0).make_room(1 << 50)
    assert held(engine) == [name]
