"""A small Cinder in this process, and a host whose devices and mounts are only written down."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conformance.volumes import Ground
from zun.drivers.volume.attached import Attached
from zun.drivers.volume.cinder import CinderVolumes
from zun.drivers.volume.cloud import BEGUN, Attachment, Volume
from zun.drivers.volume.host import Filesystems

TOKEN = "a-users-token"


class FakeCinder:
    """Implements :class:`zun.drivers.volume.cloud.Cinder`. ``on_disk`` is what is written on each volume: a file system's kind,
    ``garbage``, or nothing."""

    def __init__(self) -> None:
        self.known: dict[str, Volume] = {}
        self.attached: dict[str, Attachment] = {}
        self.hosts: dict[str, str] = {}
        self.on_disk: dict[str, str] = {}
        self.files: dict[str, str] = {}
        #: calls that are refused or not answered, by name
        self.failing: dict[str, Exception] = {}
        #: how many GiB a project may have
        self.quota = 100
        #: what new volumes are at first
        self.first_status = "available"
        #: whether the type of new volumes is an encrypted one
        self.encrypting = False
        self._count = itertools.count(1)

    def add(self, project: str, **more: Any) -> Volume:
        """A volume of a user's."""
        made = Volume(
            **{"id": str(uuid.uuid4()), "name": f"mine-{next(self._count)}", "project_id": project, "status": "available", **more}
        )
        self.known[made.id] = made
        return made

    def _asked(self, call: str) -> None:
        if call in self.failing:
            raise self.failing[call]

    def volume(self, volume_id: str) -> Volume | None:
        self._asked("volume")
        return self.known.get(volume_id)

    def volumes(self, project_id: str, name: str) -> list[Volume]:
        self._asked("volumes")
        return [each for each in self.known.values() if (each.project_id, each.name) == (project_id, name)]

    def make_volume(self, body: Mapping[str, Any], project_id: str, token: str) -> Volume:
        self._asked("make_volume")
        assert token == TOKEN
        if body["size"] > self.quota:
            raise errors.NewVolumeForbidden(size=body["size"], reason="the quota is used up")
        return self.add(project_id, name=body["name"], metadata=dict(body["metadata"]), status=self.first_status, encrypted=self.encrypting)

    def delete_volume(self, volume_id: str) -> None:
        self._asked("delete_volume")
        volume = self.known.get(volume_id)
        if volume is not None and (volume.status != "available" or self.users(volume_id)):
            raise errors.VolumesRefused(reason=f"volume {volume_id} is {volume.status}")
        self.known.pop(volume_id, None)

    def mark(self, volume_id: str, name: str, value: str) -> None:
        self._asked("mark")
        self.known[volume_id] = replace(self.known[volume_id], metadata={**self.known[volume_id].metadata, name: value})

    def unmark(self, volume_id: str, name: str) -> None:
        self._asked("unmark")
        left = {key: value for key, value in self.known[volume_id].metadata.items() if key != name}
        self.known[volume_id] = replace(self.known[volume_id], metadata=left)

    def attachments(self, instance: str) -> list[Attachment]:
        self._asked("attachments")
        return [replace(each, connection={}) for each in self.attached.values() if each.instance == instance]

    def begun(self) -> list[Attachment]:
        self._asked("begun")
        return [replace(each, connection={}) for each in self.attached.values() if each.status in BEGUN]

    def attach(self, volume_id: str, instance: str, connector: Mapping[str, Any]) -> Attachment:
        self._asked("attach")
        volume = self.known[volume_id]
        if volume.status not in ("available", "in-use") or (self.users(volume_id) and not volume.multiattach):
            raise errors.VolumesRefused(reason=f"volume {volume_id} is {volume.status}")
        connection = {"device": f"/dev/{volume_id}"}
        made = Attachment(id=str(uuid.uuid4()), volume_id=volume_id, instance=instance, status="attaching", connection=connection)
        self.attached[made.id] = made
        self.hosts[made.id] = str(connector["host"])
        self.known[volume_id] = replace(volume, status="attaching" if volume.status == "available" else volume.status)
        return made

    def refresh(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        self._asked("refresh")
        return self.attached[attachment_id]

    def complete(self, attachment_id: str) -> None:
        self._asked("complete")
        self.attached[attachment_id] = replace(self.attached[attachment_id], status="attached")
        volume = self.known[self.attached[attachment_id].volume_id]
        self.known[volume.id] = replace(volume, status="in-use")

    def detach(self, attachment_id: str) -> None:
        self._asked("detach")
        gone = self.attached.pop(attachment_id, None)
        if gone is not None and not self.users(gone.volume_id):
            self.known[gone.volume_id] = replace(self.known[gone.volume_id], status="available")

    def users(self, volume_id: str) -> list[Attachment]:
        """Who has a volume."""
        return [each for each in self.attached.values() if each.volume_id == volume_id]


class FakeHost(Filesystems):
    """Implements :class:`zun.drivers.volume.host.Connector` and :class:`~zun.drivers.volume.host.Filesystems` for one host. A new life of
    the host (:meth:`reboot`) has neither devices nor mounts."""

    def __init__(self, cinder: FakeCinder, name: str) -> None:
        self.cinder = cinder
        self.name = name
        self.devices: set[str] = set()
        self.mounts: dict[str, tuple[str, bool]] = {}
        #: how often a file system was made on each volume
        self.formatted: list[str] = []
        self.broken: Exception | None = None

    def reboot(self) -> None:
        """Nothing but what is on disks is left."""
        self.devices.clear()
        self.mounts.clear()

    def properties(self) -> dict[str, Any]:
        return {"host": self.name}

    def connect(self, volume_id: str, connection: Mapping[str, Any]) -> str:
        assert connection["device"] == f"/dev/{volume_id}"
        self.devices.add(volume_id)
        return str(connection["device"])

    def disconnect(self, volume_id: str, connection: Mapping[str, Any]) -> None:
        assert volume_id not in [device for device, _ in self.mounts.values()], "a device that is mounted is taken away"
        self.devices.discard(volume_id)

    def kind(self, device: str) -> str | None:
        found = self.cinder.on_disk.get(self._there(device))
        return None if found == "garbage" else found

    def is_blank(self, device: str) -> bool:
        return self._there(device) not in self.cinder.on_disk

    def make(self, device: str, kind: str) -> None:
        if self.broken is not None:
            self.cinder.on_disk[self._there(device)] = "garbage"
            raise self.broken
        self.formatted.append(self._there(device))
        self.cinder.on_disk[self._there(device)] = kind
        self.cinder.files.pop(self._there(device), None)

    def is_mounted(self, place: Path) -> bool:
        return str(place) in self.mounts

    def mount(self, device: str, place: Path, kind: str, *, read_only: bool) -> None:
        assert place.is_dir() and self.cinder.on_disk[self._there(device)] == kind
        self.mounts[str(place)] = (self._there(device), read_only)

    def make_writable(self, place: Path) -> None:
        self.mounts[str(place)] = (self.mounts[str(place)][0], False)

    def unmount(self, place: Path) -> None:
        del self.mounts[str(place)]

    def _there(self, device: str) -> str:
        volume_id = device.removeprefix("/dev/")
        assert volume_id in self.devices
        return volume_id


class Cluster:
    """Hosts with one Cinder. A driver is a process: what it has in memory is lost with it."""

    def __init__(self, folder: Path) -> None:
        self.cinder = FakeCinder()
        self.folder = folder
        self.hosts: dict[str, FakeHost] = {}

    def host(self, name: str) -> FakeHost:
        """A host, which is there when it is asked for."""
        return self.hosts.setdefault(name, FakeHost(self.cinder, name))

    def driver(self, name: str) -> CinderVolumes:
        """A new driver on a host."""
        ticks = itertools.count()
        time = {"clock": lambda: float(next(ticks)), "sleep": lambda seconds: None}

        def attached() -> Attached:
            host, folder = self.host(name), self.folder / name / "mnt"
            folder.mkdir(parents=True, exist_ok=True)
            return Attached(self.cinder, host, host, folder, kind="ext4", timeout=5, **time)

        return CinderVolumes(self.cinder, attached, timeout=5, **time)

    def left(self) -> list[str]:
        """Whatever there is of attachments anywhere."""
        found = [each.id for each in self.cinder.attached.values()]
        for name, host in self.hosts.items():
            found += [*host.devices, *host.mounts, *(str(path) for path in (self.folder / name / "mnt").rglob("*.json"))]
        return found


class FakeGround(Ground):
    """The suite's ground, on the above."""

    project = "project"
    token = TOKEN

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def volume(self, *, content: str | None = None, multiattach: bool = False) -> str:
        made = self.cluster.cinder.add(self.project, multiattach=multiattach)
        if content == "garbage":
            self.cluster.cinder.on_disk[made.id] = "garbage"
        elif content is not None:
            self.cluster.cinder.on_disk[made.id] = "ext4"
            self.cluster.cinder.files[made.id] = content
        return made.id

    def content(self, volume: str) -> str | None:
        cinder = self.cluster.cinder
        return "garbage" if cinder.on_disk.get(volume) == "garbage" else cinder.files.get(volume)

    def has_file_system(self, volume: str) -> bool:
        return self.cluster.cinder.on_disk.get(volume) == "ext4"

    def status(self, volume: str) -> str | None:
        found = self.cluster.cinder.known.get(volume)
        return None if found is None else found.status

    def owners(self, volume: str) -> list[str]:
        return [each.instance for each in self.cluster.cinder.users(volume)]

    def left(self) -> list[str]:
        return self.cluster.left()
