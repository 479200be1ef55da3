"""Volumes of Cinder, attached to hosts by os-brick."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from cloud.nodes import Node
from cloud.world import World
from tests.cloud.machines import hand


@pytest.fixture
def volume(demo: Any) -> Iterator[Any]:
    made = demo.block_storage.create_volume(size=1, name="test")
    yield demo.block_storage.wait_for_status(made, "available", interval=0.2)
    demo.block_storage.delete_volume(made)
    demo.block_storage.wait_for_delete(made, interval=0.2)


def test_what_one_host_writes_the_next_one_reads(cloud: World, admin: Any, volume: Any) -> None:
    first, second = cloud.hosts
    with _Attached(cloud, admin, volume, first) as device:
        first.run("mkfs.ext4", "-q", device)
        _mounted(first, device, "echo hello > $0/file")
        assert admin.block_storage.get_volume(volume.id).status == "in-use"
    with _Attached(cloud, admin, volume, second) as device:
        assert _mounted(second, device, "cat $0/file") == "hello\n"


def test_a_volume_that_nobody_has_is_behind_no_device(cloud: World, admin: Any, volume: Any) -> None:
    with _Attached(cloud, admin, volume, cloud.hosts[0]):
        assert volume.id in cloud.controller.run("losetup", "--list")
    assert volume.id not in cloud.controller.run("losetup", "--list")


def test_a_host_sees_that_a_volume_has_grown(cloud: World, admin: Any, demo: Any, volume: Any) -> None:
    with _Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        assert int(cloud.hosts[0].run("blockdev", "--getsize64", device)) == 1 << 30
    demo.block_storage.extend_volume(volume, 2)
    demo.block_storage.wait_for_status(demo.block_storage.get_volume(volume.id), "available", interval=0.2)
    with _Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        assert int(cloud.hosts[0].run("blockdev", "--getsize64", device)) == 2 << 30


def test_a_copy_of_a_snapshot_has_what_was_written_before(cloud: World, admin: Any, demo: Any, volume: Any) -> None:
    host = cloud.hosts[0]
    with _Attached(cloud, admin, volume, host) as device:
        host.run("sh", "-c", f"printf before > {device}")
    snapshot = demo.block_storage.create_snapshot(volume_id=volume.id, name="test")
    demo.block_storage.wait_for_status(snapshot, "available", interval=0.2)
    copy = demo.block_storage.create_volume(size=1, snapshot_id=snapshot.id)
    try:
        demo.block_storage.wait_for_status(copy, "available", interval=0.2)
        with _Attached(cloud, admin, copy, host) as device:
            assert host.run("head", "-c", "6", device) == "before"
    finally:
        for made, delete in ((copy, demo.block_storage.delete_volume), (snapshot, demo.block_storage.delete_snapshot)):
            delete(made)
            demo.block_storage.wait_for_delete(made, interval=0.2)


class _Attached:
    """A volume at a host, by an attachment of Cinder's; the path of its device."""

    def __init__(self, cloud: World, admin: Any, volume: Any, host: Node) -> None:
        self._cloud, self._admin, self._volume, self._host = cloud, admin, volume, host
        self._attachment: Any = None
        self._connection: Any = None

    def __enter__(self) -> str:
        cinder = self._admin.block_storage
        owner = str(uuid.uuid4())
        # openstacksdk's own method asks for an instance; containers are none, so that Cinder need not ask Nova.
        connector = {"host": self._host.name, "ip": self._host.address, "os_type": "linux", "platform": "x86_64", "multipath": False}
        body = {"attachment": {"volume_uuid": self._volume.id, "instance_uuid": owner, "connector": connector, "mode": "rw"}}
        answer = cinder.post("/attachments", json=body, microversion="3.54")
        assert answer.ok, answer.text
        self._attachment = answer.json()["attachment"]
        self._connection = self._attachment["connection_info"]
        told = {"driver_volume_type": self._connection["driver_volume_type"], "data": self._connection}
        device = str(hand(self._cloud, self._host, "attach", told))
        assert cinder.post(f"/attachments/{self._attachment['id']}/action", json={"os-complete": {}}, microversion="3.54").ok
        return device

    def __exit__(self, *_: object) -> None:
        told = {"driver_volume_type": self._connection["driver_volume_type"], "data": self._connection}
        hand(self._cloud, self._host, "detach", told)
        token = self._service_token()
        deleted = self._admin.block_storage.delete(
            f"/attachments/{self._attachment['id']}", microversion="3.54", headers={"X-Service-Token": token}
        )
        assert deleted.ok, deleted.text
        until = time.monotonic() + 60
        while self._admin.block_storage.get_volume(self._volume.id).status != "available":
            assert time.monotonic() < until
            time.sleep(0.2)

    def _service_token(self) -> str:
        """Who shows that a service asks, need not show that Nova agrees."""
        from keystoneauth1 import session
        from keystoneauth1.identity import v3

        return str(session.Session(v3.Password(**self._cloud.account("zun"))).get_token())


def _mounted(host: Node, device: str, script: str) -> str:
    """What a script says with the device mounted at its ``$0``."""
    point = f"/run/test-{uuid.uuid4()}"
    host.run("mkdir", point)
    host.run("mount", device, point)
    try:
        return host.run("sh", "-c", script, point)
    finally:
        host.run("umount", point)
        host.run("rmdir", point)
