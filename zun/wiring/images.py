"""Which image drivers there are."""

from __future__ import annotations

import time
from pathlib import Path

from oslo_config import cfg

from zun.conf import glance
from zun.domain.container import GLANCE, REGISTRIES
from zun.drivers.image.cloud import Glance
from zun.drivers.image.registry import RegistryImages
from zun.interfaces.images import Images
from zun.interfaces.runtime import Runtime
from zun.wiring.later import later

_GIB = 1 << 30


def drivers(conf: cfg.ConfigOpts, runtime: Runtime) -> dict[str, Images]:
    """Those of ``image_driver_list``, by name; Glance's only where the section ``[glance]`` says how it is reached. Nobody is asked yet.

    Raises ValueError for a name that none has, and for a section by which nobody can be reached.
    """
    listed = conf.image_driver_list
    unknown = sorted(set(listed) - {REGISTRIES, GLANCE})
    if unknown:
        raise ValueError(f"image_driver_list: there is no image driver '{unknown[0]}'")
    found: dict[str, Images] = {REGISTRIES: RegistryImages(runtime)} if REGISTRIES in listed else {}
    if GLANCE in listed and _is_told_of(conf):
        found[GLANCE] = _glance(conf, runtime)
    return found


def _is_told_of(conf: cfg.ConfigOpts) -> bool:
    """Whether there is a section that says how Glance is reached. Raises ImportError where what reaches it is not installed."""
    # keystoneauth is not for whoever has no such section.
    if glance.GROUP not in conf.list_all_sections():
        return False
    glance.register(conf)
    return conf.glance.auth_type is not None or conf.glance.auth_section is not None


def _glance(conf: cfg.ConfigOpts, runtime: Runtime) -> Images:
    # Not for whoever has no Glance. The first one sees to it that what is imported after it runs on threads.
    import zun.rpc.threads  # noqa: F401, I001
    from keystoneauth1 import exceptions, loading

    from zun.drivers.image.glance import UNDER, GlanceImages
    from zun.drivers.image.shelf import Shelf

    try:
        auth = loading.load_auth_from_conf_options(conf, glance.GROUP)
        session = loading.load_session_from_conf_options(conf, glance.GROUP, auth=auth)
    except exceptions.ClientException as error:
        raise ValueError(f"[glance]: {error}") from error
    most = conf.glance.image_cache_max_size * _GIB
    shelf = Shelf(runtime, UNDER, Path(conf.state_path) / "glance", most=most, clock=time.time)

    def connected() -> Glance:
        from zun.drivers.image import sdk

        return sdk.SdkGlance(sdk.connection(session, conf))

    return GlanceImages(later(connected), runtime, shelf, largest=conf.glance.image_max_size * _GIB)
