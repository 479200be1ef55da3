"""Horizon's panel (zun-ui): what it sends through the library, at the newest version, and what it must find in the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from tests.service.aio import PATIENCE, PROGRAM, Aio, eventually
from tests.service.official import library


@pytest.fixture
def zun(service: Aio) -> Any:
    return library(service, "1")


@pytest.fixture
def web(zun: Any, service: Aio) -> Iterator[str]:
    """What the form for a new container sends: numbers as numbers, and each of its lists and objects."""
    made = zun.containers.run(
        name="web",
        image="busybox",
        image_driver="docker",
        command=list(PROGRAM),
        cpu=0.1,
        memory=32,
        environment={"A": "b"},
        labels={"tier": "web"},
        restart_policy={"Name": "no", "MaximumRetryCount": "0"},
        mounts=[],
        nets=[],
        security_groups=[],
        hints={"group": "a"},
        workdir="/tmp",
        auto_heal=False,
        interactive=True,
        auto_remove=False,
    )
    service.wait(made.uuid, "Running")
    yield str(made.uuid)
    service.delete(f"/containers/{made.uuid}", params={"force": True})
    service.wait_gone(made.uuid)


def test_list_and_details(zun: Any, web: str) -> None:
    (row,) = zun.containers.list()
    assert {"uuid", "name", "image", "status", "task_state"} <= set(row.to_dict())
    found = zun.containers.get(web).to_dict()
    assert {name: type(found[name]) for name in ("restart_policy", "addresses", "labels", "environment", "memory", "security_groups")} == {
        "restart_policy": dict,
        "addresses": dict,
        "labels": dict,
        "environment": dict,
        "memory": str,
        "security_groups": list,
    }
    assert (found["ports"], found["interactive"], found["auto_remove"], found["image_driver"]) == ([], True, False, "docker")


def test_a_form_with_a_volume_of_a_size_sends_an_empty_source(zun: Any) -> None:
    from zunclient import exceptions

    with pytest.raises(exceptions.BadRequest, match="no volume service"):
        zun.containers.create(image="busybox", mounts=[{"source": "", "size": "1", "destination": "/data"}])


def test_the_form_of_changes_sends_what_is_other(zun: Any, web: str) -> None:
    zun.containers.get(web)
    assert zun.containers.update(web, name="shop").name == "shop"
    assert zun.containers.update(web, cpu=0.2, memory="64").memory == "64"


def test_the_menu(zun: Any, service: Aio, web: str) -> None:
    containers = zun.containers
    assert containers.execute(web, command='"echo" "hi"')["output"] == "hi\n"
    assert containers.logs(web, stdout=True, stderr=True, timestamps=False, tail="all", since="0") == ""
    containers.resize(web, 100, 30)
    containers.restart(web, 10)
    service.wait(web, "Running")
    containers.rebuild(web, image="", image_driver="")
    service.wait(web, "Running")
    containers.kill(web, "None")
    service.wait(web, "Stopped")
    containers.start(web)
    service.wait(web, "Running")
    containers.delete(web, stop=True)
    service.wait_gone(web)


def test_the_console_is_a_socket_of_the_browser(zun: Any, service: Aio) -> None:
    made = zun.containers.run(name="shell", image="busybox", command=["sh"], interactive=True, cpu=0.1, memory=32)
    try:
        service.wait(made.uuid, "Running")
        url = zun.containers.attach(made.uuid)
        # A browser says where its page is from, and takes the first of these that the server knows.
        address = url.split("/")[2]
        browser = websocket.create_connection(url, timeout=PATIENCE, origin=f"http://{address}", subprotocols=["binary", "base64"])
        assert browser.getsubprotocol() == "binary"
        zun.containers.resize(made.uuid, 80, 24)
        browser.send_binary(b"stty size\n")
        seen = b""
        while b"24 80" not in seen:
            seen += browser.recv_data()[1]
        browser.close()
    finally:
        service.delete(f"/containers/{made.uuid}", params={"force": True})
        service.wait_gone(made.uuid)


def test_the_cloud_shell(zun: Any, service: Aio) -> None:
    user = "u" * 32
    assert [each for each in zun.containers.list() if each.labels.get("cloud-shell") == user] == []
    zun.containers.run(
        name="cloud-shell", image="busybox", command=["sh"], interactive=True, labels={"cloud-shell": user}, cpu=0.1, memory=32
    )
    try:
        eventually(lambda: zun.containers.get("cloud-shell").status == "Running")
        (shell,) = (each for each in zun.containers.list() if each.labels.get("cloud-shell") == user)
        written = zun.containers.execute(shell.uuid, command="sh -c 'printf \"clouds:\\n  openstack: {}\\n\" > /root/clouds.yaml'")
        assert written["exit_code"] == 0
        assert "openstack: {}" in zun.containers.execute(shell.uuid, command="cat /root/clouds.yaml")["output"]
        assert zun.containers.attach(shell.uuid).startswith("ws://")
    finally:
        service.delete("/containers/cloud-shell", params={"force": True})
        service.wait_gone("cloud-shell")


def test_panels_of_administrators(zun: Any) -> None:
    (host,) = (each.to_dict() for each in zun.hosts.list())
    assert {"uuid", "hostname", "mem_total", "mem_used", "cpus", "cpu_used", "disk_total", "disk_used", "total_containers"} <= set(host)
    image = zun.images.create(repo="127.0.0.1:1/web", host=host["uuid"])
    try:
        (row,) = (each.to_dict() for each in zun.images.list())
        assert {"image_id", "repo", "tag", "size", "host", "project_id"} <= set(row)
    finally:
        zun.images.delete(image.uuid)
        eventually(lambda: zun.images.list() == [])


def test_capsules_are_read_by_their_old_names(zun: Any, service: Aio) -> None:
    entry = {"image": "busybox", "command": list(PROGRAM), "resources": {"requests": {"cpu": 0.1, "memory": 32}}}
    made = zun.capsules.create(template={"kind": "capsule", "metadata": {"name": "pair"}, "spec": {"containers": [entry]}})
    try:
        found = zun.capsules.get(made.uuid).to_dict()
        assert {"status", "cpu", "memory", "created_at", "updated_at"} <= set(found)
        assert {"uuid", "name"} <= set(found["containers"][0])
        # A fault of the panel: it speaks 1.40 and reads what was there until 1.31.
        assert "meta_name" not in found
    finally:
        zun.capsules.delete(made.uuid)
        eventually(lambda: service.get(f"/capsules/{made.uuid}").status_code == 404)
