"""What the REST edge is made of."""

from __future__ import annotations

from collections.abc import Callable

from oslo_config import cfg

from zun.api.app import make_app
from zun.api.auth import WSGI
from zun.conductor.archives import Archives
from zun.conductor.networks import Networks
from zun.interfaces.network import Network
from zun.interfaces.store import Store
from zun.rpc.doors import TcpDoors
from zun.wiring.control import Decisions
from zun.wiring.parts import Clock

#: Seconds that the other end of an archive may be silent.
STREAM_PATIENCE = 300.0


def application(
    conf: cfg.ConfigOpts,
    store: Store,
    decisions: Decisions,
    network: Network,
    clock: Clock,
    *,
    proxy_port: int,
    authenticate: Callable[[WSGI], WSGI],
) -> WSGI:
    """The WSGI application. ``authenticate`` puts in front of it what says who the caller is."""
    archives = Archives(decisions.verbs, TcpDoors(STREAM_PATIENCE), largest=conf.api.max_archive_size, most=conf.api.max_archives)
    return make_app(
        conf=conf,
        store=store,
        accept=decisions.accept,
        verbs=decisions.verbs,
        admin=decisions.admin,
        networks=Networks(network, decisions.verbs, store),
        registries=decisions.registries,
        images=decisions.images,
        streams=decisions.streams,
        proxy_port=proxy_port,
        archives=archives,
        clock=clock,
        authenticate=authenticate,
    )
