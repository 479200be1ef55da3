"""Cores of one's own on a real engine: what the kernel says of every process, whatever becomes of the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import Dockerd, absent
from tests.service.aio import Aio, eventually
from tests.service.official import run
from tests.service.people import with_users
from tests.service.test_contract import WRITTEN, hold
from zun.compute import cores
from zun.domain import cpuset
from zun.drivers.runtime.docker_http import DockerHttp

ALLOWED = "grep Cpus_allowed_list /proc/self/status"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "bounded"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "web",
                "image": "busybox",
                "args": ["sleep", "1000"],
                "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "500m"}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def own() -> int:
    """The core that is given away: the last one."""
    return online()[-1]


def online() -> list[int]:
    found = cores.read(None, None).online
    if len(found) < 2:
        absent("this machine has one core")
    return found


@pytest.fixture(scope="module")
def cloud(engine: Dockerd, own: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aio]:
    yield from with_users(engine, tmp_path_factory.mktemp("cores"), f"cpu_dedicated_set = {own}\n")


@pytest.fixture
def made(cloud: Aio) -> Iterator[Any]:
    """Makes containers; answers them once they run."""
    uuids: list[str] = []

    def make(*command: str, **fields: Any) -> str:
        uuids.append(cloud.create(*command, **fields))
        cloud.wait(uuids[-1], "Running")
        return uuids[-1]

    yield make
    for uuid in uuids:
        cloud.delete(f"/containers/{uuid}", params={"force": True})
        cloud.wait_gone(uuid)


def engine_object(cloud: Aio, uuid: str) -> dict[str, Any]:
    line = next(one for one in cloud.objects() if one["Labels"].get("org.openstack.zun.container") == uuid)
    http = DockerHttp(cloud.engine.socket, timeout=30)
    try:
        return dict(http.call("GET", f"/containers/{line['Id']}/json").data)
    finally:
        http.close()


def allowed(cloud: Aio, uuid: str) -> list[int]:
    """The cores that the container's process 1 may run on, as the host's kernel says."""
    status = Path(f"/proc/{engine_object(cloud, uuid)['State']['Pid']}/status").read_text()
    return cpuset.parse(next(line for line in status.splitlines() if line.startswith("Cpus_allowed_list")).partition(":")[2])


def told(cloud: Aio, uuid: str, command: str = ALLOWED) -> str:
    answer = cloud.post(f"/containers/{uuid}/execute", params={"command": command, "run": True})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["output"])


@pytest.mark.parametrize("section", [one for one in WRITTEN if "needs" in one and "core" in one["needs"]], ids=lambda one: one["section"])
def test_the_contract(cloud: Aio, section: dict[str, Any]) -> None:
    hold(cloud, section)


def test_nobody_else_is_on_a_core_of_ones_own(cloud: Aio, made: Any, own: int) -> None:
    shared_before, alone, shared = made(), made(cpu=1, cpu_policy="dedicated"), made()
    rest = [core for core in online() if core != own]
    assert told(cloud, alone) == f"Cpus_allowed_list:\t{own}\n"
    assert told(cloud, shared) == told(cloud, shared_before) == f"Cpus_allowed_list:\t{cpuset.text(rest)}\n"
    assert [allowed(cloud, uuid) for uuid in (alone, shared, shared_before)] == [[own], rest, rest]
    (host,) = cloud.get("/hosts").json()["hosts"]
    assert host["cpu_used"] == pytest.approx(1.2)
    assert engine_object(cloud, alone)["HostConfig"]["CpusetCpus"] == str(own)


def test_stop_start_and_rebuild_keep_the_core(cloud: Aio, made: Any, own: int) -> None:
    uuid = made(cpu=1, cpu_policy="dedicated")
    for verb in ("reboot", "rebuild"):
        assert cloud.post(f"/containers/{uuid}/{verb}").status_code == 202
        cloud.wait(uuid, "Running")
        assert allowed(cloud, uuid) == [own]


def test_the_official_client_asks_by_a_hint(cloud: Aio, own: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(cloud.clouds))
    words = (
        "appcontainer",
        "run",
        "--name",
        "own",
        "--cpu",
        "1",
        "--memory",
        "32",
        "--hint",
        "cpu_policy=dedicated",
        "busybox",
        "sleep",
        "99",
    )
    code, out, err = run("--os-container-api-version", "1", *words)
    try:
        assert code == 0, out + err
        assert "| cpu_policy        | dedicated" in out
        assert allowed(cloud, cloud.wait("own", "Running")["uuid"]) == [own]
    finally:
        cloud.delete("/containers/own", params={"force": True})
        cloud.wait_gone("own")


def test_a_pod_s_limit_of_cpu_is_a_ceiling_on_the_cores_that_are_for_all(cloud: Aio, own: int) -> None:
    answer = cloud.post("/capsules", json={"template": POD}, version="1.41")
    assert answer.status_code == 202, answer.text
    uuid = answer.json()["uuid"]
    try:
        capsule = eventually(lambda: (found := cloud.get(f"/capsules/{uuid}").json())["status"] == "Running" and found)
        (member,) = capsule["containers"]
        assert own not in allowed(cloud, member["uuid"])
        shown = told(cloud, member["uuid"], "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        assert "50000" in shown
        settings = engine_object(cloud, member["uuid"])["HostConfig"]
        assert (settings["CpuQuota"], settings["CpuPeriod"], settings["CpuShares"]) == (50_000, 100_000, 102)
    finally:
        cloud.delete(f"/capsules/{uuid}")
        eventually(lambda: cloud.get(f"/capsules/{uuid}").status_code == 404)


def test_what_the_operator_decides_anew_restarts_nothing(engine: Dockerd, tmp_path: Path, own: int) -> None:
    service = Aio(tmp_path, engine)
    plain = service.config.read_text()
    rest = [core for core in online() if core != own]
    try:
        service.start()
        shared = service.create()
        service.wait(shared, "Running")
        capsule = service.post("/capsules", json={"template": POD}, version="1.41").json()["uuid"]
        (member,) = eventually(lambda: (found := service.get(f"/capsules/{capsule}").json())["status"] == "Running" and found)["containers"]
        plain_ones = [shared, member["uuid"]]
        assert [allowed(service, uuid) for uuid in plain_ones] == [online()] * 2
        began = {uuid: engine_object(service, uuid)["State"]["StartedAt"] for uuid in plain_ones}

        # Cores are given away from now on: who has none of his own moves away from them.
        service.stop()
        service.config.write_text(f"{plain}cpu_dedicated_set = {own}\n")
        service.start()
        eventually(lambda: [allowed(service, uuid) for uuid in plain_ones] == [rest] * 2)
        alone = service.create(cpu=1, cpu_policy="dedicated")
        service.wait(alone, "Running")
        began[alone] = engine_object(service, alone)["State"]["StartedAt"]

        # And no more: who has some keeps them, and it is logged.
        service.stop()
        service.config.write_text(plain)
        service.start()
        eventually(lambda: [allowed(service, uuid) for uuid in plain_ones] == [online()] * 2)
        assert allowed(service, alone) == [own]
        assert f"keeps the cores {own}, which [compute] cpu_dedicated_set does not name any more" in service.log.read_text()
        assert {uuid: engine_object(service, uuid)["State"]["StartedAt"] for uuid in began} == began
        refused = service.post("/containers", json={"image": "busybox", "cpu": 1, "cpu_policy": "dedicated"})
        assert refused.status_code == 400
        assert "no compute host has cores to give away" in refused.json()["errors"][0]["detail"]
    finally:
        service.clean()
