"""The volumes that a host has: attached by Cinder, connected by os-brick, mounted once however many use them here.

A file system is made on a volume in one case only: the service has made the volume, and it is blank (:meth:`Attached._file_system`). A
making that was broken off is begun anew as long as the volume has never been mounted.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from zun import errors
from zun.drivers.volume.cloud import COMING, Cinder, Volume
from zun.drivers.volume.host import Connector, Filesystems
from zun.drivers.volume.records import Record, Records

LOG = logging.getLogger(__name__)

#: Seconds between two looks at a volume that is to be ready, or gone.
LOOK_EVERY = 0.2

#: What the kernel is given to mount: a file system is a program's input that its user may have written byte for byte.
MOUNTABLE = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs"})

#: In a volume's metadata, from before a file system is made on it until before it is mounted for the first time: for whom.
FORMATTING = "zun_formatting"

_CLOSED, _RECORDS = 0o700, ".records"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that somebody is to have. ``made``: the service has made it for him; ``unused``: he has never run, so that nothing of his
    can be on it."""

    volume_id: str
    made: bool = False
    unused: bool = False
    read_only: bool = False


class Attached:
    """The volumes of this host. Safe for several threads: each volume is one thread's matter at a time."""

    def __init__(
        self,
        cinder: Cinder,
        connector: Connector,
        filesystems: Filesystems,
        folder: Path,
        *,
        kind: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``kind`` is the file system of new volumes; ``timeout`` seconds Cinder may take to make one."""
        self._cinder = cinder
        self._connector = connector
        self._filesystems = filesystems
        self._folder = folder
        self._records = Records(folder / _RECORDS)
        self._kind = kind
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._locks: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def attach(self, owner: str, wanted: Wanted) -> Path:
        """Have the volume mounted for an owner; where it is, Cinder is not asked. Returns where. Raises VolumeFailed."""
        place = self._place(wanted.volume_id)
        with self._alone(wanted.volume_id), self._trying(wanted.volume_id):
            record = self._records.read(wanted.volume_id, owner) or Record(volume_id=wanted.volume_id, owner=owner)
            mounted = self._filesystems.is_mounted(place)
            if not (record.complete and mounted):
                self._records.write(record)
                record, volume = self._reachable(record)
                if not mounted:
                    self._mount(record, wanted, volume, place)
                self._cinder.complete(str(record.attachment))
                self._records.write(replace(record, complete=True))
            if mounted and not wanted.read_only:
                self._filesystems.make_writable(place)
        return place

    def detach(self, owner: str) -> None:
        """Take all that an owner has off this host, and give it back. Raises VolumeFailed."""
        with self._trying("?"):
            records = self._records.of(owner)
        for record in records:
            with self._alone(record.volume_id), self._trying(record.volume_id):
                self._take_off(record)
        # With what was attached for him and never came so far.
        self.release(owner)
        for record in records:
            with self._trying(record.volume_id):
                self._records.forget(record)

    def release(self, owner: str) -> None:
        """Give back whatever Cinder says that an owner has."""
        for attachment in self._cinder.attachments(owner):
            self._cinder.detach(attachment.id)

    def owners(self) -> list[str]:
        """Who has volumes here. Raises VolumeFailed."""
        with self._trying("?"):
            return sorted({record.owner for record in self._records.all()})

    # -- how -------------------------------------------------------------------------------------

    def _reachable(self, record: Record) -> tuple[Record, Volume]:
        """Attached for its owner, with how it is reached; and the volume."""
        volume = self._ready(record.volume_id)
        known = [each.id for each in self._cinder.attachments(record.owner) if each.volume_id == volume.id]
        connector = {**self._connector.properties(), "mode": "ro" if volume.read_only else "rw"}
        if record.attachment in known:
            # It may be reached by another way since this host was last alive.
            attachment = self._cinder.refresh(str(record.attachment), connector)
        else:
            for forgotten in known:
                self._cinder.detach(forgotten)
            attachment = self._cinder.attach(volume.id, record.owner, connector)
        record = replace(record, attachment=attachment.id, connection=attachment.connection, complete=False)
        self._records.write(record)
        return record, volume

    def _ready(self, volume_id: str) -> Volume:
        until = self._clock() + self._timeout
        while True:
            volume = self._cinder.volume(volume_id)
            if volume is None:
                raise errors.VolumeFailed(id=volume_id, reason="it is gone.")
            if volume.status == "error":
                raise errors.VolumeFailed(id=volume_id, reason="Cinder could not make it: it is in error there.")
            if volume.encrypted:
                # By its type, maybe the default one: without its keys all would be written as it is.
                raise errors.VolumeFailed(id=volume_id, reason="it is encrypted, and this deployment has no keys of volumes.")
            if volume.status not in COMING:
                return volume
            if self._clock() > until:
                raise errors.VolumeFailed(id=volume_id, reason=f"it is still {volume.status} after {round(self._timeout)} s.")
            self._sleep(LOOK_EVERY)

    def _mount(self, record: Record, wanted: Wanted, volume: Volume, place: Path) -> None:
        device = self._connector.connect(record.volume_id, record.connection or {})
        # Its user can write that, too: only as long as he has nothing there is it believed.
        begun = wanted.made and wanted.unused and volume.metadata.get(FORMATTING) == record.owner
        kind, begun = self._file_system(record, wanted, device, begun=begun)
        if begun:
            # Before anything can be written there that is not to be lost.
            self._cinder.unmark(record.volume_id, FORMATTING)
        self._folder.chmod(_CLOSED)
        place.mkdir(exist_ok=True)
        self._filesystems.mount(device, place, kind, read_only=volume.read_only or wanted.read_only)

    def _file_system(self, record: Record, wanted: Wanted, device: str, *, begun: bool) -> tuple[str, bool]:
        """The kind of file system that is on the device, and whether Cinder has a mark of its making. One is made only where the service
        has made the volume, and it is blank, or was when the making of one was begun (``begun``) that has not come so far as to have a
        signature; whatever else cannot be mounted is its user's, and is left as it is. Raises VolumeFailed."""
        # This host knows of a making that its last life has not ended: what is there looks whole, perhaps, and is not.
        broken = wanted.made and wanted.unused and record.formatting
        kind = None if broken else self._filesystems.kind(device)
        if broken or (kind is None and wanted.made and (begun or self._filesystems.is_blank(device))):
            # Where another host is to go on, it does not see what this one has written down.
            self._cinder.mark(record.volume_id, FORMATTING, record.owner)
            self._records.write(replace(record, formatting=True))
            self._filesystems.make(device, self._kind)
            self._records.write(replace(record, formatting=False))
            return self._kind, True
        if kind is None and wanted.made:
            raise errors.VolumeFailed(id=record.volume_id, reason="it was made for this container, and is not blank: it is left as it is.")
        if kind is None:
            why = "it has no file system. Only volumes that are made with a container get one by themselves: make one on it first."
            raise errors.VolumeFailed(id=record.volume_id, reason=why)
        if kind not in MOUNTABLE:
            raise errors.VolumeFailed(id=record.volume_id, reason=f"what is on it ({kind}) is none of {', '.join(sorted(MOUNTABLE))}.")
        return kind, begun

    def _take_off(self, record: Record) -> None:
        """Off this host, unless another owner uses it here."""
        others = [each for each in self._records.of_volume(record.volume_id) if each.owner != record.owner and each.connection is not None]
        if not others:
            place = self._place(record.volume_id)
            if self._filesystems.is_mounted(place):
                self._filesystems.unmount(place)
            if place.is_dir():
                place.rmdir()
            if record.connection is not None:
                self._connector.disconnect(record.volume_id, record.connection)
        self._records.write(replace(record, connection=None, complete=False))

    def _place(self, volume_id: str) -> Path:
        return self._folder / volume_id

    @contextlib.contextmanager
    def _alone(self, volume_id: str) -> Iterator[None]:
        with self._lock:
            # Kept for as long as somebody holds it, or waits for it.
            lock = self._locks.get(volume_id) or threading.Lock()
            self._locks[volume_id] = lock
        with lock:
            yield

    @staticmethod
    @contextlib.contextmanager
    def _trying(volume_id: str) -> Iterator[None]:
        try:
            yield
        except (OSError, msgspec.MsgspecError) as error:
            LOG.warning("volume %s: %s", volume_id, error)
            raise errors.VolumeFailed(id=volume_id, reason=f"{error}") from error
