"""The account that Placement keeps, beside our own: Placement says who may be asked, and both must have room (ADR 27)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from zun import errors
from zun.domain.claim import Claim, taken_by
from zun.domain.host import Host
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate
from zun.drivers.inventory import words
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.inventory.providers import TRIES, Providers
from zun.drivers.inventory.rest import Changed, Rest
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)


class PlacementInventory:
    """Implements :class:`zun.interfaces.inventory.Inventory`. Hosts become providers when they are first asked about."""

    name = "placement"

    def __init__(
        self, rest: Rest, providers: Providers, rows: LocalInventory, store: Store, *, most: int, follow: Callable[[str], None]
    ) -> None:
        """``rows`` is our own account, which counts parts of a CPU; ``most`` hosts are asked for at a time; ``follow`` reaches who keeps
        Placement in line with the rows."""
        self._rest = rest
        self._providers = providers
        self._rows = rows
        self._store = store
        self._most = most
        self._follow = follow

    def candidates(self, sandbox: Sandbox, consumer: str) -> list[Candidate]:
        """See the Protocol. ``used`` is what Placement says where that is more: there may be others on the host."""
        found = self._rows.candidates(sandbox, consumer)
        self._providers.ready()
        self._providers.keep((candidate.host, candidate.disabled) for candidate in found)
        offered = self._offered(sandbox, found)
        if not offered and self._rest.allocation(consumer) is not None:
            # Claimed on the way, and not written down: its own claim must not be what leaves no room for it.
            self._rest.release(consumer)
            offered = self._offered(sandbox, found)
        return [
            dataclasses.replace(each, used=each.used.most(offered[each.host.hostname]))
            if each.host.hostname in offered
            else dataclasses.replace(each, offered=False)
            for each in found
        ]

    def claim(self, claim: Claim) -> None:
        """See the Protocol. An allocation replaces the whole of the one before, on whatever host."""
        takes = {self._provider(claim.host): words.amounts(claim.takes)}
        generation: int | None = None
        for _ in range(TRIES):
            try:
                self._rest.allocate(claim.consumer, takes, (claim.project_id, claim.user_id), generation)
            except Changed:
                current = self._rest.allocation(claim.consumer)
                generation = None if current is None else current.generation
            except errors.ClaimRefused as refused:
                raise errors.ClaimRefused(host=claim.host, reason=refused.details["reason"]) from refused
            else:
                return
        raise errors.InventoryUnavailable(reason=f"consumer {claim.consumer} is being changed by others")

    def follow(self, consumer: str) -> None:
        """See the Protocol."""
        try:
            self._follow(consumer)
        except errors.ZunError as error:
            LOG.warning("what %s takes will be put right by the next round: %s", consumer, error)

    def check(self, tx: Transaction, sandbox: Sandbox, host: str, to: Resources) -> None:
        """See the Protocol."""
        self._rows.check(tx, sandbox, host, to)

    def _offered(self, sandbox: Sandbox, found: list[Candidate]) -> dict[str, Resources]:
        """What is used of every host that Placement has room on, by its name."""
        by_provider = {}
        for candidate in found:
            try:
                by_provider[self._providers.of(candidate.host)] = candidate.host.hostname
            except errors.InventoryUnavailable as missing:
                LOG.debug("host %s: %s", candidate.host.hostname, missing)
        only = next((uuid for uuid, name in by_provider.items() if name == sandbox.requested_host), None)
        required = {words.HOST}
        offered = self._rest.candidates(words.amounts(taken_by(sandbox)), required, {words.DISABLED}, only, self._most)
        return {by_provider[uuid]: words.used(used) for uuid, used in offered.items() if uuid in by_provider}

    def _provider(self, hostname: str) -> str:
        with self._store.read() as tx:
            host = next(iter(tx.find(Host, {"hostname": hostname})), None)
        if host is None:
            raise errors.HostNotFound(id=hostname)
        return self._providers.of(host)
