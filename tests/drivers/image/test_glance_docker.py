"""Images of Glance in a real Docker: what an archive says of itself means nothing there."""

from __future__ import annotations

import subprocess
import sys
import uuid
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
from zun.drivers.image.shelf import GRACE, Shelf
from zun.drivers.runtime.docker import DockerRuntime
from zun.drivers.runtime.docker_http import DockerHttp
from zun.interfaces.images import Source, Target
from zun.interfaces.runtime import EngineImage


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


class Carrier:
    """A process of its own with the driver (``carrier.py``)."""

    def __init__(self, glance: Glance, dockerd: Dockerd, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.drivers.image.carrier", glance.url, dockerd.socket, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def growth(self, *asked: str) -> int:
        """The MiB that it takes to do this."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(*asked, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)


#: MiB of an image, and those that the agent may take to carry it: it was seen to take 8
LARGE, MOST = 300, 30


def test_however_large_an_image_is_it_is_never_in_memory(glance: Glance, runtime: DockerRuntime, dockerd: Dockerd, tmp_path: Path) -> None:
    small, large = glance.put(docker(layer=root_archive(b"small"))), glance.put(docker(layer=tar({"zeros": bytes(LARGE << 20)})))
    assert len(glance.data[large]) > LARGE << 20
    carrier = Carrier(glance, dockerd, tmp_path)
    copies = [str(uuid.uuid4()) for _ in range(2)]
    try:
        # What it imports, and the connections, it has afterwards.
        carrier.growth("pull", small)
        carrier.growth("push", small, copies[0])
        assert carrier.growth("pull", large) < MOST
        assert carrier.growth("push", large, copies[1]) < MOST
    finally:
        carrier.close()
    assert glance.images[copies[1]]["size"] > LARGE << 20


def test_beyond_its_bound_an_engine_keeps_what_is_used_and_what_was_asked_for_last(
    glance: Glance, runtime: DockerRuntime, dockerd: Dockerd, tmp_path: Path
) -> None:
    now = [1e9]
    used, unused, coming = (glance.put(docker(layer=root_archive(name))) for name in (b"used", b"unused", b"coming"))
    bound = 2 * len(glance.data[used])  # no room for a third one
    shelf = Shelf(runtime, UNDER, tmp_path, most=bound, clock=lambda: now[0])
    images = GlanceImages(SdkGlance(connecting(glance.url)), runtime, shelf, largest=1 << 30)

    def held() -> set[str]:
        return {each.name.removeprefix(f"{UNDER}/").partition(":")[0] for each in runtime.images(UNDER)}

    def ensure(image: str) -> EngineImage:
        now[0] += 2 * GRACE
        return images.ensure(wanted(image), "ifnotpresent", silent).image

    http = DockerHttp(dockerd.socket, timeout=60)
    container = http.call("POST", "/containers/create", body={"Image": ensure(used).id, "Cmd": ["true"]}).data["Id"]
    try:
        ensure(unused)
        assert held() == {used, unused}
        ensure(coming)
        assert held() == {used, coming}
    finally:
        http.call("DELETE", f"/containers/{container}")
        http.close()
    # Nobody uses it any more, and it was asked for longest ago.
    ensure(unused)
    assert held() == {coming, unused}
