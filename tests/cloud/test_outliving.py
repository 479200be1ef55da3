"""No accepted work depends on the life of its user's token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import openstack
import pytest

from cloud.world import REGION, World
from tests.cloud.containers import Zun
from tests.image_archives import docker
from tests.images import busybox, root_archive


@pytest.fixture
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo)


class Passing:
    """A user whose token is revoked by himself."""

    def __init__(self, cloud: World) -> None:
        self._connection = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account("demo"))
        self._identity = cloud.url("identity")
        self.zun = Zun(cloud, self._connection)

    def revoke(self) -> None:
        """The token is worth nothing any more."""
        headers = {"X-Subject-Token": self._connection.session.get_token()}
        assert self._connection.session.delete(f"{self._identity}/auth/tokens", headers=headers).status_code == 204


def test_a_token_that_is_revoked_right_after_the_answer_is_not_missed(cloud: World, zun: Zun) -> None:
    asking = Passing(cloud)
    made = [asking.zun.accepted(exposed_ports={"80/tcp": {}}) for _ in range(2)]
    asking.revoke()
    for uuid in made:
        shown = zun.settle(uuid)
        assert (shown["status"], shown["status_reason"]) == ("Running", None)
        assert shown["addresses"]
    deleting = Passing(cloud)
    for uuid in made:
        assert deleting.zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"}).status_code == 204
    deleting.revoke()
    for uuid in made:
        zun.gone(uuid)


@pytest.fixture
def image(demo: Any) -> Iterator[str]:
    """An image of demo's own in Glance that no host has yet. Its uuid."""
    try:
        busybox()
    except LookupError as missing:
        pytest.skip(str(missing))
    facts = {"name": f"outliving-{uuid4()}", "visibility": "private", "container_format": "docker", "disk_format": "raw"}
    made = str(demo.image.post("/images", json=facts).json()["id"])
    data = docker(layer=root_archive(f"{made}\n".encode()))
    answer = demo.image.put(f"/images/{made}/file", data=data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 204, answer.text
    yield made
    demo.image.delete(f"/images/{made}")


def test_nor_is_it_missed_where_an_image_a_volume_or_a_commit_is_the_users_own(cloud: World, zun: Zun, demo: Any, image: str) -> None:
    asking = Passing(cloud)
    made = asking.zun.accepted(image=image, image_driver="glance", mounts=[{"size": 1, "destination": "/data"}])
    asking.revoke()
    shown = zun.settle(made)
    assert (shown["status"], shown["status_reason"]) == ("Running", None)
    assert zun.run(made, "cat /root/extra") == f"{image}\n"
    assert " /data " in zun.run(made, "cat /proc/mounts")
    committing = Passing(cloud)
    answer = committing.zun.call("POST", f"/containers/{made}/commit", params={"repository": "outliving"})
    assert answer.status_code == 202, answer.text
    committing.revoke()
    commit = answer.json()["uuid"]
    until = time.monotonic() + 90
    while (found := demo.image.get(f"/images/{commit}")).status_code == 404 or found.json()["status"] != "active":
        assert time.monotonic() < until, found.text
        time.sleep(0.2)
    assert found.json()["owner"] == demo.current_project_id
    demo.image.delete(f"/images/{commit}")
    deleting = Passing(cloud)
    assert deleting.zun.call("DELETE", f"/containers/{made}", params={"stop": "true"}).status_code == 204
    deleting.revoke()
    zun.gone(made)
