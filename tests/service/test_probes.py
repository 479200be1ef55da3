"""Probes of Pods on a real engine: what is asked, of whom, and what becomes of who answers badly."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.service.aio import Aio, eventually
from tests.service.test_capsules import create, delete, execute, in_engine, show
from zun.drivers.runtime.docker_http import DockerHttp

#: answers requests for what is in its folder
PREPARED = ["sh", "-c", "mkdir -p /www; touch /www/up; exec httpd -f -p 8080 -h /www"]
#: ends at once when it is asked to
WAITS = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]
OFTEN = {"periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": 10}
SMALL = {"requests": {"cpu": "100m", "memory": "32Mi"}}


def pod(command: list[str], policy: str = "Always", **container: Any) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 8080}]
    web = {"name": "web", "image": "busybox", "command": command, "resources": SMALL, "ports": ports, **container}
    spec = {"restartPolicy": policy, "terminationGracePeriodSeconds": 1, "containers": [web]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": spec}


@pytest.fixture
def aio(service: Aio) -> Iterator[Aio]:
    """The service; every capsule of the test is gone after it, and left nothing."""
    yield service
    remove_all(service)


def remove_all(aio: Aio) -> None:
    uuids = [row["uuid"] for row in aio.get("/capsules").json()["capsules"]]
    for uuid in uuids:
        delete(aio, uuid)
    for uuid in uuids:
        eventually(lambda uuid=uuid: not in_engine(aio, uuid), f"nothing of {uuid} is left in the engine")


def web(aio: Aio, uuid: str) -> dict[str, Any]:
    """The Pod's container, as of 1.41."""
    return dict(aio.get(f"/capsules/{uuid}", version="1.41").json()["containers"][0])


