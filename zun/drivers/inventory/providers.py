"""The hosts as Placement's providers: each is written down there as its row has it, whenever that changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from zun import errors
from zun.domain.host import Host
from zun.drivers.inventory import words
from zun.drivers.inventory.rest import Changed, Rest

LOG = logging.getLogger(__name__)

#: tries of a change that others make at the same time
TRIES = 4


class _Known(msgspec.Struct, frozen=True):
    """What was written of a host the last time."""

    name: str
    shared: bool
    provider: str
    inventories: Mapping[str, Any]
    traits: frozenset[str]


class Providers:
    """The providers of our hosts, made and changed as their rows say. A provider that is shared with Nova is Nova's: only our own traits
    are written there. Safe for several threads; another process that does the same is no harm."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        #: by the uuid of the host's row
        self._known: dict[str, _Known] = {}
        self._traits: set[str] = set()
        self._lock = threading.Lock()

    def keep(self, hosts: Iterable[tuple[Host, bool]], *, again: bool = False) -> None:
        """Write down every host, with whether it is disabled, unless that was done already; ``again`` looks whether others have changed it
        since. One that cannot be written down is logged, and tried again the next time. Raises InventoryUnavailable."""
        for host, disabled in hosts:
            inventories, traits = words.inventories(host), words.traits(host, disabled)
            wanted = inventories, traits, host.shared_with_nova
            # Who only wants to know that all is well does not wait for who looks again.
            if again or not self._is_written(host, wanted):
                with self._lock:
                    if again or not self._is_written(host, wanted):
                        self._keep(host, inventories, traits)

    def _is_written(self, host: Host, wanted: tuple[Mapping[str, Any], frozenset[str], bool]) -> bool:
        known = self._known.get(host.uuid)
        return known is not None and (known.inventories, known.traits, known.shared) == wanted

    def leave(self, staying: Iterable[Host]) -> None:
        """Take away what was written down of hosts that are no more. What still is used is tried again. Raises InventoryUnavailable."""
        with self._lock:
            for uuid in set(self._known) - {host.uuid for host in staying}:
                known = self._known[uuid]
                if self._take_away(known):
                    del self._known[uuid]
                    LOG.info("provider %s of host %s is taken out of Placement", known.provider, known.name)

    def of(self, host: Host) -> str:
        """The uuid of a host's provider. Raises InventoryUnavailable where Nova has not made it yet."""
        if not host.shared_with_nova:
            return host.uuid
        known = self._known.get(host.uuid)
        found = known.provider if known is not None else self._rest.provider_named(host.hostname)
        if found is None:
            raise errors.InventoryUnavailable(reason=f"there is no provider {host.hostname} of Nova's (host_shared_with_nova)")
        return found

    # -- one host --------------------------------------------------------------------------------

    def _keep(self, host: Host, inventories: Mapping[str, Any], traits: frozenset[str]) -> None:
        provider = self._found(host)
        if provider is None:
            return
        changed = not host.shared_with_nova and self._write_inventories(provider, inventories)
        changed |= self._write_traits(provider, traits, host.shared_with_nova)
        self._known[host.uuid] = _Known(host.hostname, host.shared_with_nova, provider, inventories, traits)
        if changed:
            LOG.info("host %s is written down in Placement as provider %s", host.hostname, provider)

    def _found(self, host: Host) -> str | None:
        """The provider of the host, made if there is none."""
        if host.shared_with_nova:
            found = self._rest.provider_named(host.hostname)
            if found is None:
                LOG.warning("host %s is shared with Nova, but Nova has no provider of that name: it gets no containers", host.hostname)
            return found
        if self._rest.has_provider(host.uuid) or self._rest.make_provider(host.uuid, host.hostname):
            return host.uuid
        if self._replaced(host):
            return host.uuid
        LOG.error(
            "Placement has another provider named %s, so that the host gets no containers: is it one of Nova's ([compute] "
            "host_shared_with_nova), or is something left of an earlier life of the host?",
            host.hostname,
        )
        return None

    def _replaced(self, host: Host) -> bool:
        """Whether the name was that of an earlier life of the host, of which nothing is used any more."""
        other = self._rest.provider_named(host.hostname)
        if other is not None:
            has = self._rest.traits(other).has
            if words.HOST not in has or words.SHARED in has or not self._rest.delete_provider(other):
                return False
        return self._rest.make_provider(host.uuid, host.hostname)

    def _take_away(self, known: _Known) -> bool:
        if not known.shared:
            return self._rest.delete_provider(known.provider)
        if self._rest.has_provider(known.provider):
            self._write_traits(known.provider, frozenset(), shared=True)
        return True

    def _write_inventories(self, provider: str, wanted: Mapping[str, Any]) -> bool:
        """Returns whether it had others."""
        for _ in range(TRIES):
            found = self._rest.inventories(provider)
            if found.has == wanted:
                return False
            try:
                self._rest.set_inventories(provider, wanted, found.generation)
            except Changed:
                continue
            except errors.ClaimRefused as used:
                # A kind of resource has gone of which containers still have some.
                kept = {**{name: found.has[name] for name in found.has if name not in wanted}, **wanted}
                LOG.warning("provider %s keeps what is still in use: %s", provider, used)
                if kept == found.has:
                    return False
                wanted = kept
                continue
            return True
        raise errors.InventoryUnavailable(reason=f"provider {provider} is being changed by others")

    def _write_traits(self, provider: str, wanted: frozenset[str], shared: bool) -> bool:
        """Returns whether it had others."""
        for trait in wanted - self._traits:
            if trait.startswith("CUSTOM_"):
                self._rest.make_trait(trait)
            self._traits.add(trait)
        for _ in range(TRIES):
            found = self._rest.traits(provider)
            others = {trait for trait in found.has if not words.is_ours(trait, shared)}
            if found.has == wanted | others:
                return False
            try:
                self._rest.set_traits(provider, wanted | others, found.generation)
            except Changed:
                continue
            return True
        raise errors.InventoryUnavailable(reason=f"provider {provider} is being changed by others")

    def ready(self) -> None:
        """See that the traits exist that every question names."""
        for trait in {words.HOST, words.DISABLED} - self._traits:
            self._rest.make_trait(trait)
            self._traits.add(trait)
