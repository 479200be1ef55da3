"""How Glance is reached, and what of its images there may be on a host.

The options by which keystoneauth reaches it (auth_type, auth_url, username, ...) are in the same section, and its own: they are known
where the driver is used. Without ``auth_type`` there is no Glance.
"""

from __future__ import annotations

from oslo_config import cfg

GROUP = "glance"
OPTS = [
    cfg.IntOpt(
        "image_max_size",
        default=20,
        min=1,
        help="The most GiB of an image: of its archive with all that is compressed in it, when it is fetched and when one is made.",
    ),
    cfg.IntOpt(
        "image_cache_max_size",
        default=50,
        min=0,
        help="The most GiB of Glance's images that the engine of this host keeps; 0 is no limit. Before another one comes, those go that "
        "nobody has asked for longest; what a container is made of stays, and what was asked for in the last ten minutes.",
    ),
    cfg.IntOpt(
        "reconcile_interval",
        default=300,
        min=1,
        help="Seconds between two rounds in which a conductor looks whether Glance has made an image of a container after that was given "
        "up, and takes it away: one without data. A round asks one question for each image that was deleted in the last quarter of an "
        "hour.",
    ),
]

#: Seconds that Glance may be silent, unless the operator says otherwise.
_PATIENCE = 30


def register(conf: cfg.ConfigOpts) -> None:
    """Have keystoneauth's options too. Raises ImportError where it is not installed (the extra ``openstack``)."""
    from keystoneauth1 import loading

    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP)
    conf.set_default("timeout", _PATIENCE, group=GROUP)
