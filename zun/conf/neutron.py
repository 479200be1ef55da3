"""How Neutron is reached and what becomes of its ports on a host.

The options by which keystoneauth reaches it (auth_type, auth_url, username, ...) are in the same section, and its own: they are known
where the driver is used.
"""

from __future__ import annotations

from oslo_config import cfg

GROUP = "neutron"
OPTS = [
    cfg.FloatOpt(
        "vif_plugging_timeout",
        default=300.0,
        min=1.0,
        help="Seconds that a port may take to become active once it is plugged, as with Nova's option of this name: Neutron's agents may "
        "have to find back to their broker first. After that its container is in Error, and nothing is left.",
    ),
    cfg.IntOpt(
        "max_parallel_changes",
        default=2,
        min=1,
        help="How many ports a host has Neutron make, change or delete at a time; others wait for their turn. It is processor time of "
        "Neutron's workers: asked for more at once than they can do, it ends no sooner, but each port waits for all.",
    ),
    cfg.StrOpt(
        "ovs_bridge",
        default="br-int",
        help="The bridge of Open vSwitch on this host that ports are plugged into, where Neutron does not name one.",
    ),
]

#: Seconds that one call of Neutron may take, unless the operator says otherwise.
_PATIENCE = 30


def register(conf: cfg.ConfigOpts) -> None:
    """Have keystoneauth's options too. Raises ImportError where it is not installed (the extra ``openstack``)."""
    from keystoneauth1 import loading

    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP)
    conf.set_default("timeout", _PATIENCE, group=GROUP)
