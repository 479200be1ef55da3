"""Which volume drivers go where."""

from __future__ import annotations

from pathlib import Path

from oslo_config import cfg

from zun.conf import cinder
from zun.drivers.volume import local, shared
from zun.drivers.volume.cloud import Cinder
from zun.drivers.volume.local import LocalVolumes
from zun.drivers.volume.several import SeveralVolumes
from zun.interfaces.volumes import Volumes
from zun.wiring.later import later

_NO_LOCAL = "this deployment has no files and directories of hosts ([volume] driver_list)."


def driver(conf: cfg.ConfigOpts) -> Volumes:
    """The drivers of ``[volume] driver_list``, as one. Nothing is asked of anybody yet.

    Raises ValueError for a section ``[cinder]`` by which nobody can be reached.
    """
    found: dict[str, Volumes] = {}
    if "local" in conf.volume.driver_list:
        found["bind"] = found["empty"] = LocalVolumes(Path(conf.state_path) / "files")
    if "cinder" in conf.volume.driver_list:
        found["volume"] = found["cinder"] = _cinder(conf)
    why = {"volume": local.WHY, "cinder": shared.WHY_CINDER, "bind": _NO_LOCAL, "empty": _NO_LOCAL}
    return SeveralVolumes(found, why)


def _cinder(conf: cfg.ConfigOpts) -> Volumes:
    # Not for whoever has no Cinder. The first one sees to it that what is imported after it runs on threads.
    import zun.rpc.threads  # noqa: F401, I001
    from keystoneauth1 import exceptions, loading, service_token

    from zun.drivers.volume.attached import Attached
    from zun.drivers.volume.cinder import CinderVolumes

    cinder.register(conf)
    try:
        auth = loading.load_auth_from_conf_options(conf, cinder.GROUP)
        if auth is None:
            raise ValueError("[cinder] auth_type must be set where [volume] driver_list has cinder")
        # Every call says that a service makes it: only so may an attachment go of which Nova knows nothing.
        wrapped = service_token.ServiceTokenAuthWrapper(user_auth=auth, service_auth=auth)
        session = loading.load_session_from_conf_options(conf, cinder.GROUP, auth=wrapped)
    except exceptions.ClientException as error:
        raise ValueError(f"[cinder]: {error}") from error

    def connected() -> Cinder:
        from zun.drivers.volume import sdk

        return sdk.SdkCinder(sdk.connection(session, conf))

    known = later(connected)

    def attached() -> Attached:
        # Not for whoever is no host.
        from zun.drivers.volume import brick
        from zun.drivers.volume.filesystems import HostFilesystems

        options = conf.volume
        brick.prepare(conf, Path(conf.state_path) / "locks")
        connector = brick.Brick(conf.host, options.my_block_storage_ip, multipath=options.use_multipath)
        folder = Path(options.volume_dir)
        return Attached(known, connector, HostFilesystems(), folder, kind=options.fstype, timeout=options.timeout)

    return CinderVolumes(known, attached, timeout=conf.volume.timeout)
