"""How Cinder is reached. All its options are keystoneauth's (auth_type, auth_url, username, ...): they are known where Cinder is used."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "cinder"
OPTS: list[cfg.Opt] = []

#: Seconds that one call of Cinder may take, unless the operator says otherwise: it waits for the storage itself in some.
_PATIENCE = 60


def register(conf: cfg.ConfigOpts) -> None:
    """Have keystoneauth's options. Raises ImportError where it is not installed (the extra ``openstack``)."""
    from keystoneauth1 import loading

    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP)
    conf.set_default("timeout", _PATIENCE, group=GROUP)
