"""Capsules on a real engine: order, shared places, shared processes, and what becomes of them when things die under them."""

from __future__ import annotations

from typing import Any

from tests.service.aio import PROGRAM, Aio, eventually
from zun.drivers.runtime.docker_http import DockerHttp

SLEEP = list(PROGRAM)


def one(*command: str, **more: Any) -> dict[str, Any]:
    return {
        "image": "busybox",
        "imagePullPolicy": "ifnotpresent",
        "command": list(command or SLEEP),
        "resources": {"requests": {"cpu": 0.1, "memory": 32}},
        **more,
    }


def capsule(aio: Aio, *containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **spec: Any) -> str:
    template = {
        "kind": "capsule",
        "metadata": {"name": "web"},
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
    }
    answer = aio.post("/capsules", json={"template": template})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["uuid"])


def pod(aio: Aio, *containers: dict[str, Any], **spec: Any) -> str:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": {"containers": list(containers), **spec}}
    answer = aio.post("/capsules", json={"template": manifest})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["uuid"])


def in_pod(name: str, *command: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": list(command or SLEEP), **more}


def wait(aio: Aio, uuid: str, *statuses: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def there() -> bool:
        answer = aio.get(f"/capsules/{uuid}")
        assert answer.status_code == 200, answer.text
        seen.update(answer.json())
        return seen["status"] in statuses

    eventually(there, f"{uuid} becomes {statuses}, last seen {seen}")
    return seen


def gone(aio: Aio, uuid: str) -> None:
    answer = aio.delete(f"/capsules/{uuid}")
    assert answer.status_code == 204, answer.text
    eventually(lambda: aio.get(f"/capsules/{uuid}").status_code == 404, "the capsule is gone")
    eventually(lambda: not aio.objects(), "nothing is left of it in the engine")


def said(aio: Aio, uuid: str, *command: str) -> str:
    answer = aio.post(
        f"/containers/{uuid}/execute", params={"run": "true", "interactive": "false", "command": " ".join(command)}, version="1.19"
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["output"])


def test_initialising_containers_end_before_the_others_begin_and_what_they_leave_is_found(own_service):
    shared = {"volumeMounts": [{"name": "work", "mountPath": "/common"}]}
    uuid = pod(
        own_service,
        in_pod("web", **shared),
        initContainers=[
            in_pod("one", "sh", "-c", "echo one >> /common/log", **shared),
            in_pod("two", "sh", "-c", "sleep 1; echo two >> /common/log", **shared),
        ],
        volumes=[{"name": "work", "emptyDir": {}}],
    )
    shown = wait(own_service, uuid, "Running", "Error")
    assert shown["status"] == "Running", shown["status_reason"]
    assert [each["status"] for each in shown["init_containers"]] == ["Stopped", "Stopped"]
    (web,) = shown["containers"]
    assert said(own_service, web["uuid"], "cat", "/common/log") == "one\ntwo\n"
    gone(own_service, uuid)
    assert not list((own_service.state / "files").glob("*"))


def test_what_is_shared_in_memory_is_in_memory_and_held_to_its_size(own_service):
    shared = {"volumeMounts": [{"name": "fast", "mountPath": "/fast"}]}
    uuid = pod(
        own_service,
        in_pod("a", **shared),
        in_pod("b", **shared),
        volumes=[{"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}],
    )
    first, second = wait(own_service, uuid, "Running")["containers"]
    assert (first["name"], second["name"]) == ("a", "b")
    said(own_service, first["uuid"], "sh", "-c", "'echo hello > /fast/word'")
    assert said(own_service, second["uuid"], "cat", "/fast/word") == "hello\n"
    told = said(own_service, second["uuid"], "df", "-k", "/fast").split()
    assert "8192" in told, told
    gone(own_service, uuid)
    assert not list((own_service.state / "files").glob("*"))


def test_processes_are_shared_when_it_is_asked_for(own_service):
    uuid = pod(own_service, in_pod("a", "sleep", "1111"), in_pod("b", "sleep", "2222"), shareProcessNamespace=True)
    first = wait(own_service, uuid, "Running")["containers"][0]
    assert "sleep 2222" in said(own_service, first["uuid"], "ps")
    gone(own_service, uuid)


def test_a_pause_container_that_is_killed_comes_back_with_all_that_lived_in_it(own_service):
    uuid = capsule(own_service, one(), one())
    before = wait(own_service, uuid, "Running")
    http = DockerHttp(own_service.engine.socket, timeout=30)
    try:
        assert http.call("POST", f"/containers/zun-sandbox-{uuid}/kill").ok

        def healed() -> bool:
            pause = http.call("GET", f"/containers/zun-sandbox-{uuid}/json").data
            inside = [http.call("GET", f"/containers/zun-{each['uuid']}/json").data for each in before["containers"]]
            began = [each["State"]["StartedAt"] > pause["State"]["StartedAt"] for each in inside]
            return pause["State"]["Running"] and all(began) and all(each["State"]["Running"] for each in inside)

        eventually(healed, "the sandbox runs, and both containers were started in it")
    finally:
        http.close()
    wait(own_service, uuid, "Running")
    gone(own_service, uuid)


def test_a_failing_container_leaves_nothing_and_says_which_and_why(own_service):
    uuid = capsule(own_service, one(), one("/no/such/program"))
    shown = wait(own_service, uuid, "Error")
    assert "/no/such/program" in shown["status_reason"]
    assert shown["containers"][1]["name"] in shown["status_reason"]
    eventually(lambda: not own_service.objects(), "nothing is left in the engine")
    gone(own_service, uuid)


def test_a_kill_of_the_service_while_an_initialising_container_works_delays_nothing(own_service):
    uuid = capsule(own_service, one(), init=(one("sleep", "4"),))
    eventually(lambda: own_service.get(f"/capsules/{uuid}").json()["init_containers"][0]["status"] == "Running", "it works")
    own_service.kill()
    own_service.start()
    shown = wait(own_service, uuid, "Running")
    assert shown["init_containers"][0]["status"] == "Stopped"
    gone(own_service, uuid)


def test_a_container_joins_and_leaves(own_service):
    uuid = capsule(own_service, one())
    wait(own_service, uuid, "Running")
    body = own_service.post(f"/capsules/{uuid}/containers", version="1.41", json=one())
    assert body.status_code == 202, body.text
    joined = body.json()["uuid"]
    own_service.wait(joined, "Running")
    assert len(own_service.get(f"/capsules/{uuid}").json()["containers"]) == 2
    assert own_service.delete(f"/containers/{joined}", params={"force": "true"}).status_code == 409
    assert own_service.delete(f"/capsules/{uuid}/containers/{joined}", version="1.41").status_code in (202, 204)
    own_service.wait_gone(joined)
    assert wait(own_service, uuid, "Running")["containers"][0]["status"] == "Running"
    gone(own_service, uuid)
