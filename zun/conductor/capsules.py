"""Capsules: accepted, deleted, added to and taken from. What is done to a whole capsule is one action; to one container of it, another."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import allowance, claims, drain, images, journal, once
from zun.conductor.journal import Clock
from zun.conductor.volumes import NewVolumes
from zun.domain import capsule, quota
from zun.domain.action import ActionState, Caller
from zun.domain.capsule import INIT_POLICY, MOST_CONTAINERS, CapsuleWish
from zun.domain.claim import Claim
from zun.domain.container import Container, member_name
from zun.domain.idempotency import Once
from zun.domain.lifecycle import Desired, Status
from zun.domain.model import fields
from zun.domain.quota import Quota
from zun.domain.sandbox import Sandbox
from zun.interfaces.inventory import Inventory
from zun.interfaces.network import Network
from zun.interfaces.store import Store, Transaction
from zun.interfaces.volumes import Volumes

#: the row of the table of verbs by which a capsule's containers go, alone or together
DELETE = "delete_capsule"

#: Names that are tried for a container, before it is named after its uuid.
NAMES_TRIED = 50


class Capsules:
    """Accepts capsules, and containers for those that live. The rules that hold for every container come from ``conductor.accept``."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        *,
        network: Network,
        volumes: Volumes,
        new: NewVolumes,
        clock: Clock,
        chance: random.Random,
        configured: Quota,
        fill: Callable[[dict[str, Any]], dict[str, Any]],
        refuse: Callable[[Sandbox, Container], None],
        choose: Callable[[Caller, Container], Container],
        foretell: Callable[[Caller, Sandbox, Sequence[Container]], Sandbox],
        check_hosts: Callable[[Transaction, Container], None],
        taken: Callable[[Transaction, Container], set[str]],
    ) -> None:
        """``fill`` puts the operator's defaults where nothing is given; ``choose`` finds out which image is meant; ``taken`` are names, in
        lower case, that may not be used."""
        self._store = store
        self._inventory = inventory
        self._network = network
        self._volumes = volumes
        self._new = new
        self._clock = clock
        self._chance = chance
        self._configured = configured
        self._fill = fill
        self._refuse = refuse
        self._choose = choose
        self._foretell = foretell
        self._check_hosts = check_hosts
        self._taken = taken

    def create(self, caller: Caller, wish: CapsuleWish, key: Once | None = None) -> tuple[Sandbox, list[Container]]:
        """Accept a capsule. A container's values may have a ``registry`` (name or uuid) where its image is.

        Raises InvalidValue, NotOffered, InvalidImage, RegistryNotFound, SeveralRegistries, HostNotFound, NameInUse, OverQuota; nothing is
        written then.
        """
        with self._store.read() as tx:
            known = once.known(tx, Sandbox, caller, key, self._clock())
            if known is not None:
                return known, tx.find(Container, {"sandbox_uuid": known.uuid})
        given = {name: value for name, value in wish.sandbox.items() if value is not None}
        given.setdefault("availability_zone", self._fill({})["availability_zone"])
        sandbox = Sandbox(uuid=str(uuid.uuid4()), capsule=True, project_id=caller.project_id, user_id=caller.user_id, **given)
        sandbox = self._network.choose(sandbox, external=caller.external_networks)
        registries = [values.get("registry") for values in wish.containers]
        members = [self._member(sandbox, values, place) for place, values in enumerate(wish.containers)]
        _check_members(members)
        for member in members:
            self._refuse(sandbox, member)
        self._volumes.refuse_shared(sandbox, members)
        members = [self._choose(caller, member) for member in members]
        sandbox = self._foretell(caller, sandbox, members)
        amounts = capsule.needs(members)
        sandbox = replace(sandbox, cpu=amounts.cpu, memory=amounts.memory, disk=amounts.disk)

        def write(tx: Transaction, sandbox: Sandbox) -> tuple[Sandbox, list[Container]]:
            earlier = once.earlier(tx, Sandbox, caller, key, self._clock())
            if earlier is not None:
                return earlier, tx.find(Container, {"sandbox_uuid": earlier.uuid})
            placed, found = self._located(tx, sandbox, members, registries)
            named = self._admit(tx, placed, found, [])
            added = journal.add_capsule(tx, placed, caller.request_id)
            self._new.accepted(tx, added.uuid, added.volumes)
            once.remember(tx, caller, key, added)
            rows = [journal.add(tx, member, caller.request_id) for member in named]
            return added, journal.accept_all(tx, caller, added, rows, "create", {"run": True}, self._clock(), desired=Desired.RUNNING)

        with self._new.of_sandbox(caller, self._volumes.choose_shared(sandbox)) as ready:
            return self._store.settle(lambda tx: write(tx, ready))

    def add(self, caller: Caller, sandbox: Sandbox, values: dict[str, Any]) -> tuple[Container, str | None]:
        """Accept one more container for a capsule that lives. Returns it, and its host.

        Raises CapsuleNotFound, InvalidStateException, HostDraining, InsufficientCapacity, and what :meth:`create` raises.
        """
        if values.get("init"):
            raise errors.InvalidValue(field="init", rule="cannot be added to a capsule that lives: the others have begun")
        # Nobody is asked for it while the database is waited for.
        image_uuid = self._choose(caller, self._member(sandbox, values, 0)).image_uuid

        def plan(tx: Transaction) -> Claim | None:
            current, others = living(tx, sandbox)
            return claims.grown(current, "", capsule.needs([*others, self._member(current, values, 0)]))

        def write(tx: Transaction) -> tuple[Container, str | None]:
            current, others = living(tx, sandbox)
            if current.host is None or _is_busy(tx, current):
                raise out_of_place("add a container to", current, others)
            drain.refuse(tx, current.host, "add a container to", "capsule", current.uuid)
            member = replace(self._member(current, values, 1 + max(one.position for one in others)), image_uuid=image_uuid)
            _check_members([*others, member])
            self._refuse(current, member)
            self._volumes.refuse_shared(current, [member])
            on_its_host = replace(member, requested_host=current.host)
            _, (member,) = self._located(tx, current, [on_its_host], [values.get("registry")])
            (member,) = self._admit(tx, current, [member], others)
            ports = {**current.exposed_ports, **(values.get("exposed_ports") or {})}
            resize(tx, self._inventory, replace(current, exposed_ports=ports), [*others, member])
            added = journal.add(tx, member, caller.request_id)
            return journal.accept(tx, caller, added, "create", {"run": True}, self._clock(), desired=Desired.RUNNING), current.host

        with claims.ahead(self._store, self._inventory, plan):
            return self._store.settle(write)

    def _member(self, sandbox: Sandbox, values: dict[str, Any], place: int) -> Container:
        """One container of the capsule; without a name yet, where none is given."""
        asked = self._fill({name: value for name, value in values.items() if value is not None})
        shared = {name: getattr(sandbox, name) for name, declared in fields(Container).items() if declared.field.of == "sandbox"}
        asked.pop("registry", None)
        policy = asked.get("restart_policy") or sandbox.restart_policy
        if asked.get("init") and policy.get("Name") in ("always", "unless-stopped"):
            policy = INIT_POLICY
        own = {"name": "", "position": place, "project_id": sandbox.project_id, "user_id": sandbox.user_id}
        facts = {**shared, **own, **{name: value for name, value in asked.items() if name not in shared}, "restart_policy": policy}
        return Container(uuid=str(uuid.uuid4()), sandbox_uuid=sandbox.uuid, **facts)

    def _located(
        self, tx: Transaction, sandbox: Sandbox, members: Sequence[Container], registries: Sequence[str | None]
    ) -> tuple[Sandbox, list[Container]]:
        """The new members with the places where their images are; what was made of a container binds the whole capsule to its host.

        Raises RegistryNotFound, SeveralRegistries, InvalidValue.
        """
        found = []
        for member, registry in zip(members, registries, strict=True):
            bound = member if sandbox.requested_host is None else replace(member, requested_host=sandbox.requested_host)
            sandbox, located = images.located(tx, sandbox, bound, registry)
            found.append(located)
        return sandbox, found

    def _admit(self, tx: Transaction, sandbox: Sandbox, members: Sequence[Container], others: Sequence[Container]) -> list[Container]:
        """The new members by their names, if hosts can do what they need and the quota has room for them."""
        allowance.lock(tx, sandbox.project_id)
        for member in members:
            self._check_hosts(tx, member)
        named = self._named(tx, sandbox, members, others)
        sums = {name: sum(getattr(member, name) for member in members) for name in ("cpu", "memory", "disk")}
        allowed = allowance.of_project(tx, sandbox.project_id, self._configured)
        quota.check(allowed, allowance.usage(tx, sandbox.project_id), Quota(containers=len(members), **sums))
        return named

    def _named(self, tx: Transaction, sandbox: Sandbox, members: Sequence[Container], others: Sequence[Container]) -> list[Container]:
        used = {one.name.lower() for one in [*others, *members] if one.name} | self._taken(tx, members[0])
        named = []
        for member in members:
            if not member.name:
                member = replace(member, name=self._free_name(sandbox, member, used))
                used.add(member.name.lower())
            elif member.name.lower() in self._taken(tx, member):
                raise errors.NameInUse(name=member.name)
            named.append(member)
        return named

    def _free_name(self, sandbox: Sandbox, member: Container, used: set[str]) -> str:
        for _ in range(NAMES_TRIED):
            name = member_name(sandbox.name or sandbox.uuid, self._chance)
            if name.lower() not in used:
                return name
        return f"capsule-{member.uuid}"


