"""Which network driver goes where."""

from __future__ import annotations

from pathlib import Path

from oslo_config import cfg

from zun.conf import neutron
from zun.drivers.network.cloud import Neutron
from zun.drivers.network.engine import EngineNetwork
from zun.interfaces.network import Network
from zun.wiring.later import later


def driver(conf: cfg.ConfigOpts) -> Network:
    """The driver of ``[network] driver``. Nothing is asked of anybody yet.

    Raises ValueError for a section ``[neutron]`` by which nobody can be reached.
    """
    return _neutron(conf) if conf.network.driver == "neutron" else EngineNetwork()


def _neutron(conf: cfg.ConfigOpts) -> Network:
    # Not for whoever has no Neutron. The first one sees to it that what is imported after it runs on threads.
    import zun.rpc.threads  # noqa: F401, I001
    from keystoneauth1 import exceptions, loading

    from zun.drivers.network.activity import Activity
    from zun.drivers.network.names import Names
    from zun.drivers.network.neutron import NeutronNetwork
    from zun.drivers.network.ports import Ports
    from zun.drivers.network.vif import Wires

    def wires() -> Wires:
        from zun.drivers.network import ovs

        return ovs.wires(conf, conf.neutron.ovs_bridge)

    neutron.register(conf)
    try:
        auth = loading.load_auth_from_conf_options(conf, neutron.GROUP)
        if auth is None:
            raise ValueError("[neutron] auth_type must be set where [network] driver is neutron")
        session = loading.load_session_from_conf_options(conf, neutron.GROUP, auth=auth)
    except exceptions.ClientException as error:
        raise ValueError(f"[neutron]: {error}") from error

    def connected() -> Neutron:
        from zun.drivers.network import sdk

        return sdk.SdkNeutron(sdk.connection(session, conf), parallel=conf.neutron.max_parallel_changes)

    known = later(connected)
    activity = Activity(known, host=conf.host, timeout=conf.neutron.vif_plugging_timeout)
    return NeutronNetwork(known, Ports(known, host=conf.host), activity, wires, Names(Path(conf.state_path) / "names"))
