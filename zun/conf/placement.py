"""How Placement is reached and kept in line with the database.

The options by which keystoneauth reaches it (auth_type, auth_url, username, ...) are in the same section, and its own: they are known
where the driver is used.
"""

from __future__ import annotations

from oslo_config import cfg

GROUP = "placement"
OPTS = [
    cfg.IntOpt(
        "reconcile_interval",
        default=300,
        min=1,
        help="Seconds between two comparisons of all allocations of this service with its containers. Usually each is right at once; this "
        "finds what a crash, or somebody else, has left. What two comparisons in a row find wrong is put right.",
    ),
    cfg.IntOpt(
        "patience",
        default=300,
        min=0,
        help="Seconds that a new container waits for a Placement that does not answer, since its creation was accepted. After that it is "
        "in Error.",
    ),
]

#: Seconds that one call of Placement may take, unless the operator says otherwise.
_PATIENCE = 10


def register(conf: cfg.ConfigOpts) -> None:
    """Have keystoneauth's options too. Raises ImportError where it is not installed (the extra ``openstack``)."""
    from keystoneauth1 import loading

    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP)
    conf.set_default("timeout", _PATIENCE, group=GROUP)
    conf.set_default("service_type", "placement", group=GROUP)
