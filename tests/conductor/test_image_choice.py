"""What is known of images before there is a host, as far as hosts are chosen by it."""

from __future__ import annotations

from typing import Any

import pytest

from zun import errors
from zun.conductor import image_choice
from zun.domain.action import Caller
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.drivers.image.cloud import Stored
from zun.drivers.image.glance import GlanceImages
from zun.drivers.image.registry import RegistryImages
from zun.drivers.runtime.fake import FakeEngine, FakeRuntime

ME = Caller(user_id="me", project_id="mine", request_id="req-1", token="mine")
OWN = {"project_id": "mine", "user_id": "me"}


class Shown:
    """A Glance that shows these images, each by its architecture."""

    def __init__(self, **images: str) -> None:
        self.images, self.asked = images, 0

    def image(self, image_id: str, token: str | None = None) -> Stored | None:
        self.asked += 1
        if image_id == "away":
            raise errors.ImageServiceUnavailable(reason="so the test orders")
        return Stored(id=image_id, architecture=self.images[image_id]) if image_id in self.images else None


def foretold(glance: Shown, *wanted: str, **hints: str) -> dict[str, Any]:
    """The hints of a sandbox whose containers are of these images of Glance, and of one that a registry has."""
    runtime = FakeRuntime(FakeEngine({}))
    images = {"glance": GlanceImages(glance, runtime, None, largest=1), "docker": RegistryImages(runtime)}
    found = [container(image, "glance", image) for image in wanted] + [container("busybox", "docker", None)]
    return image_choice.foretold(images, ME, Sandbox(uuid="s", hints=hints, **OWN), found).hints


def container(image: str, driver: str, image_uuid: str | None) -> Container:
    return Container(uuid=image, sandbox_uuid="s", name="c", image=image, image_driver=driver, image_uuid=image_uuid, **OWN)


def test_what_glance_says_an_image_is_built_for_is_a_hint() -> None:
    assert foretold(Shown(web="AArch64"), "web", group="a") == {"group": "a", "architecture": ["aarch64"]}


def test_all_images_of_a_capsule_count() -> None:
    assert foretold(Shown(web="x86_64", old="i686"), "web", "old") == {"architecture": ["i686", "x86_64"]}


@pytest.mark.parametrize("said", ["", "any of them!", "a" * 200])
def test_what_is_no_name_of_an_architecture_says_nothing(said: str) -> None:
    assert foretold(Shown(web=said), "web", group="a") == {"group": "a"}


def test_an_image_that_is_gone_meanwhile_says_nothing() -> None:
    assert foretold(Shown(), "web") == {}


def test_of_an_image_in_a_registry_nobody_is_asked() -> None:
    glance = Shown()
    assert foretold(glance, architecture="s390x") == {"architecture": "s390x"}
    assert glance.asked == 0


def test_a_glance_that_is_away_is_told() -> None:
    with pytest.raises(errors.ImageServiceUnavailable):
        foretold(Shown(), "away")
