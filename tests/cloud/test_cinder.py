"""Containers of our service with volumes of Cinder's. What a user keeps on a volume is never written over."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloud import daemons
from cloud.services import cinder
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.volumes import Attached, mounted

CODES = "errors"
SLEEP = ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]


@pytest.fixture(scope="module")
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo, "1.41")


@pytest.fixture(scope="module")
def operator(cloud: World, admin: Any) -> Zun:
    return Zun(cloud, admin, "1.41")


@pytest.fixture(scope="module")
def net(admin: Any) -> Iterator[Any]:
    """Where the containers of an operator are, who says on which host."""
    made = admin.network.create_network(name=f"operators-{uuid.uuid4()}")
    admin.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.30.0.0/24", is_dhcp_enabled=False)
    yield made
    assert soon(lambda: admin.network.delete_network(made), None) is None


@contextmanager
def _volume(connection: Any, **more: Any) -> Iterator[Any]:
    storage = connection.block_storage
    made = storage.create_volume(size=1, name=f"mine-{uuid.uuid4()}", **more)
    yield storage.wait_for_status(made, "available", interval=0.2)
    assert soon(lambda: storage.get_volume(made.id).status, "available") == "available"
    storage.delete_volume(made)
    storage.wait_for_delete(made, interval=0.2)


@pytest.fixture
def volume(demo: Any) -> Iterator[Any]:
    """One of the user's, as Cinder has made it."""
    with _volume(demo) as made:
        yield made


@pytest.fixture
def kept(cloud: World, admin: Any, volume: Any) -> Any:
    """One of the user's on which he keeps something."""
    with Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        cloud.hosts[0].run("mkfs.ext4", "-q", device)
        mounted(cloud.hosts[0], device, "echo precious > $0/file")
    return volume


@pytest.fixture
def left(cloud: World, admin: Any) -> Callable[[], list[str]]:
    """What there is of containers' volumes anywhere, of those that came after the test began."""

    def count() -> list[str]:
        found = [each["id"] for each in _attachments(admin)]
        found += [each.id for each in admin.block_storage.volumes(details=True, all_projects=True) if each.name.startswith("zun-")]
        for host in cloud.hosts:
            found += [line.split()[1] for line in host.run("cat", "/proc/mounts").splitlines() if "/zun/mnt/" in line]
            folder = f"{host.folder}/zun/mnt"
            found += host.run("sh", "-c", f"find {folder} -name '*.json' 2>/dev/null || true").split()
        return found

    before = count()
    return lambda: [each for each in count() if each not in before]


def _beginning(cloud: World, device: str) -> str:
    """What stands on the first MiB, where any file system would begin."""
    return cloud.hosts[0].run("sh", "-c", f"head -c 1048576 {device} | sha256sum")


def _attachments(admin: Any, **where: str) -> list[dict[str, Any]]:
    answer = admin.block_storage.get("/attachments", params={"all_tenants": "1", **where}, microversion="3.44")
    found: list[dict[str, Any]] = answer.json()["attachments"]
    return found


def soon(ask: Callable[[], Any], wanted: Any, seconds: float = 45) -> Any:
    """What is answered, once it is what is wanted or the time is over."""
    until = time.monotonic() + seconds
    while (heard := ask()) != wanted and time.monotonic() < until:
        time.sleep(0.2)
    return heard


def test_a_new_volume_is_its_users_and_goes_with_the_container(zun: Zun, demo: Any, left: Callable[[], list[str]]) -> None:
    with zun.running(mounts=[{"size": 1, "destination": "/data"}]) as one:
        (made,) = [each for each in demo.block_storage.volumes(details=True) if one["uuid"] in each.name]
        assert (made.status, [each["server_id"] for each in made.attachments]) == ("in-use", [one["uuid"]])
        assert " ext4 " in zun.run(one["uuid"], "df -T /data")
        zun.run(one["uuid"], "sh -c 'echo hello > /data/file'")
        zun.change(one["uuid"], "stop", timeout="1")
        zun.change(one["uuid"], "start")
        assert zun.run(one["uuid"], "cat /data/file") == "hello\n"
        zun.change(one["uuid"], "rebuild")
        assert zun.run(one["uuid"], "cat /data/file") == "hello\n"
    assert [each.id for each in demo.block_storage.volumes() if each.id == made.id] == []
    assert left() == []


