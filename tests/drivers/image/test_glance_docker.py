"""Images of Glance in a real Docker: what an archive says of itself means nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import Dockerd
from tests.glances import Glance, connecting, playing
from tests.image_archives import config, docker, link, manifest, oci, tar
from tests.images import load_busybox, root_archive
from zun import errors
from zun.conformance.images import silent
from zun.drivers.image.glance import UNDER, GlanceImages
from zun.drivers.image.sdk import SdkGlance
from zun.drivers.image.shelf import Shelf
from zun.drivers.runtime.docker import DockerRuntime
from zun.interfaces.images import Source, Target


@pytest.fixture
def glance() -> Iterator[Glance]:
    with playing() as played:
        yield played


@pytest.fixture
def runtime(dockerd: Dockerd) -> Iterator[DockerRuntime]:
    made = DockerRuntime(dockerd.socket, "glance-tests")
    yield made
    for held in made.images(UNDER):
        made.remove_image(held.name)
    made.close()


@pytest.fixture
def images(glance: Glance, runtime: DockerRuntime, tmp_path: Path) -> GlanceImages:
    return GlanceImages(
        SdkGlance(connecting(glance.url)), runtime, Shelf(runtime, UNDER, tmp_path, most=0, clock=lambda: 1e9), largest=1 << 30
    )


def wanted(image: str) -> Source:
    return Source(reference="web", project_id="mine", image_uuid=image)


def test_an_archive_that_calls_itself_by_another_ones_name_takes_nothing(
    glance: Glance, images: GlanceImages, runtime: DockerRuntime, dockerd: Dockerd
) -> None:
    load_busybox(dockerd.socket, "victim:latest")
    before = runtime.image("victim:latest")
    layer = root_archive(b"hostile")
    web = glance.put(docker(tags=["victim:latest", "docker.io/library/victim:latest"], layer=layer))
    brought = images.ensure(wanted(web), "always", silent).image
    assert runtime.image("victim:latest") == before
    assert brought.id != before.id
    assert [held.id for held in runtime.images(UNDER)] == [brought.id]


def test_a_layer_of_somebody_elses_is_not_had_by_its_digest(glance: Glance, images: GlanceImages, runtime: DockerRuntime) -> None:
    secret = root_archive(b"somebody else's")
    images.ensure(wanted(glance.put(docker(layer=secret))), "always", silent)
    thief = tar({"layer.tar": b"", "config.json": config(secret, author="thief"), "manifest.json": manifest()})
    with pytest.raises(errors.ImagePullFailed, match="another layer 1"):
        images.ensure(wanted(glance.put(thief)), "always", silent)
    assert len(runtime.images(UNDER)) == 1


def test_links_out_of_an_archive_are_nothing(glance: Glance, images: GlanceImages, runtime: DockerRuntime) -> None:
    evil = tar({"layer.tar": link("layer.tar", "/etc/passwd"), "config.json": config(), "manifest.json": manifest()})
    with pytest.raises(errors.ImagePullFailed):
        images.ensure(wanted(glance.put(evil)), "always", silent)
    assert runtime.images(UNDER) == []


@pytest.mark.parametrize("compressed", [True, False])
def test_an_oci_layout_is_an_image(glance: Glance, images: GlanceImages, runtime: DockerRuntime, compressed: bool) -> None:
    web = glance.put(oci("s390x", "amd64", layer=root_archive(b"oci"), compressed=compressed))
    assert images.ensure(wanted(web), "always", silent).image.architecture == "amd64"


def test_what_is_sent_can_be_fetched_again(glance: Glance, images: GlanceImages, runtime: DockerRuntime, dockerd: Dockerd) -> None:
    name = "zun.invalid/commit/00000000-0000-0000-0000-000000000001:latest"
    load_busybox(dockerd.socket, name)
    target = Target(reference="snapshot:1", project_id="mine", uuid="11111111-1111-1111-1111-111111111111")
    images.push(name, target, silent)
    made = runtime.image(name)
    runtime.remove_image(name)
    assert images.ensure(wanted(target.uuid), "always", silent).image.id == made.id
