"""Capsules on a real engine: what is in one place, in which order, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.service.aio import PROGRAM, Aio, eventually

SMALL = {"resources": {"requests": {"cpu": 0.1, "memory": 32}}}


def entry(*command: str, **more: Any) -> dict[str, Any]:
    return {"image": "busybox", "command": list(command or PROGRAM), **SMALL, **more}


def template(*containers: dict[str, Any], name: str | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": "capsule", "metadata": {"name": name}, "spec": {"containers": list(containers), **spec}}


def create(aio: Aio, asked: dict[str, Any], at: str = "1.41") -> str:
    answer = aio.post("/capsules", json={"template": asked}, version=at)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["uuid"])


def show(aio: Aio, uuid: str) -> dict[str, Any]:
    return dict(aio.get(f"/capsules/{uuid}").json())


def wait(aio: Aio, uuid: str, *statuses: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.update(show(aio, uuid))
        return seen["status"] in statuses

    eventually(there, f"{uuid} becomes {statuses}; last seen {seen.get('status')}: {seen.get('status_reason')}")
    return seen


def execute(aio: Aio, container: str, command: str) -> str:
    answer = aio.post(f"/containers/{container}/execute", params={"command": command})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["output"])


def logs(aio: Aio, container: str) -> str:
    return str(aio.get(f"/containers/{container}/logs").json())


def delete(aio: Aio, uuid: str) -> None:
    answer = aio.delete(f"/capsules/{uuid}")
    assert answer.status_code in (204, 404), answer.text
    eventually(lambda: aio.get(f"/capsules/{uuid}").status_code == 404, f"{uuid} is gone")


def in_engine(aio: Aio, uuid: str) -> list[dict[str, Any]]:
    """What the engine has of a capsule."""
    return [found for found in aio.objects() if found["Labels"].get("org.openstack.zun.sandbox") == uuid]


@pytest.fixture
def capsules(service: Aio) -> Iterator[Aio]:
    """The service; every capsule of the test is gone after it, and left nothing."""
    yield service
    uuids = [row["uuid"] for row in service.get("/capsules").json()["capsules"]]
    for uuid in uuids:
        delete(service, uuid)
    for uuid in uuids:
        eventually(lambda uuid=uuid: not in_engine(service, uuid), f"nothing of {uuid} is left in the engine")


def test_two_containers_reach_each_other_on_localhost(capsules: Aio) -> None:
    server = entry("httpd", "-f", "-p", "8080", ports=[{"containerPort": 8080}])
    uuid = create(capsules, template(server, entry(), name="pair"), at="1.40")
    seen = wait(capsules, "pair", "Running")
    first, second = seen["containers"]
    assert seen["uuid"] == uuid and seen["addresses"] and first["addresses"] == second["addresses"]
    assert first["ports"] == [8080]
    assert "root:x:0:" in execute(capsules, second["uuid"], "wget -q -O - http://127.0.0.1:8080/etc/group")
    assert "sleep" not in execute(capsules, first["uuid"], "ps"), "processes are not shared unless asked for"


def test_init_containers_run_one_after_the_other_before_the_rest(capsules: Aio) -> None:
    mount = {"volumeMounts": [{"name": "notes", "mountPath": "/notes"}]}
    asked = template(
        entry("sh", "-c", "echo regular >> /notes/log; exec sleep 1000", **mount),
        initContainers=[entry("sh", "-c", f"echo {word} >> /notes/log; sleep 1", **mount) for word in ("first", "second")],
        volumes=[{"name": "notes", "emptyDir": {}}],
    )
    seen = wait(capsules, create(capsules, asked), "Running", "Error")
    assert seen["status"] == "Running", seen["status_reason"]
    assert [one["status"] for one in seen["init_containers"]] == ["Stopped", "Stopped"]
    eventually(lambda: execute(capsules, seen["containers"][0]["uuid"], "cat /notes/log").split() == ["first", "second", "regular"])


def test_an_init_container_that_fails_keeps_the_rest_from_beginning(capsules: Aio) -> None:
    asked = template(entry(), initContainers=[entry("sh", "-c", "echo no way; exit 3")], restartPolicy="Never")
    seen = wait(capsules, create(capsules, asked), "Error")
    assert "exit code 3" in seen["status_reason"]
    assert seen["containers"][0]["status"] == "Created"
    assert "no way" in logs(capsules, seen["init_containers"][0]["uuid"])


def test_containers_share_directories_as_they_are_mounted(capsules: Aio) -> None:
    places = {"volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "fast", "mountPath": "/fast"}]}
    readers = {"volumeMounts": [{"name": "data", "mountPath": "/in", "readOnly": True}]}
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}]
    seen = wait(capsules, create(capsules, template(entry(**places), entry(**readers), volumes=volumes)), "Running")
    writer, reader = (one["uuid"] for one in seen["containers"])
    execute(capsules, writer, "sh -c 'echo hello > /data/note'")
    assert execute(capsules, reader, "cat /in/note") == "hello\n"
    assert "Read-only file system" in execute(capsules, reader, "sh -c 'echo no > /in/note'")
    assert " 16384 " in execute(capsules, writer, "df -k /fast"), "as large as it was to be"
    assert " tmpfs " in execute(capsules, writer, "grep /fast /proc/mounts")


def test_a_restart_policy_is_every_container_s(capsules: Aio) -> None:
    seen = wait(capsules, create(capsules, template(entry("sh", "-c", "echo again; sleep 0.2"), entry())), "Running")
    uuid = seen["containers"][0]["uuid"]
    eventually(lambda: logs(capsules, uuid).count("again") >= 3, "it is started again and again")
    assert logs(capsules, seen["containers"][1]["uuid"]) == ""


def test_a_capsule_that_never_restarts_ends(capsules: Aio) -> None:
    seen = wait(capsules, create(capsules, template(entry("true"), entry("true"), restartPolicy="Never")), "Stopped")
    assert {one["status"] for one in seen["containers"]} == {"Stopped"}


def test_processes_are_shared_where_it_is_asked_for(capsules: Aio) -> None:
    asked = template(entry("sleep", "4321"), entry("sleep", "8765"), shareProcessNamespace=True, restartPolicy="Never")
    seen = wait(capsules, create(capsules, asked), "Running")
    for one in seen["containers"]:
        eventually(lambda one=one: {"4321", "8765"} <= set(execute(capsules, one["uuid"], "ps").split()))


POD = """
apiVersion: v1
kind: Pod
metadata:
  name: shop
  labels: {app: shop}