def test_what_a_user_keeps_on_a_volume_is_there_before_and_after(
    cloud: World, admin: Any, zun: Zun, demo: Any, kept: Any, left: Callable[[], list[str]]
) -> None:
    with zun.running(mounts=[{"source": kept.name, "destination": "/data"}]) as one:
        assert zun.run(one["uuid"], "cat /data/file") == "precious\n"
        zun.run(one["uuid"], "sh -c 'echo more > /data/other'")
        again = zun.create(mounts=[{"source": kept.id, "destination": "/data"}])
        assert (again.status_code, again.json()[CODES][0]["code"]) == (400, "container.volume-not-usable")
    assert demo.block_storage.get_volume(kept.id).status == "available"
    with Attached(cloud, admin, kept, cloud.hosts[1]) as device:
        assert mounted(cloud.hosts[1], device, "cat $0/file $0/other") == "precious\nmore\n"
    assert left() == []


@pytest.mark.parametrize("content", ["nothing", "something"])
def test_a_volume_that_we_have_not_made_is_never_formatted(
    cloud: World, admin: Any, zun: Zun, volume: Any, content: str, left: Callable[[], list[str]]
) -> None:
    """Blank, or with what no mount understands: it is its user's."""
    with Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        if content == "something":
            cloud.hosts[0].run("sh", "-c", f"printf precious | dd of={device} bs=1 seek=5000 conv=notrunc,fsync 2>/dev/null")
        before = _beginning(cloud, device)
    made = zun.create(mounts=[{"source": volume.id, "destination": "/data"}]).json()
    shown = zun.settle(made["uuid"])
    assert shown["status"] == "Error"
    assert f"Volume {volume.id}: it has no file system" in shown["status_reason"]
    zun.delete(made["uuid"])
    assert left() == []
    with Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        assert _beginning(cloud, device) == before


def test_what_is_mounted_to_be_read_is_not_written(zun: Zun, kept: Any) -> None:
    with zun.running(mounts=[{"source": kept.id, "destination": "/data", "read_only": True}]) as one:
        assert zun.run(one["uuid"], "cat /data/file") == "precious\n"
        assert "Read-only" in zun.run(one["uuid"], "sh -c 'echo more > /data/file 2>&1'")


def test_several_containers_share_what_may_be_attached_several_times(
    cloud: World, admin: Any, operator: Zun, net: Any, left: Callable[[], list[str]]
) -> None:
    """On one host, which mounts it once."""
    with _volume(admin, volume_type="shared") as shared:
        with Attached(cloud, admin, shared, cloud.hosts[0]) as device:
            cloud.hosts[0].run("mkfs.ext4", "-q", device)
        asked = {"mounts": [{"source": shared.id, "destination": "/data"}], "host": "host-a", "nets": [{"network": net.id}]}
        with operator.running(**asked) as one:
            with operator.running(**asked) as other:
                operator.run(one["uuid"], "sh -c 'echo hello > /data/file'")
                assert operator.run(other["uuid"], "cat /data/file") == "hello\n"
                assert {each["instance"] for each in _attachments(admin, volume_id=shared.id)} == {one["uuid"], other["uuid"]}
            assert operator.run(one["uuid"], "cat /data/file") == "hello\n"
    assert left() == []


@pytest.mark.parametrize(
    ("mount", "status", "code"),
    [
        ({"source": "no-such"}, 404, "volume-not-found"),
        ({"source": str(uuid.uuid4())}, 404, "volume-not-found"),
    ],
)
def test_what_cannot_be_had_is_refused_and_makes_nothing(
    zun: Zun, mount: dict[str, Any], status: int, code: str, left: Callable[[], list[str]]
) -> None:
    answer = zun.create(mounts=[{**mount, "destination": "/data"}])
    assert (answer.status_code, answer.json()[CODES][0]["code"]) == (status, f"container.{code}")
    assert left() == []


def test_the_users_own_quota_of_volumes_holds(zun: Zun, admin: Any, demo: Any, left: Callable[[], list[str]]) -> None:
    project = demo.current_project_id
    before = admin.block_storage.get_quota_set(project).volumes
    admin.block_storage.update_quota_set(project, volumes=0)
    try:
        answer = zun.create(mounts=[{"size": 1, "destination": "/data"}])
        assert (answer.status_code, answer.json()[CODES][0]["code"]) == (403, "container.new-volume-forbidden")
        assert "quota" in answer.json()[CODES][0]["detail"]
    finally:
        admin.block_storage.update_quota_set(project, volumes=before)
    assert left() == []


