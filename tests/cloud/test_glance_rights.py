"""Who may make a container of which of Glance's images, by uuid and by name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from cloud.world import World
from tests.cloud import people
from tests.cloud.containers import Zun
from tests.image_archives import docker

#: by what was made of an image of demo's: what his project may have it by, another one, and an administrator's
TABLE: dict[str, tuple[str, str, str]] = {
    "private": ("uuid, name", "", ""),
    "shared with nobody": ("uuid, name", "", ""),
    "shared": ("uuid, name", "", ""),
    "shared and accepted": ("uuid, name", "uuid, name", ""),
    "shared and rejected": ("uuid, name", "", ""),
    "community": ("uuid, name", "uuid", "uuid"),
    "public": ("uuid, name", "uuid, name", "uuid, name"),
    # Lists leave them out, whosever they are.
    "private and hidden": ("uuid", "", ""),
    "public and hidden": ("uuid", "uuid", "uuid"),
    "deactivated": ("", "", ""),
    "public and deactivated": ("", "", ""),
}


@pytest.fixture(scope="module")
def stranger(cloud: World) -> Iterator[Any]:
    made = people.connect(cloud, "stranger")
    yield made
    made.close()


@pytest.fixture(scope="module")
def askers(cloud: World, demo: Any, stranger: Any, admin: Any) -> list[Zun]:
    return [Zun(cloud, who) for who in (demo, stranger, admin)]


@pytest.fixture(scope="module")
def images(demo: Any, admin: Any, stranger: Any) -> Iterator[dict[str, Any]]:
    """An image for each row of the table."""
    made = {}
    try:
        for row in TABLE:
            made[row] = _made(demo, row)
            _change(demo, admin, stranger, made[row]["id"], row)
        yield made
    finally:
        for image in made.values():
            demo.image.delete(f"/images/{image['id']}")


def _made(demo: Any, row: str) -> Any:
    facts = {"container_format": "docker", "disk_format": "raw", "visibility": "private", "os_hidden": "hidden" in row}
    image = demo.image.post("/images", json={"name": f"{row.replace(' ', '-')}-{uuid.uuid4().hex[:8]}", **facts}).json()
    sent = demo.image.put(f"/images/{image['id']}/file", data=docker(), headers={"Content-Type": "application/octet-stream"})
    assert sent.status_code == 204, sent.text
    return image


def _change(demo: Any, admin: Any, stranger: Any, image: str, row: str) -> None:
    words = row.split()
    answers = []
    if words[0] in ("shared", "community", "public"):
        patch = [{"op": "replace", "path": "/visibility", "value": words[0]}]
        form = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        answers.append(admin.image.patch(f"/images/{image}", json=patch, headers=form))
    if words[0] == "shared" and "nobody" not in words:
        project = stranger.current_project_id
        answers.append(demo.image.post(f"/images/{image}/members", json={"member": project}))
        if len(words) > 1:
            answers.append(stranger.image.put(f"/images/{image}/members/{project}", json={"status": words[-1]}))
    if "deactivated" in words:
        answers.append(admin.image.post(f"/images/{image}/actions/deactivate"))
    assert all(answer.ok for answer in answers), [answer.text for answer in answers]


def asked(zun: Zun, image: str) -> str:
    """What is said of the image when a container is asked for that shall be in a network that there is not: images are looked at first."""
    error = zun.create(image=image, image_driver="glance", nets=[{"network": "no-such"}]).json()["errors"][0]
    return {"container.network-not-found": "", "container.invalid-image": error["detail"]}[error["code"]]


@pytest.mark.parametrize("row", TABLE)
def test_who_may_have_it(askers: list[Zun], images: dict[str, Any], row: str) -> None:
    image = images[row]
    heard = [{way: asked(zun, image[key]) for way, key in (("uuid", "id"), ("name", "name"))} for zun in askers]
    assert tuple(", ".join(way for way, reason in told.items() if not reason) for told in heard) == TABLE[row]
    # Of what one does not see, nothing is told.
    unseen = [reason for told in heard[1:] for reason in told.values() if reason and "public" not in row]
    assert all(reason.endswith("the project sees no such image in Glance") for reason in unseen), unseen
