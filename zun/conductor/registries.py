"""Private registries of projects: kept, found, changed, and their passwords opened for a host that needs one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor.vault import Vault
from zun.domain import image as references
from zun.domain.action import Caller
from zun.domain.container import Container
from zun.domain.host_image import Image
from zun.domain.registry import Registry
from zun.interfaces.rpc import Access
from zun.interfaces.runtime import Credentials
from zun.interfaces.store import Page, Store, Transaction


class Registries:
    """Everything that is done to registries. Passwords come in plain and are sealed at once, each for its registry's domain."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def create(self, caller: Caller, given: Mapping[str, Any]) -> Registry:
        """A new registry of the caller's project."""
        row = Registry(uuid=str(uuid.uuid4()), project_id=caller.project_id, user_id=caller.user_id, **self._sealed(given, given["domain"]))
        return self._store.settle(lambda tx: tx.add(row))

    def update(self, registry: Registry, given: Mapping[str, Any]) -> Registry:
        """Change what is given. Raises InvalidValue for another domain where a password is kept and none comes with it: that one was
        given for the registry that it was. Raises RegistryNotFound."""

        def write(tx: Transaction) -> Registry:
            found = current(tx, registry.uuid)
            domain = given.get("domain", found.domain)
            if domain != found.domain and found.password is not None and "password" not in given:
                raise errors.InvalidValue(field="domain", rule="needs a new 'password' with it: the one kept is for the old one")
            changed = replace(found, **self._sealed(given, domain))
            return found if changed == found else tx.save(changed)

        return self._store.settle(write)

    def delete(self, registry: Registry) -> None:
        """Forget a registry and its password. Raises RegistryInUse, RegistryNotFound."""

        def write(tx: Transaction) -> None:
            hold(tx, registry.uuid)
            found = current(tx, registry.uuid)
            count = sum(tx.count(entity, {"registry_id": found.uuid}) for entity in (Container, Image))
            if count:
                raise errors.RegistryInUse(id=found.uuid, count=count)
            tx.drop(found)

        self._store.settle(write)

    def reseal(self) -> int:
        """Seal every password with the newest key; returns how many there are. May be repeated, and goes on while the service runs.

        Raises SecretUnreadable for one that no key opens; the others are sealed anew nevertheless.
        """
        with self._store.read() as tx:
            found = [row.uuid for row in tx.find(Registry) if row.password is not None]
        unreadable: errors.SecretUnreadable | None = None
        for each in found:
            try:
                self._store.settle(lambda tx, each=each: self._reseal(tx, each))  # type: ignore[misc]
            except errors.SecretUnreadable as error:
                unreadable = error
        if unreadable is not None:
            raise unreadable
        return len(found)

    def _reseal(self, tx: Transaction, registry_uuid: str) -> None:
        found = tx.get(Registry, registry_uuid)
        if found is not None and found.password is not None:
            tx.save(replace(found, password=self._vault.renew(found.password, found.uuid)))

    def _sealed(self, given: Mapping[str, Any], domain: str) -> dict[str, Any]:
        if given.get("password") is None:
            return dict(given)
        return {**given, "password": self._vault.seal(given["password"], domain)}


def current(tx: Transaction, registry_uuid: str) -> Registry:
    """The registry as it is now. Raises RegistryNotFound."""
    found = tx.get(Registry, registry_uuid)
    if found is None:
        raise errors.RegistryNotFound(id=registry_uuid)
    return found


def hold(tx: Transaction, registry_uuid: str) -> None:
    """Keep a registry from being deleted, or from being used anew, until the transaction ends."""
    tx.lock(f"registry:{registry_uuid}")


def named(tx: Transaction, project_id: str, asked: str) -> Registry:
    """A project's registry by uuid or name. Raises RegistryNotFound, SeveralRegistries."""
    own = {"project_id": project_id}
    found = tx.find(Registry, {**own, "uuid": asked.lower()}) or tx.find(Registry, {**own, "name": asked}, Page(limit=2))
    if not found:
        raise errors.RegistryNotFound(id=asked)
    if len(found) > 1:
        raise errors.SeveralRegistries(name=asked)
    return found[0]


def check_domain(registry: Registry, reference: str) -> None:
    """Raises InvalidValue for an image of another registry: it would be pulled without the account that was asked for."""
    domain = references.domain_of(references.parse(reference, home=registry.domain).domain)
    if domain != references.domain_of(registry.domain):
        raise errors.InvalidValue(field="registry", rule=f"is the registry {registry.domain}, and the image is of {domain}")


def access(registry: Registry, vault: Vault) -> Access:
    """What opens a registry. Raises SecretUnreadable."""
    if registry.username is None or registry.password is None:
        return Access(domain=registry.domain)
    password = vault.open(registry.password, registry.domain, registry.uuid)
    return Access(domain=registry.domain, credentials=Credentials(domain=registry.domain, username=registry.username, password=password))