def test_a_volume_that_cinder_cannot_make_is_the_containers_reason(zun: Zun, left: Callable[[], list[str]]) -> None:
    """There is no storage that has so much room."""
    made = zun.create(mounts=[{"size": 1_000_000, "destination": "/data"}]).json()["uuid"]
    shown = zun.settle(made)
    assert (shown["status"], "Cinder could not make it" in shown["status_reason"]) == ("Error", True)
    zun.delete(made)
    assert soon(left, []) == []


def test_another_projects_volume_cannot_be_used(operator: Zun, volume: Any) -> None:
    answer = operator.create(mounts=[{"source": volume.id, "destination": "/data"}])
    assert (answer.status_code, answer.json()[CODES][0]["code"]) == (400, "container.volume-not-usable")


def test_a_volume_of_what_is_refused_afterwards_is_undone(operator: Zun, net: Any, left: Callable[[], list[str]]) -> None:
    """That there is no such host is seen when the volume is being made already."""
    answer = operator.create(mounts=[{"size": 1, "destination": "/data"}], host="no-such", nets=[{"network": net.id}])
    assert answer.status_code == 404
    assert soon(left, []) == []


def test_a_capsules_containers_share_volumes(zun: Zun, demo: Any, kept: Any, left: Callable[[], list[str]]) -> None:
    places = [{"name": "kept", "mountPath": "/kept", "readOnly": True}, {"name": "new", "mountPath": "/new"}]
    entry = {"image": "busybox", "command": SLEEP, "volumeMounts": places}
    volumes = [{"name": "kept", "cinder": {"volumeID": kept.id}}, {"name": "new", "cinder": {"size": 1, "autoRemove": True}}]
    template = {"kind": "capsule", "metadata": {"name": "sharing"}, "spec": {"containers": [entry, entry], "volumes": volumes}}
    answer = zun.call("POST", "/capsules", json={"template": template})
    assert answer.status_code == 202, answer.text
    made = answer.json()["uuid"]
    shown = lambda: zun.call("GET", f"/capsules/{made}").json()  # noqa: E731
    assert soon(lambda: shown()["status"], "Running") == "Running"
    one, other = (each["uuid"] for each in shown()["containers"])
    assert zun.run(one, "cat /kept/file") == "precious\n"
    assert "Read-only" in zun.run(one, "sh -c 'echo more > /kept/file 2>&1'")
    zun.run(one, "sh -c 'echo hello > /new/file'")
    assert zun.run(other, "cat /new/file") == "hello\n"
    (found,) = demo.block_storage.get_volume(kept.id).attachments
    assert found["server_id"] == made
    zun.call("DELETE", f"/capsules/{made}")
    assert soon(lambda: zun.call("GET", f"/capsules/{made}").status_code, 404) == 404
    assert left() == []


@pytest.mark.whole
def test_what_a_container_of_a_dead_host_has_is_given_back(
    cloud: World, admin: Any, operator: Zun, net: Any, left: Callable[[], list[str]]
) -> None:
    """Deleted by force, it is gone at once; its host takes off what is left there when it returns."""
    host = cloud.node("host-b")
    with _volume(admin) as mine:
        with Attached(cloud, admin, mine, host) as device:
            host.run("mkfs.ext4", "-q", device)
        mounts = [{"source": mine.id, "destination": "/mine"}, {"size": 1, "destination": "/new"}]
        made = operator.create(mounts=mounts, host="host-b", nets=[{"network": net.id}]).json()["uuid"]
        assert operator.settle(made)["status"] == "Running"
        daemons.stop(host, "zun-compute", 0)
        query = {"binary": "zun-compute", "host": "host-b"}
        try:
            operator.call("PUT", "/services/force_down", params={**query, "forced_down": "true"})
            assert len(list(admin.network.ports(device_id=made))) == 1
            assert operator.call("DELETE", f"/containers/{made}", params={"force": "true"}).status_code == 204
            assert soon(lambda: operator.call("GET", f"/containers/{made}").status_code, 404) == 404
            assert soon(lambda: admin.block_storage.get_volume(mine.id).status, "available") == "available"
            assert soon(lambda: _attachments(admin, instance_id=made), []) == []
            assert soon(lambda: list(admin.network.ports(device_id=made)), []) == []
            assert soon(lambda: [each for each in admin.block_storage.volumes() if made in each.name], [], 90) == []
        finally:
            operator.call("PUT", "/services/force_down", params={**query, "forced_down": "false"})
            service.start_compute(cloud, host)
        assert soon(left, []) == []