spec:
  terminationGracePeriodSeconds: 2
  volumes:
  - name: html
    emptyDir: {}
  initContainers:
  - name: write
    image: busybox
    command: [sh, -c]
    args: ["echo $(WORD) > /html/index.html"]
    env: [{name: WORD, value: "hello from a Pod"}]
    resources: {requests: {cpu: 100m, memory: 32Mi}}
    volumeMounts: [{name: html, mountPath: /html}]
  containers:
  - name: serve
    image: busybox
    command: [httpd, -f, -p, "8080", -h, /html]
    ports: [{name: http, containerPort: 8080}]
    resources: {requests: {cpu: 100m, memory: 32Mi}}
    volumeMounts: [{name: html, mountPath: /html, readOnly: true}]
  - name: look
    image: busybox
    command: [sh, -c, "trap 'exit 0' TERM; sleep 1000 & wait"]
    resources: {requests: {cpu: 100m, memory: 32Mi}}
"""


def test_a_pod_of_kubernetes_is_a_capsule(capsules: Aio) -> None:
    create(capsules, yaml.safe_load(POD), at="1.40")
    seen = wait(capsules, "shop", "Running", "Error")
    assert seen["status"] == "Running", seen["status_reason"]
    assert [one["name"] for one in (*seen["init_containers"], *seen["containers"])] == ["write", "serve", "look"]
    look = seen["containers"][1]["uuid"]
    eventually(lambda: execute(capsules, look, "wget -q -O - http://localhost:8080/") == "hello from a Pod\n")
    assert execute(capsules, look, "hostname") == "shop\n"
    assert seen["restart_policy"] == {"Name": "always", "MaximumRetryCount": "0"}


def test_a_container_is_added_to_a_living_capsule_and_taken_out(capsules: Aio) -> None:
    seen = wait(capsules, create(capsules, template(entry("httpd", "-f", "-p", "8080"), name="host")), "Running")
    kept = seen["containers"][0]
    answer = capsules.post("/capsules/host/containers", json=entry(), version="1.41")
    assert answer.status_code == 202, answer.text
    added = answer.json()["uuid"]
    capsules.wait(added, "Running")
    assert "root:x:0:" in execute(capsules, added, "wget -q -O - http://127.0.0.1:8080/etc/group")
    assert [one["uuid"] for one in show(capsules, "host")["containers"]] == [kept["uuid"], added]
    assert capsules.delete(f"/capsules/host/containers/{added}", version="1.41").status_code == 204
    capsules.wait_gone(added)
    seen = show(capsules, "host")
    assert (seen["status"], [one["uuid"] for one in seen["containers"]]) == ("Running", [kept["uuid"]])
    assert len(in_engine(capsules, seen["uuid"])) == 2


def test_an_image_that_is_not_there_is_an_error_and_leaves_nothing(capsules: Aio) -> None:
    missing = {**entry(), "image": "127.0.0.1:1/nobody/nothing"}
    uuid = create(capsules, template(entry(), missing))
    seen = wait(capsules, uuid, "Error")
    assert "nobody/nothing" in seen["status_reason"]
    eventually(lambda: not in_engine(capsules, uuid), "what was made is undone")


def test_a_capsule_survives_the_death_of_the_service_while_it_is_made(own_service: Aio) -> None:
    uuid = create(own_service, template(entry(), entry(), initContainers=[entry("sleep", "1")]))
    own_service.kill()
    own_service.start()
    seen = wait(own_service, uuid, "Running", "Error")
    assert seen["status"] == "Running", seen["status_reason"]
    assert len(in_engine(own_service, uuid)) == 4
    delete(own_service, uuid)
    eventually(lambda: own_service.objects() == [], "nothing is left")
