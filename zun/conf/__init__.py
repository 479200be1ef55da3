"""The options of the service, one module a group. Nothing here is global: :func:`new` makes a configuration, wiring passes it on.

Names are the ones that operators know from the contract (config-and-scheduling, section 9) where it names them.
"""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg
from oslo_log import log
from oslo_policy import opts as policy_opts

from zun.conf import (
    api,
    basic_auth,
    compute,
    database,
    docker,
    events,
    glance,
    images,
    inventory,
    limits,
    network,
    neutron,
    placement,
    quota,
    scheduler,
    secrets,
    service,
    volume,
    websocket_proxy,
)

GROUPS = (
    service,
    limits,
    images,
    api,
    basic_auth,
    compute,
    database,
    docker,
    events,
    glance,
    inventory,
    network,
    neutron,
    placement,
    quota,
    scheduler,
    secrets,
    volume,
    websocket_proxy,
)


def new() -> cfg.ConfigOpts:
    """A configuration that knows every option of the service and of the libraries that all of it has, still to be called with its
    arguments. Others are declared by who uses them."""
    conf = cfg.ConfigOpts()
    for group in GROUPS:
        conf.register_opts(group.OPTS, group=None if group.GROUP == "DEFAULT" else group.GROUP)
    log.register_options(conf)
    for name, options in policy_opts.list_opts():
        conf.register_opts(options, name)
    return conf


def list_opts() -> list[tuple[str, Sequence[cfg.Opt]]]:
    """Our own options by group, for oslo-config-generator."""
    return [(group.GROUP, group.OPTS) for group in GROUPS]
