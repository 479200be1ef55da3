"""Volumes of Cinder at the hosts of the cloud, without our service."""

from __future__ import annotations

import time
import uuid
from typing import Any

from cloud.nodes import Node
from cloud.world import World
from tests.cloud.machines import hand


class Attached:
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


def mounted(host: Node, device: str, script: str) -> str:
    """What a script says with the device mounted at its ``$0``."""
    point = f"/run/test-{uuid.uuid4()}"
    host.run("mkdir", point)
    host.run("mount", device, point)
    try:
        return host.run("sh", "-c", script, point)
    finally:
        host.run("umount", point)
        host.run("rmdir", point)
