"""Volumes that are made for what a request asks for: before it is accepted, in its user's name, so that nothing that was accepted depends
on his token.

That such a volume is to be is written down first (:class:`~zun.domain.volume.MadeVolume`). Whether it may stay is seen by whether there
is a row of whom it is for: so whatever becomes of this process in between, :class:`~zun.conductor.leavings.Leavings` clears it away.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import journal
from zun.conductor.journal import Clock
from zun.domain import volume as volumes
from zun.domain.action import Caller
from zun.domain.container import Container
from zun.domain.model import Entity
from zun.domain.sandbox import Sandbox
from zun.domain.volume import MadeVolume
from zun.interfaces.store import Store, Transaction
from zun.interfaces.volumes import Volumes

LOG = logging.getLogger(__name__)

#: how long the making of all volumes of one request may take, however many they are
PATIENCE = timedelta(minutes=2)


class NewVolumes:
    """Makes the volumes of new containers and capsules."""

    def __init__(self, store: Store, driver: Volumes, clock: Clock) -> None:
        self._store = store
        self._driver = driver
        self._clock = clock

    @contextmanager
    def of_container(self, caller: Caller, container: Container) -> Iterator[Container]:
        """The container with the volumes that its mounts ask for made. If it has no row when the block ends, they are undone.

        Raises NewVolumeForbidden, VolumesUnavailable, VolumesRefused, NotOffered.
        """
        with self._made(caller, Container, container.uuid, volumes.new_mounts(container)) as ids:
            yield replace(container, mounts=volumes.made(container.mounts, ids)) if ids else container

    @contextmanager
    def of_sandbox(self, caller: Caller, sandbox: Sandbox) -> Iterator[Sandbox]:
        """The same for the volumes that a capsule's containers share."""
        with self._made(caller, Sandbox, sandbox.uuid, volumes.new_volumes(sandbox)) as ids:
            yield replace(sandbox, volumes=volumes.made(sandbox.volumes, ids)) if ids else sandbox

    @staticmethod
    def accepted(tx: Transaction, owner: str, wishes: Iterable[Mapping[str, Any]]) -> None:
        """Whom volumes were made for is accepted, in this transaction, with these mounts or volumes: those that are not to go with him are
        his user's own."""
        if not any(wish.get(volumes.MADE) for wish in wishes):
            return
        for row in tx.find(MadeVolume, {"owner_uuid": owner}):
            if row.stays:
                tx.drop(row)
            else:
                tx.save(replace(row, unborn=False))

    @contextmanager
    def _made(self, caller: Caller, entity: type[Entity], owner: str, wishes: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
        if not wishes:
            yield []
            return
        rows = [
            MadeVolume(
                uuid=journal.new_uuid(),
                project_id=caller.project_id,
                owner_uuid=owner,
                name=f"zun-{owner}-{number}",
                size=int(wish["size"]),
                stays=bool(wish.get("stays")),
            )
            for number, wish in enumerate(wishes)
        ]
        rows = self._store.settle(lambda tx: [tx.add(row) for row in rows])
        try:
            yield self._make(caller, rows)
        finally:
            self._settle(entity, owner)

    def _make(self, caller: Caller, rows: Sequence[MadeVolume]) -> list[str]:
        until = self._clock() + PATIENCE
        ids: dict[str, str] = {}
        unmade = {row.uuid for row in rows}
        try:
            for row in rows:
                if self._clock() > until:
                    raise errors.VolumesUnavailable(reason=f"it has made {len(ids)} of {len(rows)} volumes in {PATIENCE.seconds} s")
                unmade.discard(row.uuid)
                ids[row.uuid] = self._driver.make(row, caller.token)
        except (errors.NewVolumeForbidden, errors.NotOffered, errors.VolumesRefused):
            unmade.add(row.uuid)
            raise
        finally:
            # Of one that was asked for and not answered it is not known whether it is made, nor whether it still will be.
            self._store.settle(partial(_learn, ids=ids, unmade=unmade))
        return [ids[row.uuid] for row in rows]

    def _settle(self, entity: type[Entity], owner: str) -> None:
        """What nobody has accepted is undone at once, as far as that goes; the rest is cleared away later."""
        try:
            with self._store.read() as tx:
                if tx.get(entity, owner) is not None:
                    return
            for row in self._store.settle(lambda tx: _gave_up(tx, owner)):
                if row.volume_id is not None and self._driver.unmake(row):
                    self._store.settle(lambda tx, row=row: tx.drop(row))  # type: ignore[misc]
        except errors.ZunError as error:
            LOG.warning("volumes made for %s, which was not accepted, are cleared away later: %s", owner, error)


def _gave_up(tx: Transaction, owner: str) -> list[MadeVolume]:
    return [tx.save(replace(row, unborn=False)) for row in tx.find(MadeVolume, {"owner_uuid": owner})]


def _learn(tx: Transaction, ids: Mapping[str, str], unmade: Iterable[str]) -> None:
    for uuid, volume_id in ids.items():
        known = tx.get(MadeVolume, uuid)
        if known is not None:
            tx.save(replace(known, volume_id=volume_id))
    for uuid in unmade:
        never = tx.get(MadeVolume, uuid)
        if never is not None:
            tx.drop(never)
