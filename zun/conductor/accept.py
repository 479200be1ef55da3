"""Accepting a new container: everything is checked first, then everything is written at once.

Nothing outside the database changes here, so a 4xx, or a crash at any line, leaves nothing behind.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import allowance, cores, image_choice, journal, once
from zun.conductor.capsules import Capsules
from zun.conductor.images import located
from zun.conductor.journal import Clock
from zun.conductor.volumes import NewVolumes
from zun.domain import quota
from zun.domain.action import Caller
from zun.domain.capsule import CapsuleWish
from zun.domain.container import DEDICATED, Container, amounts, random_name
from zun.domain.host import Host
from zun.domain.idempotency import Once
from zun.domain.lifecycle import Desired
from zun.domain.model import fields
from zun.domain.quota import Quota
from zun.domain.resources import NAMES
from zun.domain.sandbox import Sandbox
from zun.interfaces.images import Images
from zun.interfaces.inventory import Inventory
from zun.interfaces.network import Network
from zun.interfaces.store import Store, Transaction
from zun.interfaces.volumes import Volumes

#: Names that are tried for a container that was given none, before it is named after its uuid.
NAMES_TRIED = 20


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the operator decides for what a request leaves open."""

    cpu: float = 1.0
    memory: int = 512
    disk: int = 0
    image_driver: str = "docker"
    availability_zone: str | None = None
    #: for who was given no limits of his own
    quota: Quota = field(default_factory=lambda: Quota(containers=40, cpu=20, memory=51_200, disk=100))
    #: "", "project" or "global": within what a name may be used once
    unique_name_scope: str = ""


