"""The way from this host to the storage, by os-brick, for whatever kind of storage Cinder has."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zun import errors

LOG = logging.getLogger(__name__)

#: What may run a program as root for us, where we are not: os-brick knows it by its configuration, and has no other use for the word.
_HELPER = "sudo"

#: An address that is nobody's: nothing is sent there, the kernel only says from where it would be.
_ELSEWHERE = ("192.0.2.1", 9)


class Brick:
    """Implements :class:`zun.drivers.volume.host.Connector`. Safe for several threads."""

    def __init__(self, host: str, address: str | None, *, multipath: bool) -> None:
        """``host`` is the name by which Cinder knows this host, ``address`` the one by which the storage does."""
        self._host = host
        self._address = address
        self._multipath = multipath
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}

    def properties(self) -> dict[str, Any]:
        """See the Protocol. They are looked up once: it takes a dozen commands."""
        from os_brick.initiator import connector

        with self._lock, _trying(self._host):
            if not self._known:
                address = self._address or own_address()
                self._known = dict(connector.get_connector_properties(_HELPER, address, self._multipath, False, host=self._host))
            return dict(self._known)

    def connect(self, volume_id: str, connection: Mapping[str, Any]) -> str:
        """See the Protocol."""
        with _trying(volume_id):
            device = str(self._connector(connection).connect_volume(dict(connection))["path"])
            if not stat.S_ISBLK(Path(device).stat().st_mode):
                raise errors.VolumeFailed(id=volume_id, reason="its storage gives hosts no block device.")
            return os.path.realpath(device)

    def disconnect(self, volume_id: str, connection: Mapping[str, Any]) -> None:
        """See the Protocol."""
        with _trying(volume_id):
            self._connector(connection).disconnect_volume(dict(connection), None)

    def _connector(self, connection: Mapping[str, Any]) -> Any:
        from os_brick.initiator import connector

        protocol = str(connection.get("driver_volume_type") or "?")
        # A volume of Ceph is to be a device, too, and not a file of a library.
        return connector.InitiatorConnector.factory(
            protocol, _HELPER, use_multipath=self._multipath, conn=dict(connection), do_local_attach=True
        )


def prepare(conf: Any, folder: Path) -> None:
    """Have os-brick keep its locks in a folder, with the options of our section ``[os_brick]``, and ask nobody for rights that this
    process has. It reads a global configuration, and no other."""
    from os_brick import opts, privileged, setup
    from oslo_concurrency import lockutils
    from oslo_config import cfg

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lockutils.set_defaults(str(folder))
    setup(cfg.CONF)
    for group, options in opts.list_opts():
        conf.register_opts(options, group)
        for option in options:
            if conf[group][option.dest] is not None:
                cfg.CONF.set_override(option.dest, conf[group][option.dest], group)
    if os.geteuid() == 0:
        # Who may do everything needs no helper that may.
        for context in (privileged.default, privileged.brick_privsep_hide_output):
            context.set_client_mode(False)


def own_address() -> str:
    """The address by which this host reaches others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(_ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(asked.getsockname()[0])


@contextlib.contextmanager
def _trying(volume_id: str) -> Iterator[None]:
    try:
        yield
    except errors.ZunError:
        raise
    except Exception as error:
        # What os-brick and its libraries raise has no root of its own. It may have said how the storage is reached: that is for the log.
        LOG.warning("volume %s: %s", volume_id, error, exc_info=True)
        raise errors.VolumeFailed(id=volume_id, reason=f"it cannot be reached from this host ({type(error).__name__}).") from error
