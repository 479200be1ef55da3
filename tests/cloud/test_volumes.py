"""Volumes of Cinder, attached to hosts by os-brick."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloud.world import World
from tests.cloud.volumes import Attached, mounted


@pytest.fixture
def volume(demo: Any) -> Iterator[Any]:
    made = demo.block_storage.create_volume(size=1, name="test")
    yield demo.block_storage.wait_for_status(made, "available", interval=0.2)
    demo.block_storage.delete_volume(made)
    demo.block_storage.wait_for_delete(made, interval=0.2)


def test_what_one_host_writes_the_next_one_reads(cloud: World, admin: Any, volume: Any) -> None:
    first, second = cloud.hosts
    with Attached(cloud, admin, volume, first) as device:
        first.run("mkfs.ext4", "-q", device)
        mounted(first, device, "echo hello > $0/file")
        assert admin.block_storage.get_volume(volume.id).status == "in-use"
    with Attached(cloud, admin, volume, second) as device:
        assert mounted(second, device, "cat $0/file") == "hello\n"


def test_a_volume_that_nobody_has_is_behind_no_device(cloud: World, admin: Any, volume: Any) -> None:
    with Attached(cloud, admin, volume, cloud.hosts[0]):
        assert volume.id in cloud.controller.run("losetup", "--list")
    assert volume.id not in cloud.controller.run("losetup", "--list")


def test_a_host_sees_that_a_volume_has_grown(cloud: World, admin: Any, demo: Any, volume: Any) -> None:
    with Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        assert int(cloud.hosts[0].run("blockdev", "--getsize64", device)) == 1 << 30
    demo.block_storage.extend_volume(volume, 2)
    demo.block_storage.wait_for_status(demo.block_storage.get_volume(volume.id), "available", interval=0.2)
    with Attached(cloud, admin, volume, cloud.hosts[0]) as device:
        assert int(cloud.hosts[0].run("blockdev", "--getsize64", device)) == 2 << 30


def test_a_copy_of_a_snapshot_has_what_was_written_before(cloud: World, admin: Any, demo: Any, volume: Any) -> None:
    host = cloud.hosts[0]
    with Attached(cloud, admin, volume, host) as device:
        host.run("sh", "-c", f"printf before > {device}")
    snapshot = demo.block_storage.create_snapshot(volume_id=volume.id, name="test")
    demo.block_storage.wait_for_status(snapshot, "available", interval=0.2)
    copy = demo.block_storage.create_volume(size=1, snapshot_id=snapshot.id)
    try:
        demo.block_storage.wait_for_status(copy, "available", interval=0.2)
        with Attached(cloud, admin, copy, host) as device:
            assert host.run("head", "-c", "6", device) == "before"
    finally:
        for made, delete in ((copy, demo.block_storage.delete_volume), (snapshot, demo.block_storage.delete_snapshot)):
            delete(made)
            demo.block_storage.wait_for_delete(made, interval=0.2)
