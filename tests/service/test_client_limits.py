"""Limits, rebuilds and health checks by the official client, unmodified, on a real engine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.service.aio import Aio, eventually


@pytest.fixture
def made(service):
    """Makes running containers; returns their uuids."""
    uuids = []

    def make(*command, **fields):
        uuids.append(service.create(*command, **fields))
        service.wait(uuids[-1], "Running")
        return uuids[-1]

    yield make
    for uuid in uuids:
        service.delete(f"/containers/{uuid}", params={"force": True})
        service.wait_gone(uuid)


def cgroup(service, uuid, *names):
    """What the kernel holds it to: the first of these files of its control group that is there."""
    lines = Path(f"/proc/{service.inspect(uuid)['State']['Pid']}/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for root in (f"/sys/fs/cgroup/{controllers}", "/sys/fs/cgroup"):
            for name in names:
                file = Path(root + path) / name
                if file.exists():
                    return file.read_text().strip()
    return pytest.fail(f"none of {names} is there")


MEMORY = ("memory.max", "memory.limit_in_bytes")


@pytest.mark.embedded("a process of a node has another number here")
def test_set_changes_what_the_kernel_holds_it_to_while_it_runs(openstack, service, made):
    uuid = made()
    began = service.inspect(uuid)["State"]["StartedAt"]
    assert cgroup(service, uuid, *MEMORY) == str(32 << 20)
    openstack("set", "--cpu", "0.5", "--memory", "64", uuid)
    assert cgroup(service, uuid, *MEMORY) == str(64 << 20)
    assert service.inspect(uuid)["HostConfig"]["CpuShares"] == 512
    assert service.inspect(uuid)["State"]["StartedAt"] == began


@pytest.mark.embedded("it wants a service with settings of its own")
def test_a_resize_that_no_host_has_room_for_is_a_conflict_and_changes_nothing(engine, tmp_path):
    service = Aio(tmp_path, engine, "ram_allocation_ratio = 0.1\ncpu_allocation_ratio = 0.1\n[quota]\ncpu = -1\n")
    try:
        service.start()
        uuid = service.create()
        service.wait(uuid, "Running")
        more = {"memory": int(service.get("/hosts").json()["hosts"][0]["mem_total"] * 0.1) + 1}
        if more["memory"] > 8192:
            more = {"cpu": 16}  # nothing that may be asked for fills so large a host with memory
        for answer in (
            service.request("PATCH", f"/containers/{uuid}", json=more),
            service.post(f"/containers/{uuid}/resize_container", json=more),
        ):
            assert answer.status_code == 409, answer.text
            assert answer.json()["errors"][0]["code"] == "container.insufficient-capacity"
        assert service.show(uuid)["memory"] == "32"
    finally:
        service.clean()


@pytest.mark.embedded("a process of a node has another number here")
def test_limits_that_the_engine_refuses_are_given_back_in_the_row_and_in_the_kernel(service, made):
    uuid = made(memory=128)
    held = service.get("/hosts").json()["hosts"][0]["mem_used"]
    # no Docker takes less than 6 MiB, whatever the kernel
    answer = service.request("PATCH", f"/containers/{uuid}", json={"memory": 4, "cpu": 0.5})
    assert answer.status_code == 409, answer.text
    assert "keeps its limits" in answer.json()["errors"][0]["detail"]
    assert service.post(f"/containers/{uuid}/resize_container", json={"memory": 4, "cpu": 0.5}).status_code == 202
    eventually(lambda: resizes(service, uuid)[:1] == ["Error"], "it is told to have failed")
    shown = service.wait(uuid, "Running")
    assert (shown["memory"], shown["cpu"]) == ("128", 0.1)
    assert cgroup(service, uuid, *MEMORY) == str(128 << 20)
    assert service.get("/hosts").json()["hosts"][0]["mem_used"] == held


def resizes(service, uuid):
    """How what was to resize it has ended, the newest first."""
    rows = service.get(f"/containers/{uuid}/container_actions", version="1.41").json()["containerActions"]
    return [row["message"] for row in rows if row["action"] == "resize_container" and row["finish_time"]]


@pytest.mark.embedded("a process of a node has another number here")
def test_memory_that_is_in_use_cannot_be_taken_away(service, made):
    uuid = made("sh", "-c", "dd if=/dev/zero of=/dev/shm/big bs=1M count=40 && sleep 1000", memory=128)
    eventually(lambda: int(cgroup(service, uuid, "memory.current", "memory.usage_in_bytes")) > 40 << 20)
    answer = service.request("PATCH", f"/containers/{uuid}", json={"memory": 8})
    if answer.status_code == 200:
        pytest.skip("this kernel takes memory away from what uses it (control groups of version 2)")
    assert answer.status_code == 409, answer.text
    assert "keeps its limits" in answer.json()["errors"][0]["detail"]
    assert service.show(uuid)["memory"] == "128"
    eventually(lambda: cgroup(service, uuid, *MEMORY) == str(128 << 20))


def test_rebuild_waits_until_it_is_done(openstack, service, made):
    uuid = made()
    before = service.inspect(uuid)["Id"]
    openstack("rebuild", "--image", "busybox:latest", "--image-driver", "docker", "--wait", uuid)
    after = service.wait(uuid, "Running")
    assert (after["image"], after["status_reason"]) == ("busybox:latest", None)
    assert service.inspect(uuid)["Id"] != before


def test_a_rebuild_that_fails_gives_the_old_container_back(service, made):
    uuid = made()
    before = service.inspect(uuid)["Id"]
    assert service.post(f"/containers/{uuid}/rebuild", params={"image": "127.0.0.1:9/no/such"}).status_code == 202
    kept = service.wait(uuid, "Running", "Error")
    assert (kept["status"], kept["image"]) == ("Running", "busybox")
    assert "127.0.0.1:9" in kept["status_reason"]
    assert service.inspect(uuid)["Id"] == before
    assert service.get(f"/containers/{uuid}/container_actions").json()["containerActions"][0]["message"] == "Error"


def test_a_health_check_is_run_and_its_word_is_shown(openstack, service):
    check = "cmd=test -e /ready,interval=1,retries=1,timeout=5"
    openstack("run", "--name", "checked", "--cpu", "0.1", "--memory", "32", "--healthcheck", check, "busybox", "sleep", "1000")
    try:
        service.wait("checked", "Running")
        eventually(lambda: service.show("checked")["status_detail"].endswith("(unhealthy)"))
        openstack("exec", "checked", "touch", "/ready")
        eventually(lambda: service.show("checked")["status_detail"].endswith("(healthy)"))
        assert service.get("/containers/checked", version="1.41").json()["health"] == "healthy"
        assert "health" not in service.show("checked"), "it is new in 1.41"
    finally:
        service.delete("/containers/checked", params={"force": True})
        service.wait_gone("checked")


def test_one_container_cannot_take_all_processes_or_fill_the_disk_with_its_log(service, made):
    host = service.inspect(made())["HostConfig"]
    assert host["PidsLimit"] == 4096
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "100m", "max-file": "2"}}


@pytest.mark.embedded("it wants a service with settings of its own")
def test_of_two_hundred_creations_at_once_a_quota_of_ten_lets_ten_through(engine, tmp_path):
    service = Aio(tmp_path, engine, "[quota]\ncontainers = 10\n")
    try:
        service.start()
        body = {"image": "busybox", "command": ["true"], "cpu": 0.1, "memory": 4}
        with ThreadPoolExecutor(200) as clients:
            answers = list(clients.map(lambda _: service.post("/containers", json=body).status_code, range(200)))
        assert (answers.count(202), answers.count(403)) == (10, 190)
        assert len(service.get("/containers").json()["containers"]) == 10
    finally:
        service.clean()