def delete(tx: Transaction, inventory: Inventory, caller: Caller, sandbox: Sandbox, clock: Clock) -> str | None:
    """Accept a capsule's deletion; what is queued for it is given up. Where no host has it, it is gone at once. Returns its host.

    Raises CapsuleNotFound; InvalidStateException where it is being deleted already.
    """
    current, members = living(tx, sandbox)
    if all(one.desired is Desired.DELETED and one.status is Status.DELETING for one in members):
        raise out_of_place("delete", current, members)
    waiting = journal.open_actions(tx, current.uuid)
    members = journal.accept_all(tx, caller, current, members, "delete", {"stop": True}, clock(), row=DELETE)
    if current.host is None:
        for member in members:
            journal.erase(tx, member, inventory)
        return None
    for action in waiting:
        # What a host has in hand it gives up by itself; an undoing is part of the deletion.
        if action.state is not ActionState.CLAIMED:
            journal.end(tx, action, clock(), failed=True, reason=journal.GIVEN_UP)
    return current.host


def remove(tx: Transaction, inventory: Inventory, caller: Caller, container: Container, clock: Clock) -> str | None:
    """Accept that one container leaves its capsule, which lives on. Returns the host.

    Raises ContainerNotFound; InvalidStateException where it is on its way already or the whole capsule is at work; LastOfCapsule for an
    initialising one and for the last regular one.
    """
    found = tx.get(Container, container.uuid)
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    if found is None or sandbox is None:
        raise errors.ContainerNotFound(id=container.uuid)
    if found.status is Status.DELETING or _is_busy(tx, sandbox):
        raise errors.InvalidStateException(verb="delete", id=found.uuid, state=found.status.value)
    staying = [one for one in tx.find(Container, {"sandbox_uuid": sandbox.uuid}) if one.uuid != found.uuid]
    if found.init or not any(one.desired is not Desired.DELETED for one in staying if not one.init):
        raise errors.LastOfCapsule(id=found.uuid, capsule=sandbox.uuid)
    found = journal.accept(tx, caller, found, "delete", {"stop": True}, clock(), row=DELETE)
    if sandbox.host is None:
        journal.erase(tx, found, inventory)
    return sandbox.host