class Accept:
    """Accepts new containers."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        *,
        network: Network,
        volumes: Volumes,
        images: Mapping[str, Images],
        clock: Clock,
        defaults: Defaults,
        poke: Callable[[], None],
        poke_host: Callable[[str | None], None],
        chance: random.Random,
    ) -> None:
        """``poke`` is heard by who places new sandboxes, ``poke_host`` by the host that it names."""
        self._store = store
        self._network = network
        self._volumes = volumes
        self._new = NewVolumes(store, volumes, clock)
        self._images = images
        self._clock = clock
        self._defaults = defaults
        self._poke = poke
        self._poke_host = poke_host
        self._chance = chance
        self._capsules = Capsules(
            store,
            inventory,
            network=network,
            volumes=volumes,
            new=self._new,
            clock=clock,
            chance=chance,
            configured=defaults.quota,
            fill=self._fill,
            refuse=self._refuse,
            choose=partial(image_choice.chosen, images),
            foretell=partial(image_choice.foretold, images),
            check_hosts=self._check_hosts,
            taken=lambda tx, container: _taken(tx, defaults.unique_name_scope, container),
        )

    def create(self, caller: Caller, asked: dict[str, Any], run: bool, key: Once | None = None) -> Container:
        """Accept a container as ``asked``: domain values by field name, only those that were given. With ``run`` it is started too.
        What was made under ``key`` before is answered as it is now, and nothing is made.

        Raises NotOffered, InvalidImage, InvalidValue, RegistryNotFound, SeveralRegistries, HostNotFound, NameInUse, OverQuota,
        IdempotencyKeyInUse, IdempotentResultGone, and what the drivers of networks and volumes raise; nothing is written then.
        """
        with self._store.read() as tx:
            known = once.known(tx, Container, caller, key, self._clock())
        if known is not None:
            return known
        asked = cores.hinted({name: value for name, value in asked.items() if value is not None})
        named = "name" in asked
        asked.setdefault("name", random_name(self._chance))
        asked = self._fill(asked)
        registry = asked.pop("registry", None)
        sandbox, container = self._build(caller, asked)
        self._refuse(sandbox, container)
        container = image_choice.chosen(self._images, caller, container)
        sandbox = image_choice.foretold(self._images, caller, sandbox, [container])
        sandbox = self._network.choose(sandbox, external=caller.external_networks)
        container = replace(container, nets=sandbox.nets, security_groups=sandbox.security_groups)

        def write(tx: Transaction, container: Container) -> Container:
            earlier = once.earlier(tx, Container, caller, key, self._clock())
            if earlier is not None:
                return earlier
            made = self._write(tx, caller, *located(tx, sandbox, container, registry), run, named)
            self._new.accepted(tx, made.uuid, made.mounts)
            once.remember(tx, caller, key, made)
            return made

        with self._new.of_container(caller, self._volumes.choose(container)) as ready:
            accepted = self._store.settle(lambda tx: write(tx, ready))
        journal.nudge(lambda _: self._poke(), None)
        return accepted

    def create_capsule(self, caller: Caller, wish: CapsuleWish, key: Once | None = None) -> tuple[Sandbox, list[Container]]:
        """Accept a capsule: one action, by which all its containers are made, or none.

        Raises NotOffered, InvalidImage, InvalidValue, HostNotFound, NameInUse, OverQuota; nothing is written then.
        """
        accepted = self._capsules.create(caller, wish, key)
        journal.nudge(lambda _: self._poke(), None)
        return accepted

    def add_container(self, caller: Caller, sandbox: Sandbox, values: dict[str, Any]) -> Container:
        """Accept one more container for a capsule that lives: domain values by field name. It is started.

        Raises what :meth:`create_capsule` raises, and CapsuleNotFound, InvalidStateException, and InsufficientCapacity where its host has
        no room for it.
        """
        added, host = self._capsules.add(caller, sandbox, values)
        if host is not None:
            journal.nudge(self._poke_host, host)
        return added

    def _fill(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is asked for, with the operator's word on what it leaves open."""
        names = ("cpu", "memory", "disk", "image_driver", "availability_zone")
        return {**{name: getattr(self._defaults, name) for name in names}, **asked}

    def _build(self, caller: Caller, asked: dict[str, Any]) -> tuple[Sandbox, Container]:
        owner: dict[str, Any] = {"project_id": caller.project_id, "user_id": caller.user_id}
        container = Container(uuid=str(uuid.uuid4()), sandbox_uuid=str(uuid.uuid4()), **owner, **asked)
        shared = {name: getattr(container, name) for name, declared in fields(Container).items() if declared.field.of == "sandbox"}
        takes = amounts(container)
        claims: dict[str, Any] = {name: getattr(takes, name) for name in NAMES}
        return Sandbox(uuid=container.sandbox_uuid, **owner, **claims, **shared), container

    def _refuse(self, sandbox: Sandbox, container: Container) -> None:
        image_choice.driver_of(self._images, container.image_driver).check(container.image)
        cores.refuse(container)
        if container.auto_remove and container.restart_policy.get("Name", "no") != "no":
            raise errors.InvalidValue(field="auto_remove", rule="cannot be combined with a restart policy")
        self._network.refuse(sandbox)
        self._volumes.refuse(container)

    def _write(self, tx: Transaction, caller: Caller, sandbox: Sandbox, container: Container, run: bool, named: bool) -> Container:
        allowance.lock(tx, caller.project_id)
        self._check_hosts(tx, container)
        container = self._named(tx, container, named)
        asked = Quota(containers=1, cpu=container.cpu, memory=container.memory, disk=container.disk)
        allowed = allowance.of_project(tx, caller.project_id, self._defaults.quota)
        quota.check(allowed, allowance.usage(tx, caller.project_id), asked)
        tx.add(sandbox)
        added = journal.add(tx, container, caller.request_id)
        desired = Desired.RUNNING if run else Desired.CREATED
        return journal.accept(tx, caller, added, "create", {"run": run}, self._clock(), desired=desired)

    def _check_hosts(self, tx: Transaction, container: Container) -> None:
        """What no host of this deployment can do is refused now, by name, rather than found out later."""
        hosts = tx.find(Host)
        if container.requested_host and all(host.hostname != container.requested_host for host in hosts):
            raise errors.HostNotFound(id=container.requested_host)
        if container.disk and not any(host.disk_quota_supported for host in hosts):
            raise errors.NotOffered(field="disk", why="no compute host has a storage driver with quotas.")
        if container.cpu_policy == DEDICATED and not any(host.enable_cpu_pinning for host in hosts):
            raise errors.NotOffered(field="cpu_policy", why="no compute host has cores to give away ([compute] cpu_dedicated_set).")

    def _named(self, tx: Transaction, container: Container, given: bool) -> Container:
        """The container, by a name that it may have: another one of ours where it was not asked for by name."""
        scope = self._defaults.unique_name_scope
        if given:
            check_name(tx, scope, container)
            return container
        taken = _taken(tx, scope, container)
        for _ in range(NAMES_TRIED):
            if container.name not in taken:
                return container
            container = replace(container, name=random_name(self._chance))
        return replace(container, name=f"{container.name}-{container.uuid}")


def check_name(tx: Transaction, scope: str, container: Container) -> None:
    """Raises NameInUse if another container within ``scope`` ("project", "global", "" for none) has the container's name."""
    if container.name.lower() in _taken(tx, scope, container):
        raise errors.NameInUse(name=container.name)


def _taken(tx: Transaction, scope: str, container: Container) -> set[str]:
    """The names, in lower case, that other containers have within the scope; they stay as they are until the transaction ends."""
    if not scope:
        return set()
    tx.lock("names")
    within = {"project_id": container.project_id} if scope == "project" else {}
    return {other.name.lower() for other in tx.find(Container, within) if other.uuid != container.uuid}
