"""Images from registries, by policy."""

from __future__ import annotations

import uuid

import pytest

from zun import errors
from zun.conformance.images import ImagesSuite, Shop
from zun.domain.host_image import own_name
from zun.drivers.image.registry import RegistryImages
from zun.drivers.runtime.fake import FakeEngine, FakeRuntime
from zun.interfaces.images import Source, Target
from zun.interfaces.runtime import EngineImage

NAME = "docker.io/library/web:latest"
HELD, NEWER = EngineImage(id="sha256:1"), EngineImage(id="sha256:2")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def images(engine: FakeEngine) -> RegistryImages:
    return RegistryImages(FakeRuntime(engine))


def ensure(images: RegistryImages, policy: str) -> EngineImage:
    return images.ensure(Source(reference="web", project_id="mine"), policy, lambda line: None).image


def test_always_takes_the_registrys(engine: FakeEngine, images: RegistryImages) -> None:
    engine.images[NAME], engine.registry[NAME] = HELD, NEWER
    assert ensure(images, "always") == NEWER


def test_always_fails_without_the_registry_though_the_host_has_one(engine: FakeEngine, images: RegistryImages) -> None:
    engine.images[NAME] = HELD
    with pytest.raises(errors.ImagePullFailed):
        ensure(images, "always")


@pytest.mark.parametrize("policy", ["ifnotpresent", "never"])
def test_what_the_host_has_is_taken(engine: FakeEngine, images: RegistryImages, policy: str) -> None:
    engine.images[NAME], engine.registry[NAME] = HELD, NEWER
    assert ensure(images, policy) == HELD


def test_what_the_host_lacks_is_pulled_if_it_may_be(engine: FakeEngine, images: RegistryImages) -> None:
    engine.registry[NAME] = NEWER
    with pytest.raises(errors.ImagePullFailed, match="never"):
        ensure(images, "never")
    assert ensure(images, "ifnotpresent") == NEWER


@pytest.mark.parametrize("policy", ["ifnotpresent", "always"])
def test_what_a_registry_has_for_another_machine_is_refused_in_words(engine: FakeEngine, images: RegistryImages, policy: str) -> None:
    engine.registry[NAME] = EngineImage(id="sha256:3", architecture="s390x")
    with pytest.raises(errors.WrongArchitecture, match="'web' is built for s390x, and its host runs programs for"):
        ensure(images, policy)


def test_an_unknown_policy_is_a_fault_of_ours(images: RegistryImages) -> None:
    with pytest.raises(ValueError, match="sometimes"):
        ensure(images, "sometimes")


def test_a_reference_that_names_nothing_is_refused_before_anything_is_asked(engine: FakeEngine, images: RegistryImages) -> None:
    with pytest.raises(errors.InvalidImage):
        images.check("Not An Image")
    assert not engine.calls


class Hub(Shop):
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def offer(self, architecture: str = "amd64") -> Source:
        name = f"registry.example/{uuid.uuid4()}"
        self._engine.registry[f"{name}:latest"] = EngineImage(id=f"sha256:{uuid.uuid4().hex}", architecture=architecture)
        return Source(reference=name, project_id="mine")

    def nothing(self) -> Source:
        return Source(reference=f"registry.example/{uuid.uuid4()}", project_id="mine")

    def leave(self) -> None:
        self._engine.unreachable.add("registry.example")

    def made(self) -> str:
        name = own_name(str(uuid.uuid4()))
        self._engine.images[name] = EngineImage(id=f"sha256:{uuid.uuid4().hex}", architecture="amd64")
        return name

    def target(self) -> Target:
        return Target(reference=f"registry.example/{uuid.uuid4()}:1", project_id="mine", uuid=str(uuid.uuid4()))

    def sent(self, target: Target) -> Source | None:
        return Source(reference=target.reference, project_id="mine") if target.reference in self._engine.registry else None


@pytest.fixture
def shop(engine: FakeEngine) -> Hub:
    return Hub(engine)


class TestRegistry(ImagesSuite):
    pass