def living(tx: Transaction, sandbox: Sandbox) -> tuple[Sandbox, list[Container]]:
    """The capsule as it is now, with its containers in order. Raises CapsuleNotFound."""
    current = tx.get(Sandbox, sandbox.uuid)
    members = tx.find(Container, {"sandbox_uuid": sandbox.uuid})
    if current is None or not current.capsule or not members:
        raise errors.CapsuleNotFound(id=sandbox.uuid)
    return current, capsule.in_order(members)


def resize(tx: Transaction, inventory: Inventory, sandbox: Sandbox, members: Sequence[Container]) -> Sandbox:
    """Have the sandbox take what these containers need. Raises InsufficientCapacity."""
    to = capsule.needs(members)
    if sandbox.host is not None:
        inventory.check(tx, sandbox, sandbox.host, to)
        claims.followed(tx, inventory, sandbox, "")
    return tx.save(replace(sandbox, cpu=to.cpu, memory=to.memory, disk=to.disk))


def out_of_place(verb: str, sandbox: Sandbox, members: Sequence[Container]) -> errors.InvalidStateException:
    """The refusal of a verb on a capsule in the state that it is in."""
    return errors.InvalidStateException(verb=verb, what="capsule", id=sandbox.uuid, state=capsule.phase(members)[0].value)


def _is_busy(tx: Transaction, sandbox: Sandbox) -> bool:
    """Whether work on the whole capsule is under way, or waits."""
    return any(action.container_uuid is None for action in journal.open_actions(tx, sandbox.uuid))


def _check_members(members: Sequence[Container]) -> None:
    """Raises InvalidValue for containers that cannot be those of one capsule."""
    names = [one.name.lower() for one in members if one.name]
    if all(one.init for one in members):
        raise errors.InvalidValue(field="containers", rule="must have at least one container")
    if len(members) > MOST_CONTAINERS:
        raise errors.InvalidValue(field="containers", rule=f"must not have more than {MOST_CONTAINERS} containers altogether")
    if any(later.init and not earlier.init for earlier, later in itertools.pairwise(members)):
        raise errors.InvalidValue(field="containers", rule="must have the initialising containers first")
    if len(set(names)) < len(names):
        raise errors.InvalidValue(field="containers", rule="must not have two containers of the same name")
    if any(one.auto_remove for one in members):
        raise errors.InvalidValue(field="auto_remove", rule="cannot be given to a container of a capsule: it goes with the capsule")
