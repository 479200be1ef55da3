"""What zun-tempest-plugin asks and asserts: its bodies, double slashes and fixed statuses, where that needs no other service."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.service.aio import PATIENCE, Aio, eventually
from tests.service.people import PASSWORD
from tests.service.test_contract import cloud

__all__ = ["cloud"]

#: its default body; the image is the one that is here
BODY: dict[str, Any] = {
    "image": "busybox",
    "command": ["sleep", "10000"],
    "cpu": 0.1,
    "memory": "100",
    "environment": {},
    "labels": {},
    "image_driver": "docker",
    "restart_policy": {"Name": "no"},
    "workdir": "/",
    "interactive": False,
}


class Plugin:
    """Its client: every answer has just this status, and echoes the microversion that was asked for."""

    def __init__(self, aio: Aio) -> None:
        self.aio = aio

    def __call__(self, method: str, path: str, status: int, at: str = "1.20", user: str = "mia", json: Any = None) -> Any:
        asked = f"container {at}"
        answer = requests.request(
            method,
            f"{self.aio.url}{path}",
            json=json,
            headers={"OpenStack-API-Version": asked},
            auth=(user, self.aio.password if user == "admin" else PASSWORD),
            timeout=PATIENCE,
        )
        assert (answer.status_code, answer.headers["OpenStack-API-Version"]) == (status, asked), answer.text
        self.request_id = answer.headers["x-openstack-request-id"]
        return answer.json() if answer.content else None

    def run(self, at: str = "1.20", user: str = "mia", create: bool = False, **body: Any) -> str:
        """Make a container and wait until it is there."""
        path = "/containers/" if create else "/containers/?run=true"
        uuid = str(self("POST", path, 202, at=at, user=user, json={**BODY, "name": "tempest-1", **body})["uuid"])
        self.becomes(uuid, "Created" if create else "Running")
        return uuid

    def get(self, uuid: str, at: str = "1.20") -> Any:
        return self("GET", f"/containers//{uuid}", 200, at=at)

    def becomes(self, uuid: str, status: str) -> None:
        eventually(lambda: (self.get(uuid)["status"], self.get(uuid)["task_state"]) == (status, None), f"{uuid} becomes {status}")


@pytest.fixture
def plugin(cloud: Aio) -> Iterator[Plugin]:
    """With what it does after each of its tests, as an administrator."""
    plugin = Plugin(cloud)
    yield plugin
    for row in plugin("GET", "/containers/?all_projects=True", 200, user="admin")["containers"]:
        plugin.aio.post(f"/containers/{row['uuid']}/kill")  # its program does not hear that it shall end
        plugin("DELETE", f"/containers//{row['uuid']}?stop=True&all_projects=True", 204, user="admin")
        cloud.wait_gone(row["uuid"])


def test_create_list_get_delete(plugin: Plugin) -> None:
    uuid = plugin.run(create=True)
    assert uuid in {row["uuid"] for row in plugin("GET", "/containers/", 200)["containers"]}
    assert plugin.get(uuid)["uuid"] == uuid
    plugin("DELETE", f"/containers//{uuid}", 204)
    eventually(lambda: plugin.aio.get(f"/containers/{uuid}").status_code == 404)


def test_run_container(plugin: Plugin) -> None:
    given = {"environment": {"key1": "env1"}, "labels": {"key1": "label1"}}
    uuid = plugin.run(restart_policy={"Name": "on-failure", "MaximumRetryCount": 2}, **given)
    found = plugin.get(uuid)
    assert {name: found[name] for name in given} == given
    assert found["restart_policy"] == {"Name": "on-failure", "MaximumRetryCount": "2"}


def test_legacy_command(plugin: Plugin) -> None:
    assert plugin.get(plugin.run(at="1.1", command="sleep 10000"), at="1.1")["command"] == ["sleep", "10000"]


def test_injected_file(plugin: Plugin) -> None:
    mount = {"type": "bind", "source": base64.b64encode(b"hello from tempest").decode(), "destination": "/test.txt"}
    uuid = plugin.run(at="1.25", mounts=[mount])
    assert "hello from tempest" in plugin("POST", f"/containers//{uuid}/execute?command=cat /test.txt", 200)["output"]


def test_requested_host(plugin: Plugin) -> None:
    host = plugin("GET", "/hosts/", 200, at="1.39", user="admin")["hosts"][0]["hostname"]
    uuid = plugin.run(at="1.39", user="admin", host=host)
    assert plugin("GET", f"/containers//{uuid}", 200, at="1.39", user="admin")["host"] == host


def test_start_stop_pause_unpause_kill(plugin: Plugin) -> None:
    uuid = plugin.run()
    for verb, status in (
        ("pause", "Paused"),
        ("unpause", "Running"),
        ("stop?timeout=1", "Stopped"),
        ("start", "Running"),
        ("kill?signal=SIGKILL", "Stopped"),
    ):
        plugin("POST", f"/containers//{uuid}/{verb}", 202)
        plugin.becomes(uuid, status)


def test_rebuild(plugin: Plugin) -> None:
    uuid = plugin.run(command=["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"])
    plugin("POST", f"/containers//{uuid}/rebuild", 202, at="1.33")
    request = plugin.request_id

    def action() -> Any:
        return plugin("GET", f"/containers//{uuid}/container_actions/{request}", 200, at="1.33")

    eventually(lambda: action()["finish_time"])
    assert action()["message"] is None
    plugin.becomes(uuid, "Running")


def test_exec_logs_top_stats(plugin: Plugin) -> None:
    uuid = plugin.run(command=["sh", "-c", "echo hello; sleep 1000000"])
    answer = plugin("POST", f"/containers//{uuid}/execute", 200, json={"command": 'echo "hello world"'})
    assert "hello world" in answer["output"]
    eventually(lambda: "hello" in plugin("GET", f"/containers//{uuid}/logs", 200))
    assert "sleep 1000000" in str(plugin("GET", f"/containers//{uuid}/top", 200))
    names = {"CONTAINER", "CPU %", "MEM USAGE(MiB)", "MEM LIMIT(MiB)", "MEM %", "BLOCK I/O(B)", "NET I/O(B)"}
    assert names <= set(plugin("GET", f"/containers//{uuid}/stats", 200))


def test_update_and_rename(plugin: Plugin) -> None:
    uuid = plugin.run()
    plugin("PATCH", f"/containers//{uuid}", 200, at="1.14", json={"cpu": 0.2, "memory": 200})
    plugin("PATCH", f"/containers//{uuid}", 200, at="1.14", json={"name": "tempest-new"})
    found = plugin.get(uuid)
    assert (found["cpu"], found["memory"], found["name"]) == (0.2, "200", "tempest-new")


@pytest.mark.parametrize("at", ["1.24", "1.25"])
def test_archives(plugin: Plugin, at: str) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        member = tarfile.TarInfo("tempest.txt")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    data = whole.getvalue().decode() if at == "1.24" else base64.b64encode(whole.getvalue()).decode()
    uuid = plugin.run()
    plugin("POST", f"/containers//{uuid}/put_archive?path=/tmp", 200, at=at, json={"data": data})
    answer = plugin("GET", f"/containers//{uuid}/get_archive?path=/tmp/tempest.txt", 200, at=at)
    assert (answer["stat"]["name"], answer["stat"]["size"]) == ("tempest.txt", 3)
    got = answer["data"].encode() if at == "1.24" else base64.b64decode(answer["data"])
    assert b"abc" in got


def test_services_are_for_administrators(plugin: Plugin) -> None:
    plugin("GET", "/services/", 403, at="1.7")


def test_its_cleanup_of_networks_tolerates_404(plugin: Plugin) -> None:
    plugin("DELETE", "/networks/11111111-2222-4333-8444-555555555555", 404, at="1.27", user="admin")
