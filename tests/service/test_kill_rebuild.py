"""SIGKILL of the whole service in the middle of a rebuild, with a real engine: there is always one container, the old one or the new."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.engines import Dockerd
from tests.images import load_busybox
from tests.service.aio import Aio
from zun.compute.verbs import SAGAS
from zun.drivers.runtime.docker_http import DockerHttp

NEW, EMPTY = "rebuilt:latest", "empty:latest"
STEPS = [step for step in SAGAS["rebuild"] if step.name in ("create_container", "stop_old_container", "start_new_container")]
LAST = SAGAS["rebuild"][-1]
POINTS = [f"{step.name}:{moment}" for step in (*STEPS, LAST) for moment in ("before", "after")]
UNDOING = [f"{step.name}:undo" for step in reversed(STEPS) if step.undo is not None]


@pytest.fixture
def aio(mortal: Aio, engine: Dockerd) -> Aio:
    load_busybox(engine.socket, NEW, extra=b"of the new image\n")
    nothing = io.BytesIO()
    with tarfile.open(fileobj=nothing, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("hollow"))
    http = DockerHttp(engine.socket, timeout=60)
    try:
        query = {"fromSrc": "-", "repo": "empty", "tag": "latest"}
        assert http.call("POST", "/images/create", query=query, body=nothing.getvalue()).ok
    finally:
        http.close()
    return mortal


def rebuilt_and_killed(aio: Aio, image: str, point: str, status: str = "Running") -> tuple[str, dict[str, object]]:
    """A container in a status whose rebuild the service does not live through; and how it was shown before."""
    uuid = aio.create(run=status == "Running")
    before = aio.wait(uuid, status)
    if status == "Running":
        assert aio.post(f"/containers/{uuid}/execute", params={"command": "touch /root/of-the-old-one"}).json()["exit_code"] == 0
    aio.die_at(point)
    assert aio.post(f"/containers/{uuid}/rebuild", params={"image": image}).status_code == 202
    aio.wait_for_death()
    aio.start()
    return uuid, before


def said(aio: Aio, uuid: str, command: str) -> str:
    return str(aio.post(f"/containers/{uuid}/execute", params={"command": command}).json()["output"])


@pytest.mark.parametrize("point", POINTS)
def test_a_rebuild_outlives_the_service(aio: Aio, point: str) -> None:
    uuid, before = rebuilt_and_killed(aio, NEW, point)
    after = aio.wait(uuid, "Running")
    assert (after["image"], after["status_reason"]) == (NEW, None)
    assert said(aio, uuid, "cat /root/extra") == "of the new image\n"
    assert "of-the-old-one" not in said(aio, uuid, "ls /root")
    assert after["addresses"] == before["addresses"]
    aio.assert_nothing_leaked()


@pytest.mark.parametrize("point", ["start_new_container:before", *UNDOING])
def test_a_rebuild_that_fails_gives_the_old_one_back_although_the_service_dies_meanwhile(aio: Aio, point: str) -> None:
    uuid, before = rebuilt_and_killed(aio, EMPTY, point)
    after = aio.wait(uuid, "Running")
    assert after["image"] == before["image"]
    assert after["status_reason"]
    assert "of-the-old-one" in said(aio, uuid, "ls /root")
    aio.assert_nothing_leaked()


def test_a_container_that_does_not_run_is_rebuilt_and_does_not_run(aio: Aio) -> None:
    uuid, _ = rebuilt_and_killed(aio, NEW, "remove_old_container:before", status="Created")
    assert aio.wait(uuid, "Created")["image"] == NEW
    aio.assert_nothing_leaked()
