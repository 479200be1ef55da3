"""Who keeps the account of hosts, and who keeps that in line with the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from oslo_config import cfg

from zun.conf import placement
from zun.domain.host import Hearing, always
from zun.drivers.inventory.local import LocalInventory
from zun.interfaces.inventory import Inventory
from zun.interfaces.store import Store
from zun.pulse import Pulse
from zun.wiring.parts import Clock

if TYPE_CHECKING:
    from zun.drivers.inventory.reconcile import Reconciler

#: Seconds between two rounds over what was changed, should every poke be lost.
FOLLOW_EVERY = 10.0


class Account:
    """The account of hosts, and what keeps it in line with the rows."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        store: Store,
        clock: Clock,
        hearing: Hearing = always,
        *,
        follow: Callable[[str], None] | None = None,
    ) -> None:
        """``follow`` reaches the process that keeps it in line; without it, this one does. Raises ValueError where the section
        ``[placement]`` does not say how it is reached."""
        rows = LocalInventory(store, clock, conf.compute.service_down_time, hearing)
        self.inventory: Inventory = rows
        self.reconciler: Reconciler | None = None
        self._pulse: Pulse | None = None
        if conf.inventory.driver != "placement":
            return
        from zun.drivers.inventory.placement import PlacementInventory
        from zun.drivers.inventory.providers import Providers
        from zun.drivers.inventory.reconcile import Reconciler
        from zun.drivers.inventory.rest import Rest

        rest = Rest(_adapter(conf))
        providers = Providers(rest)
        every = conf.placement.reconcile_interval
        self.reconciler = Reconciler(store, rest, providers, clock=clock, every=every, poke=self.look)
        self._pulse = Pulse("conductor-placement", self.reconciler.run, every=min(FOLLOW_EVERY, every))
        most = conf.scheduler.max_placement_results
        self.inventory = PlacementInventory(rest, providers, rows, store, most=most, follow=follow or self.reconciler.follow)

    def follow(self, consumer: str) -> None:
        """The rows say something else of this consumer."""
        self.inventory.follow(consumer)

    def look(self) -> None:
        """Look at the hosts, and at who was named, at once."""
        if self._pulse is not None:
            self._pulse.poke()

    def start(self) -> None:
        """Begin to keep it in line."""
        if self._pulse is not None:
            self._pulse.start()

    def stop(self) -> None:
        """End."""
        if self._pulse is not None:
            self._pulse.stop()


def _adapter(conf: cfg.ConfigOpts) -> object:
    # Not for whoever has no Placement. The first one sees to it that what is imported after it runs on threads.
    import zun.rpc.threads  # noqa: F401, I001
    from keystoneauth1 import exceptions, loading

    placement.register(conf)
    try:
        auth = loading.load_auth_from_conf_options(conf, placement.GROUP)
        if auth is None:
            raise ValueError("[placement] auth_type must be set where [inventory] driver is placement")
        session = loading.load_session_from_conf_options(conf, placement.GROUP, auth=auth)
        return loading.load_adapter_from_conf_options(conf, placement.GROUP, session=session, auth=auth)
    except exceptions.ClientException as error:
        raise ValueError(f"[placement]: {error}") from error
