"""Containers of images in Glance, and images in Glance of containers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.services import glance, settings
from cloud.world import REGION, World
from tests.cloud.containers import Zun
from tests.image_archives import docker, oci
from tests.images import busybox, root_archive

_FORMATS = {"container_format": "docker", "disk_format": "raw"}


@pytest.fixture(scope="module")
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo)


@pytest.fixture(scope="module")
def stranger(cloud: World) -> Iterator[Any]:
    import openstack

    made = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account("stranger"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def files() -> bytes:
    """What is in the images: busybox."""
    try:
        busybox()
    except LookupError as missing:
        pytest.skip(str(missing))
    return root_archive(b"out of glance\n")


@pytest.fixture
def put(demo: Any) -> Iterator[Callable[..., str]]:
    """Have an image of demo's, private unless said otherwise. Returns its uuid."""
    made = []

    def store(data: bytes, name: str, **facts: str) -> str:
        image = demo.image.post("/images", json={"name": name, "visibility": "private", **_FORMATS, **facts}).json()
        made.append(image["id"])
        answer = demo.image.put(f"/images/{image['id']}/file", data=data, headers={"Content-Type": "application/octet-stream"})
        assert answer.status_code == 204, answer.text
        return made[-1]

    yield store
    for image in made:
        demo.image.delete(f"/images/{image}")


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_a_container_is_made_of_an_archive(zun: Zun, put: Callable[..., str], files: bytes, form: str) -> None:
    name = unique(form)
    put(docker(tags=["busybox:latest"], layer=files) if form == "docker" else oci("s390x", "amd64", layer=files), name)
    with zun.running(image=name, image_driver="glance") as one:
        assert (one["image"], one["image_driver"]) == (name, "glance")
        assert zun.run(one["uuid"], "cat /root/extra") == "out of glance\n"
    # What an archive calls itself is nobody's business.
    with zun.running() as other:
        assert "out of glance" not in zun.run(other["uuid"], "cat /root/extra")


def test_an_image_is_its_projects_until_it_is_shared_and_accepted(
    cloud: World, zun: Zun, demo: Any, stranger: Any, put: Callable[..., str], files: bytes
) -> None:
    image = put(docker(layer=files), unique("mine"), visibility="shared")
    theirs = Zun(cloud, stranger)
    project = stranger.current_project_id

    def asked() -> tuple[int, str]:
        return code(theirs.create(image=image, image_driver="glance"))

    assert asked() == (400, "container.invalid-image")
    demo.image.post(f"/images/{image}/members", json={"member": project})
    assert asked() == (400, "container.invalid-image")
    stranger.image.put(f"/images/{image}/members/{project}", json={"status": "accepted"})
    # Now it is only a network that this project lacks.
    assert asked() == (409, "container.no-network")
    assert theirs.call("GET", "/containers").json()["containers"] == []


def test_what_is_not_what_glance_says_is_no_image(cloud: World, zun: Zun, put: Callable[..., str], files: bytes) -> None:
    image = put(docker(layer=files), unique("changed"))
    stored = Path(settings.state(cloud.controller, glance.SERVICE)) / "images" / image
    stored.write_bytes(docker(layer=files[:-512] + b"\1" * 512))
    made = zun.create(image=image, image_driver="glance").json()
    failed = zun.settle(made["uuid"])
    assert failed["status"] == "Error"
    assert "sha512 digest" in failed["status_reason"]
    zun.delete(made["uuid"])


def test_a_commit_is_an_image_of_its_project_that_can_be_run_and_found(zun: Zun, demo: Any, stranger: Any) -> None:
    name = unique("snapshot")
    with zun.running() as one:
        zun.run(one["uuid"], "sh -c 'echo kept > /kept'")
        answer = zun.call("POST", f"/containers/{one['uuid']}/commit", params={"repository": name})
        assert answer.status_code == 202, answer.text
        image = answer.json()["uuid"]
        until = time.monotonic() + 90
        # The host makes it, under the uuid that was promised.
        while (shown := demo.image.get(f"/images/{image}")).status_code == 404 or shown.json()["status"] != "active":
            assert time.monotonic() < until, shown.text
            time.sleep(0.2)
        made = shown.json()
        assert zun.settle(one["uuid"])["status"] == "Running"
    assert {fact: made[fact] for fact in ("name", "owner", "visibility", "container_format", "disk_format", "tags")} == {
        "name": name,
        "owner": demo.current_project_id,
        "visibility": "private",
        "tags": ["latest"],
        **_FORMATS,
    }
    try:
        (found,) = zun.call("GET", f"/images/{name}/search", params={"image_driver": "glance", "exact_match": "true"}).json()
        assert (found["id"], found["status"]) == (image, "active")
        assert stranger.image.get(f"/images/{image}").status_code == 404
        with zun.running(image=name, image_driver="glance") as copy:
            assert zun.run(copy["uuid"], "cat /kept") == "kept\n"
    finally:
        demo.image.delete(f"/images/{image}")


def test_the_official_command_runs_it(cloud: World, zun: Zun, put: Callable[..., str], files: bytes) -> None:
    image, name = unique("cli"), unique("cli")
    put(docker(layer=files), image)
    program = Path(sys.executable).parent / "openstack"
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml), "OS_CLOUD": "demo", "OS_CONTAINER_API_VERSION": "1.40"}
    command = [str(program), "appcontainer", "run", "--name", name, "--image-driver", "glance", image, "sleep", "1000"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 0, ended.stderr
    (made,) = zun.call("GET", "/containers", params={"name": name}).json()["containers"]
    try:
        assert zun.settle(made["uuid"])["status"] == "Running"
    finally:
        zun.delete(made["uuid"])