def becomes(aio: Aio, uuid: str, **expected: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.clear()
        seen.update(web(aio, uuid))
        return all(seen[name] == value for name, value in expected.items())

    eventually(there, f"{expected}; last seen {seen}")
    return seen


def restarts(aio: Aio, uuid: str) -> int:
    """As the events of its container count them."""
    events = aio.get("/events", version="1.41", params={"limit": 1000, "capsule": uuid}).json()["events"]
    return max((event["restart_count"] for event in events if event["sandbox_uuid"] == uuid), default=0)


def ended_by(aio: Aio, uuid: str) -> set[str]:
    """The reasons that the events of its container tell."""
    events = aio.get("/events", version="1.41", params={"limit": 1000, "capsule": uuid}).json()["events"]
    return {event["reason"] for event in events if event["sandbox_uuid"] == uuid and event["reason"]}


def started_at(aio: Aio, uuid: str) -> str:
    """When the engine has started the Pod's container, in its own words."""
    (found,) = [found for found in in_engine(aio, uuid) if "org.openstack.zun.container" in found["Labels"]]
    http = DockerHttp(aio.engine.socket, timeout=30)
    try:
        return str(http.call("GET", f"/containers/{found['Id']}/json").data["State"]["StartedAt"])
    finally:
        http.close()


def test_a_server_that_answers_badly_is_started_again_and_says_why(aio: Aio) -> None:
    uuid = create(aio, pod(PREPARED, livenessProbe={"httpGet": {"port": "http", "path": "/up"}, **OFTEN}), at="1.40")
    seen = becomes(aio, uuid, status="Running", health="healthy")
    assert seen["status_detail"].endswith("(healthy)")
    assert (seen["ready"], restarts(aio, uuid), seen["status_reason"]) == (None, 0, None)
    first = started_at(aio, uuid)
    execute(aio, seen["uuid"], "rm /www/up")
    eventually(lambda: restarts(aio, uuid) >= 1, "it is started again")
    seen = becomes(aio, uuid, status="Running", health="healthy")
    assert seen["status_reason"] == "Restarted: Liveness probe failed: HTTP status 404"
    assert started_at(aio, uuid) > first
    assert "Killing: Liveness probe failed: HTTP status 404" in ended_by(aio, uuid)


def test_a_server_that_goes_is_missed_by_a_connection(aio: Aio) -> None:
    command = ["sh", "-c", "mkdir -p /www; httpd -p 8080 -h /www; trap 'exit 0' TERM; sleep 1000 & wait"]
    uuid = create(aio, pod(command, livenessProbe={"tcpSocket": {"port": 8080}, **OFTEN}))
    seen = becomes(aio, uuid, status="Running", health="healthy")
    execute(aio, seen["uuid"], "killall httpd")
    eventually(lambda: restarts(aio, uuid) >= 1, "it is started again")
    assert becomes(aio, uuid, status="Running", health="healthy")["status_reason"] == (
        "Restarted: Liveness probe failed: Connection refused"
    )


def test_a_command_that_fails_ends_the_container_and_its_output_is_told(aio: Aio) -> None:
    command = ["sh", "-c", "touch /tmp/up; trap 'exit 0' TERM; sleep 1000 & wait"]
    check = ["sh", "-c", "cat /tmp/up || exit 3"]
    uuid = create(aio, pod(command, "OnFailure", livenessProbe={"exec": {"command": check}, **OFTEN}))
    seen = becomes(aio, uuid, status="Running", health="healthy")
    execute(aio, seen["uuid"], "rm /tmp/up")
    eventually(lambda: restarts(aio, uuid) >= 1, "it is started again, though it ended with 0")
    assert becomes(aio, uuid, status="Running", health="healthy")["status_reason"] == (
        "Restarted: Liveness probe failed: the command ended with 3: cat: can't open '/tmp/up': No such file or directory"
    )


def test_a_command_that_hangs_is_a_failure_and_leaves_no_process_behind(aio: Aio) -> None:
    hangs = {"exec": {"command": ["sleep", "4321"]}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 3}
    uuid = create(aio, pod(WAITS, readinessProbe=hangs))
    seen = becomes(aio, uuid, status="Running", status_reason="Unhealthy: Readiness probe failed: the command did not end within 1 s")
    assert len([line for line in execute(aio, seen["uuid"], "ps").splitlines() if "sleep 4321" in line]) <= 1, "the one that is asked now"


def test_what_is_never_restarted_stays_ended_and_is_asked_no_more(aio: Aio) -> None:
    uuid = create(aio, pod(WAITS, "Never", livenessProbe={"exec": {"command": ["false"]}, **OFTEN}))
    seen = becomes(aio, uuid, status="Stopped")
    assert seen["status_reason"] == "Killed: Liveness probe failed: the command ended with 1"
    assert show(aio, uuid)["status_reason"] == seen["status_reason"]
    assert (seen["health"], restarts(aio, uuid)) == (None, 0)


def test_readiness_is_shown_of_the_container_and_of_the_capsule(aio: Aio) -> None:
    uuid = create(aio, pod(WAITS, readinessProbe={"exec": {"command": ["test", "-e", "/tmp/ready"]}, **OFTEN}))
    seen = becomes(aio, uuid, status="Running", ready=False)
    assert show(aio, uuid).get("ready") is None, "it is new in 1.41"
    assert "ready" not in aio.get(f"/containers/{seen['uuid']}").json()
    assert aio.get(f"/capsules/{uuid}", version="1.41").json()["ready"] is False
    execute(aio, seen["uuid"], "touch /tmp/ready")
    becomes(aio, uuid, ready=True, status_reason=None)
    assert aio.get(f"/capsules/{uuid}", version="1.41").json()["ready"] is True
    assert aio.get(f"/containers/{seen['uuid']}", version="1.41").json()["ready"] is True
    execute(aio, seen["uuid"], "rm /tmp/ready")
    becomes(aio, uuid, status="Running", ready=False, status_reason="Unhealthy: Readiness probe failed: the command ended with 1")
    assert restarts(aio, uuid) == 0


def test_a_container_that_takes_long_to_start_is_asked_nothing_else_meanwhile(aio: Aio) -> None:
    start = {"exec": {"command": ["test", "-e", "/tmp/started"]}, "periodSeconds": 1, "failureThreshold": 100, "timeoutSeconds": 10}
    live = {"exec": {"command": ["sh", "-c", "echo asked >> /tmp/log"]}, **OFTEN}
    uuid = create(aio, pod(WAITS, startupProbe=start, livenessProbe=live))
    seen = becomes(aio, uuid, status="Running", health="starting", ready=False)
    assert "(health: starting)" in seen["status_detail"]
    eventually(lambda: len(in_engine(aio, uuid)) == 2)
    assert "No such file" in execute(aio, seen["uuid"], "cat /tmp/log")
    execute(aio, seen["uuid"], "touch /tmp/started")
    becomes(aio, uuid, health="healthy", ready=True)
    assert "asked" in execute(aio, seen["uuid"], "cat /tmp/log")


def test_what_listens_on_the_host_is_not_asked(aio: Aio) -> None:
    """The API itself listens on the host's loopback: a probe with that host and port asks the capsule's own."""
    uuid = create(aio, pod(WAITS, readinessProbe={"httpGet": {"port": aio.port, "host": "127.0.0.1", "path": "/healthcheck"}, **OFTEN}))
    becomes(aio, uuid, status="Running", ready=False, status_reason="Unhealthy: Readiness probe failed: Connection refused")


def test_the_next_life_of_the_service_asks_on_and_disturbs_nobody(own_service: Aio) -> None:
    aio = own_service
    start = {"exec": {"command": ["test", "-e", "/tmp/first"]}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 10}
    command = [
        "sh",
        "-c",
        "[ -e /tmp/once ] || touch /tmp/first; touch /tmp/once; mkdir -p /www; touch /www/up; exec httpd -f -p 8080 -h /www",
    ]
    probes = {"startupProbe": start, "livenessProbe": {"httpGet": {"port": 8080, "path": "/up"}, **OFTEN}}
    uuid = create(aio, pod(command, readinessProbe={"tcpSocket": {"port": 8080}, **OFTEN}, **probes))
    seen = becomes(aio, uuid, status="Running", health="healthy", ready=True)
    first = started_at(aio, uuid)
    execute(aio, seen["uuid"], "rm /tmp/first")
    aio.kill()
    aio.start()
    seen = becomes(aio, uuid, status="Running", health="healthy", ready=True)
    assert (started_at(aio, uuid), restarts(aio, uuid)) == (first, 0), "its startup probe, which would fail, is not asked again"
    execute(aio, seen["uuid"], "sh -c 'touch /tmp/first; rm /tmp/once /www/up'")
    eventually(lambda: restarts(aio, uuid) >= 1, "and what fails from now on is seen")
    becomes(aio, uuid, status="Running", health="healthy", ready=True)
    remove_all(aio)


def test_a_stopped_container_is_asked_nothing(aio: Aio) -> None:
    uuid = create(aio, pod(WAITS, livenessProbe={"exec": {"command": ["true"]}, **OFTEN}))
    seen = becomes(aio, uuid, status="Running", health="healthy")
    assert questions(aio, uuid, 4)
    assert aio.post(f"/containers/{seen['uuid']}/stop", params={"timeout": 5}).status_code == 202
    becomes(aio, uuid, status="Stopped", health=None)
    assert not questions(aio, uuid, 4)
    assert restarts(aio, uuid) == 0


def questions(aio: Aio, uuid: str, seconds: int) -> int:
    """How many commands the engine runs in the Pod's container from now on until so many seconds have passed."""
    filters = json.dumps({"event": ["exec_start"], "label": [f"org.openstack.zun.sandbox={uuid}"]})
    now = time.time()
    http = DockerHttp(aio.engine.socket, timeout=30)
    try:
        query = {"since": f"{now:.3f}", "until": f"{now + seconds:.3f}", "filters": filters}
        with http.stream("GET", "/events", query=query) as stream:
            return len(list(stream.lines()))
    finally:
        http.close()
