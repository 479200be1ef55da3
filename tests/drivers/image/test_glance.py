"""The driver for Glance, on a small Glance over HTTP and an engine in memory."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.glances import Glance, playing
from tests.image_archives import config, docker, manifest, tar
from zun import conf as zun_conf
from zun import errors
from zun.conformance.images import ImagesSuite, Shop, silent
from zun.domain.action import Caller
from zun.domain.host_image import own_name
from zun.drivers.image.glance import UNDER, GlanceImages
from zun.drivers.runtime.fake import FakeEngine, FakeRuntime
from zun.interfaces.images import Source, Target
from zun.interfaces.runtime import EngineImage, Progress
from zun.wiring import images as wiring

ME = Caller(user_id="me", project_id="mine", request_id="req-1", token="mine")
BUSYBOX = "docker.io/library/busybox:latest"


@pytest.fixture
def glance() -> Iterator[Glance]:
    with playing() as played:
        yield played


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine({BUSYBOX: EngineImage(id="sha256:busybox", architecture="amd64")})


def driver(glance: Glance, engine: FakeEngine, folder: Path) -> GlanceImages:
    """As it is plugged by a configuration."""
    file = folder / "zun.conf"
    reached = f"auth_type = none\nendpoint_override = {glance.url}/v2\ntimeout = 2\n"
    file.write_text(f"[DEFAULT]\nstate_path = {folder}\n[glance]\n{reached}")
    conf = zun_conf.new()
    conf(["--config-file", str(file)], project="zun", default_config_files=[])
    found = wiring.drivers(conf, FakeRuntime(engine))["glance"]
    assert isinstance(found, GlanceImages)
    return found


@pytest.fixture
def images(glance: Glance, engine: FakeEngine, tmp_path: Path) -> GlanceImages:
    return driver(glance, engine, tmp_path)


class SmallGlance(Shop):
    def __init__(self, glance: Glance, engine: FakeEngine) -> None:
        self._glance, self._engine = glance, engine

    def offer(self, architecture: str = "amd64") -> Source:
        return wanted(self._glance.put(docker(layer=uuid.uuid4().bytes, architecture=architecture)))

    def nothing(self) -> Source:
        return wanted(str(uuid.uuid4()))

    def leave(self) -> None:
        self._glance.faults["GET", ""] = 503

    def made(self) -> str:
        name = own_name(str(uuid.uuid4()))
        self._engine.images[name] = EngineImage(id=f"sha256:{uuid.uuid4().hex}", architecture="amd64", size=1000, ports=[80])
        return name

    def target(self) -> Target:
        return Target(reference="snapshot:1", project_id="mine", uuid=str(uuid.uuid4()))

    def sent(self, target: Target) -> Source | None:
        found = self._glance.images.get(target.uuid)
        return wanted(target.uuid) if found else None


@pytest.fixture
def shop(glance: Glance, engine: FakeEngine) -> SmallGlance:
    return SmallGlance(glance, engine)


def wanted(image: str, project: str = "mine") -> Source:
    return Source(reference="web", project_id=project, image_uuid=image)


def held(engine: FakeEngine) -> list[str]:
    """The images of Glance in the engine."""
    return [name for name in engine.images if name.startswith(UNDER)]


class TestGlance(ImagesSuite):
    pass


# --- which image is meant ------------------------------------------------------------------------


def choose(images: GlanceImages, reference: str) -> str | None:
    return images.choose(reference, ME)


def test_an_image_is_meant_by_its_uuid_or_its_name(glance: Glance, images: GlanceImages) -> None:
    web = glance.put(name="web")
    assert choose(images, web) == choose(images, "web") == web


def test_who_asks_is_told_to_glance_and_the_service_vouches_for_it(glance: Glance, images: GlanceImages) -> None:
    choose(images, glance.put())
    assert {token for _, _, token in glance.calls} == {"mine"}


def test_a_tag_may_follow_the_name(glance: Glance, images: GlanceImages) -> None:
    glance.put(name="web", tags=["1"])
    second = glance.put(name="web", tags=["2"])
    assert choose(images, "web:2") == second
    whole = glance.put(name="web:2")
    assert choose(images, "web:2") == whole
    with pytest.raises(errors.InvalidImage):
        choose(images, 'in:"web"')


def test_others_images_are_seen_as_glance_has_it(glance: Glance, images: GlanceImages) -> None:
    public, community, private, shared, pending = (
        glance.put(name=name, owner="theirs", visibility=seen)
        for name, seen in (
            ("public", "public"),
            ("community", "community"),
            ("private", "private"),
            ("shared", "shared"),
            ("ask", "shared"),
        )
    )
    glance.members = {shared: {"mine": "accepted"}, pending: {"mine": "pending"}}
    for found in (public, community, shared):
        assert choose(images, found) == found
    assert (choose(images, "public"), choose(images, "shared")) == (public, shared)
    for nothing in (private, pending, "private", "ask", "nothing", str(uuid.uuid4())):
        with pytest.raises(errors.InvalidImage, match="sees no such image"):
            choose(images, nothing)


def test_an_image_that_anybody_may_offer_takes_no_name(glance: Glance, images: GlanceImages) -> None:
    glance.put(name="web", owner="theirs", visibility="community")
    with pytest.raises(errors.InvalidImage):
        choose(images, "web")


def test_an_own_image_goes_before_others_of_its_name(glance: Glance, images: GlanceImages) -> None:
    glance.put(name="web", owner="theirs", visibility="public")
    own = glance.put(name="web")
    assert choose(images, "web") == own


def test_one_of_several_of_a_name_must_be_named_better(glance: Glance, images: GlanceImages) -> None:
    first = glance.put(name="web")
    second = glance.put(name="web")
    with pytest.raises(errors.SeveralMatches, match="Several images of Glance"):
        choose(images, "web")
    glance.images[second]["status"] = "queued"
    assert choose(images, "web") == first


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"status": "queued"}, "it is queued"),
        ({"status": "deactivated"}, "it is deactivated"),
        ({"container_format": "bare"}, "are bare and raw"),
        ({"disk_format": "qcow2"}, "are docker and qcow2"),
        ({"size": 1 << 40}, "takes at most"),
    ],
)
def test_what_no_container_can_be_made_of_is_refused_by_its_reason(
    glance: Glance, images: GlanceImages, facts: dict[str, Any], why: str
) -> None:
    for asked in (glance.put(name="web", **facts), "web"):
        with pytest.raises(errors.InvalidImage, match=why):
            choose(images, asked)


def test_without_a_token_nobody_is_asked(glance: Glance, images: GlanceImages) -> None:
    with pytest.raises(errors.NotOffered, match="Keystone"):
        images.choose("web", Caller(user_id="me", project_id="mine", request_id="req-1"))
    assert not glance.calls


@pytest.mark.parametrize("fault", [500, 503, 401, 0])
def test_a_glance_that_does_not_answer_is_503(glance: Glance, images: GlanceImages, fault: int) -> None:
    glance.faults["GET", ""] = fault
    for ask in (lambda: choose(images, "web"), lambda: images.check_target(ME), lambda: images.search("web", False, ME)):
        with pytest.raises(errors.ImageServiceUnavailable) as raised:
            ask()
        assert raised.value.status == 503
        assert glance.url not in str(raised.value)


def test_a_search_finds_what_the_caller_may_see(glance: Glance, images: GlanceImages) -> None:
    web = glance.put(name="my-web")
    glance.put(name="web", owner="theirs", visibility="private")
    glance.put(name="web", container_format="bare")
    (found,) = images.search("WEB", False, ME)
    assert (found.record["id"], found.record["name"], found.record["status"]) == (web, "my-web", "active")
    assert images.search("web", True, ME) == []
    assert [each.record["id"] for each in images.search("my-web", True, ME)] == [web]


# --- on a host -----------------------------------------------------------------------------------


def test_an_image_is_fetched_once_and_its_digest_is_told(glance: Glance, images: GlanceImages, engine: FakeEngine) -> None:
    web = glance.put(docker(tags=["busybox:latest"], config={"ExposedPorts": {"80/tcp": {}}}))
    first = images.ensure(wanted(web), "always", silent)
    assert images.ensure(wanted(web), "always", silent) == first
    assert glance.downloads() == 1
    assert (first.image.ports, first.digest) == ([80], f"sha512:{glance.images[web]['os_hash_value']}")
    assert engine.images[BUSYBOX].id == "sha256:busybox", "a tag of the archive means nothing"


def test_how_far_it_has_come_is_told(glance: Glance, images: GlanceImages) -> None:
    told: list[Progress] = []
    data = docker()
    images.ensure(wanted(glance.put(data)), "always", told.append)
    assert [(each.what, each.done, each.total) for each in told][-1] == ("Downloading", len(data), len(data))


def test_a_private_image_is_its_projects_though_the_host_has_it(glance: Glance, images: GlanceImages) -> None:
    web = glance.put(docker(), visibility="private")
    images.ensure(wanted(web), "always", silent)
    for policy in ("always", "ifnotpresent", "never"):
        with pytest.raises(errors.ImagePullFailed, match="sees no such image"):
            images.ensure(wanted(web, "theirs"), policy, silent)
    glance.images[web]["visibility"] = "shared"
    glance.members[web] = {"theirs": "accepted"}
    assert images.ensure(wanted(web, "theirs"), "never", silent).image


@pytest.mark.parametrize(
    "facts", [{"status": "deactivated"}, {"os_hash_value": None}, {"os_hash_algo": "md5"}, {"container_format": "bare"}]
)
def test_what_has_changed_since_it_was_accepted_counts(
    glance: Glance, images: GlanceImages, engine: FakeEngine, facts: dict[str, Any]
) -> None:
    web = glance.put(docker())
    images.ensure(wanted(web), "always", silent)
    glance.images[web].update(facts)
    with pytest.raises(errors.ImagePullFailed):
        images.ensure(wanted(web), "always", silent)
    assert glance.downloads() == 1


def test_what_is_not_what_glance_says_is_no_image(glance: Glance, images: GlanceImages, engine: FakeEngine) -> None:
    web = glance.put(docker())
    glance.data[web] = docker(layer=b"something else of the same form")
    with pytest.raises(errors.ImagePullFailed, match="sha512 digest"):
        images.ensure(wanted(web), "always", silent)
    assert held(engine) == []


@pytest.mark.parametrize("stop", [0, 700, 2000])
def test_what_is_broken_off_is_no_image(glance: Glance, images: GlanceImages, engine: FakeEngine, stop: int) -> None:
    web = glance.put(docker())
    glance.break_after = stop
    with pytest.raises(errors.ImageServiceUnavailable):
        images.ensure(wanted(web), "always", silent)
    assert held(engine) == []
    glance.break_after = None
    assert images.ensure(wanted(web), "always", silent).image


@pytest.mark.parametrize("fault", [500, 503, 0])
def test_a_download_that_does_not_begin_is_tried_later(glance: Glance, images: GlanceImages, engine: FakeEngine, fault: int) -> None:
    web = glance.put(docker())
    glance.faults["GET", "/file"] = fault
    with pytest.raises(errors.ImageServiceUnavailable):
        images.ensure(wanted(web), "always", silent)
    assert held(engine) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no archive" * 200, "cannot be read"),
        (tar({"layer.tar": b"", "config.json": config(b"theirs"), "manifest.json": manifest()}), "another layer 1"),
    ],
)
def test_what_is_no_image_is_refused_in_words(glance: Glance, images: GlanceImages, engine: FakeEngine, data: bytes, why: str) -> None:
    with pytest.raises(errors.ImagePullFailed, match=why):
        images.ensure(wanted(glance.put(data)), "always", silent)
    assert held(engine) == []


def test_many_that_want_one_image_fetch_it_once(glance: Glance, images: GlanceImages) -> None:
    web = glance.put(docker())
    brought: list[str] = []
    threads = [threading.Thread(target=lambda: brought.append(images.ensure(wanted(web), "always", silent).image.id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(brought) == 8
    assert len(set(brought)) == 1
    assert glance.downloads() == 1


# --- what is made of containers ------------------------------------------------------------------


def test_a_commit_is_an_image_of_its_projects(glance: Glance, images: GlanceImages, shop: SmallGlance) -> None:
    target = shop.target()
    digest = images.push(shop.made(), target, silent)
    made = glance.images[target.uuid]
    assert {name: made[name] for name in ("name", "tags", "owner", "visibility", "status", "container_format", "disk_format")} == {
        "name": "snapshot",
        "tags": ["1"],
        "owner": "mine",
        "visibility": "private",
        "status": "active",
        "container_format": "docker",
        "disk_format": "raw",
    }
    assert digest == f"sha512:{made['os_hash_value']}"


def test_what_an_earlier_life_has_begun_is_finished(glance: Glance, images: GlanceImages, shop: SmallGlance) -> None:
    target = shop.target()
    glance.put(id=target.uuid, status="queued")
    images.push(shop.made(), target, silent)
    assert glance.images[target.uuid]["status"] == "active"


def test_what_is_still_on_its_way_is_waited_for(glance: Glance, images: GlanceImages, shop: SmallGlance) -> None:
    target = shop.target()
    glance.put(id=target.uuid, status="saving")
    with pytest.raises(errors.ImageServiceUnavailable):
        images.push(shop.made(), target, silent)


def test_somebody_elses_image_of_the_uuid_is_left_alone(glance: Glance, images: GlanceImages, shop: SmallGlance) -> None:
    target = shop.target()
    glance.put(id=target.uuid, owner="theirs", status="queued")
    with pytest.raises(errors.ImagePushFailed, match="somebody else"):
        images.push(shop.made(), target, silent)
    images.unpush(target)
    assert target.uuid in glance.images


@pytest.mark.parametrize(("method", "end"), [("POST", "/images"), ("PUT", "/file")])
@pytest.mark.parametrize("fault", [500, 503, 0])
def test_a_glance_that_goes_away_meanwhile_is_waited_for(
    glance: Glance, images: GlanceImages, shop: SmallGlance, method: str, end: str, fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zun.drivers.image.sdk._STORING", 2.0)
    target, made = shop.target(), shop.made()
    glance.faults[method, end] = fault
    with pytest.raises(errors.ImageServiceUnavailable):
        images.push(made, target, silent)
    glance.faults.clear()
    images.push(made, target, silent)
    assert glance.images[target.uuid]["status"] == "active"


def test_what_glance_does_not_want_fails_in_its_words(glance: Glance, images: GlanceImages, shop: SmallGlance) -> None:
    glance.faults["POST", "/images"] = 403
    with pytest.raises(errors.ImagePushFailed, match="so the test orders"):
        images.push(shop.made(), shop.target(), silent)


# --- wiring --------------------------------------------------------------------------------------


def test_without_its_section_there_is_no_glance(tmp_path: Path, engine: FakeEngine) -> None:
    conf = zun_conf.new()
    conf([], project="zun", default_config_files=[])
    assert list(wiring.drivers(conf, FakeRuntime(engine))) == ["docker"]
    conf.set_override("image_driver_list", ["floppy"])
    with pytest.raises(ValueError, match="floppy"):
        wiring.drivers(conf, FakeRuntime(engine))
