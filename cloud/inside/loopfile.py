"""A Cinder driver whose volumes are sparse files behind loop devices, which every node of this kernel has in common.

A host attaches through os-brick's connector ``LOCAL`` and gets a block device that can be formatted and mounted. It is for this cloud
alone: on machines of their own, hosts do not see each other's loop devices.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cinder import interface
from cinder.image import image_utils
from cinder.volume import driver, volume_utils
from oslo_concurrency import lockutils, processutils
from oslo_config import cfg

_OPTIONS = [cfg.StrOpt("loopfile_folder", required=True, help="Where the volumes' files lie.")]
_GIB = 1024**3


@interface.volumedriver
class LoopFileDriver(driver.VolumeDriver):  # type: ignore[misc]
    """See the module. Methods are those of Cinder's own interface."""

    VERSION = "1.0"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.configuration.append_config_values(_OPTIONS)

    def do_setup(self, context: Any) -> None:
        """Make the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def check_for_setup_error(self) -> None:
        """Nothing else can be wrong."""

    def create_volume(self, volume: Any) -> None:
        """An empty file of its size, of which no byte is on the disk yet; with the file system that its type promises."""
        with self._file(volume).open("xb") as file:
            file.truncate(volume.size * _GIB)
        if kind := _promised(volume):
            _run(f"mkfs.{kind}", "-q", str(self._file(volume)))

    def delete_volume(self, volume: Any) -> None:
        """Gone already is as good."""
        self._detach(volume)
        self._file(volume).unlink(missing_ok=True)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """A host that has it attached sees the new size at once."""
        os.truncate(self._file(volume), new_size * _GIB)
        for device in self._devices(volume):
            _run("losetup", "--set-capacity", device)

    def create_snapshot(self, snapshot: Any) -> None:
        """A copy of the file."""
        _copy(self._file(snapshot.volume), self._file(snapshot))

    def delete_snapshot(self, snapshot: Any) -> None:
        """Gone already is as good."""
        self._file(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """A copy of the copy."""
        self._fill(volume, self._file(snapshot))

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """A copy of the file."""
        self._fill(volume, self._file(src_vref))

    def copy_image_to_volume(self, context: Any, volume: Any, image_service: Any, image_id: str, disable_sparse: bool = False) -> None:
        """Write the image over the volume."""
        image_utils.fetch_to_raw(context, image_service, image_id, str(self._file(volume)), "1M", size=volume.size)
        os.truncate(self._file(volume), volume.size * _GIB)

    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Mapping[str, Any]) -> None:
        """Give the file to Glance."""
        volume_utils.upload_volume(context, image_service, image_meta, str(self._file(volume)), volume)

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Nothing needs to be there before somebody attaches."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Nothing needs to be there before somebody attaches."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Whatever is left of attachments."""
        self._detach(volume)

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        """The block device, the same for every host."""
        with lockutils.lock(f"loopfile-{volume.id}"):
            devices = self._devices(volume) or [_run("losetup", "--find", "--show", str(self._file(volume))).strip()]
        return {"driver_volume_type": "local", "data": {"device_path": devices[0]}}

    def terminate_connection(self, volume: Any, connector: Any, **named: Any) -> None:
        """The device goes with the last attachment."""
        with lockutils.lock(f"loopfile-{volume.id}"):
            if len(volume.volume_attachment) <= 1:
                self._detach(volume)

    def _update_volume_stats(self) -> None:
        """What the scheduler asks for."""
        disk = shutil.disk_usage(self._folder)
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "Zun",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": disk.total // _GIB,
            "free_capacity_gb": disk.free // _GIB,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "max_over_subscription_ratio": "20",
            "provisioned_capacity_gb": 0,
            "reserved_percentage": 0,
            "multiattach": True,
        }

    @property
    def _folder(self) -> Path:
        return Path(self.configuration.loopfile_folder)

    def _file(self, of: Any) -> Path:
        return self._folder / str(of.name)

    def _fill(self, volume: Any, source: Path) -> None:
        _copy(source, self._file(volume))
        os.truncate(self._file(volume), volume.size * _GIB)

    def _devices(self, volume: Any) -> list[str]:
        return _run("losetup", "--noheadings", "--output", "NAME", "--associated", str(self._file(volume))).split()

    def _detach(self, volume: Any) -> None:
        for device in self._devices(volume):
            try:
                _run("losetup", "--detach", device)
            except processutils.ProcessExecutionError:
                # A deletion and the end of an attachment may come at once: it is gone, then.
                if device in self._devices(volume):
                    raise


def _promised(volume: Any) -> str | None:
    """The file system that volumes of this type come with. The name has a scope, so that the scheduler does not look for it in backends."""
    kind = volume.volume_type.extra_specs.get("files:filesystem") if volume.volume_type_id else None
    return str(kind) if kind else None


def _copy(source: Path, target: Path) -> None:
    _run("cp", "--sparse=always", str(source), str(target))


def _run(*command: str) -> str:
    return str(processutils.execute(*command)[0])