@pytest.mark.whole
def test_what_a_forced_deletion_could_not_detach_is_given_back_when_its_host_is_down(
    cloud: World, operator: Zun, admin: Any, net: Any, left: Callable[[], list[str]]
) -> None:
    host, query = cloud.node("host-b"), {"binary": "zun-compute", "host": "host-b"}
    service.start_compute(cloud, host, {"compute": {"engine_wait": 1}})
    made = operator.create(mounts=[{"size": 1, "destination": "/new"}], host="host-b", nets=[{"network": net.id}]).json()["uuid"]
    try:
        assert operator.settle(made)["status"] == "Running"
        daemons.stop(cloud.controller, "cinder", 0)
        assert operator.call("DELETE", f"/containers/{made}", params={"force": "true"}).status_code == 204
        assert soon(lambda: operator.call("GET", f"/containers/{made}").status_code, 404) == 404
        daemons.stop(host, "zun-compute", 0)
        cinder.start(cloud)
        assert [each["status"] for each in _attachments(admin, instance_id=made)] == ["attached"]
        operator.call("PUT", "/services/force_down", params={**query, "forced_down": "true"})
        assert soon(lambda: _attachments(admin, instance_id=made), []) == []
        assert soon(lambda: [each for each in admin.block_storage.volumes() if made in each.name], [], 90) == []
    finally:
        cinder.start(cloud)
        operator.call("PUT", "/services/force_down", params={**query, "forced_down": "false"})
        service.start_compute(cloud, host)
    assert soon(left, []) == []


@pytest.mark.whole
def test_a_volume_that_was_lost_under_a_stopped_host_is_put_back(cloud: World, operator: Zun, net: Any) -> None:
    host = cloud.node("host-a")
    with operator.running(mounts=[{"size": 1, "destination": "/data"}], host="host-a", nets=[{"network": net.id}]) as one:
        operator.run(one["uuid"], "sh -c 'echo hello > /data/file'")
        operator.change(one["uuid"], "stop", timeout="1")
        (place,) = [line.split()[1] for line in host.run("cat", "/proc/mounts").splitlines() if "/zun/mnt/" in line]
        daemons.stop(host, "zun-compute", 0)
        host.run("umount", place)
        service.start_compute(cloud, host)
        operator.change(one["uuid"], "start")
        assert operator.run(one["uuid"], "cat /data/file") == "hello\n"


@pytest.mark.whole
def test_while_cinder_is_away_nothing_is_accepted_and_nothing_lost(
    cloud: World, zun: Zun, kept: Any, left: Callable[[], list[str]]
) -> None:
    mounts = [{"source": kept.id, "destination": "/data"}]
    made = zun.create(mounts=mounts).json()["uuid"]
    assert zun.settle(made)["status"] == "Running"
    daemons.stop(cloud.controller, "cinder", 0)
    try:
        assert zun.create(mounts=mounts).status_code == 503
        zun.change(made, "stop", timeout="1")
        zun.change(made, "start")
        assert zun.run(made, "cat /data/file") == "precious\n"
        zun.call("DELETE", f"/containers/{made}", params={"stop": "true"})
    finally:
        cinder.start(cloud)
    zun.delete(made)
    assert left() == []


def test_the_official_client_mounts_a_volume(cloud: World, zun: Zun, kept: Any) -> None:
    client = str(Path(__file__).parents[2] / ".venv/bin/openstack")
    variables = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml), "OS_CLOUD": "demo"}
    words = ["appcontainer", "run", "--name", "mounting", "--mount", f"source={kept.name},destination=/data", "busybox", *SLEEP]
    done = subprocess.run([client, *words], capture_output=True, text=True, env=variables, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    made = zun.call("GET", "/containers/mounting").json()["uuid"]
    try:
        assert zun.settle(made)["status"] == "Running"
        assert zun.run(made, "cat /data/file") == "precious\n"
    finally:
        zun.delete(made)
