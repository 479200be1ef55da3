"""What is left in other services by what is no more: the slow round that clears it away.

Four things leave something behind. A container that is deleted while its host is down, whose ports and attachments nobody else gives
back; one whose forced deletion did not get all done on its host, which may never come to take off the rest; a volume that was made for
something that was never accepted, or is gone; and whatever an operator has the service forget together with a host. For each there is a
row, written in the transaction that makes it so, which goes when all is cleared away: so it is, whichever process dies in between.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from zun import errors
from zun.conductor import journal
from zun.conductor.journal import Clock
from zun.domain.action import OPEN, Action
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Hearing, Service, Standing, always, standing
from zun.domain.model import Entity
from zun.domain.sandbox import Sandbox, device_of
from zun.domain.volume import Leaving, MadeVolume
from zun.interfaces.inventory import Inventory
from zun.interfaces.network import Network
from zun.interfaces.store import Store, Transaction
from zun.interfaces.volumes import Volumes

LOG = logging.getLogger(__name__)

#: How long a volume waits for whom it is made for, and is looked for that nobody has said to be made. Longer than any request that makes
#: volumes can last, and than any server goes on with a call.
UNBORN = timedelta(minutes=15)


class Leavings:
    """Clears away. Several may run at once, each step may be repeated."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        *,
        network: Network,
        volumes: Volumes,
        clock: Clock,
        service_down_time: int,
        hearing: Hearing = always,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._network = network
        self._volumes = volumes
        self._clock = clock
        self._service_down_time = service_down_time
        self._hearing = hearing

    def run(self) -> None:
        """One round. What cannot be cleared away now is tried again in the next."""
        for action in self._deletions_of_the_lost():
            self._try("deletion", action, partial(self._store.settle, partial(self._bury, action=action)))
        with self._store.read() as tx:
            leavings, made = tx.find(Leaving), tx.find(MadeVolume)
        for leaving in leavings:
            self._try("leavings", leaving, partial(self._give_back, leaving))
        for volume in made:
            self._try("volume", volume, partial(self._look_after, volume))

    def _try(self, what: str, row: Entity, do: partial[None]) -> None:
        try:
            do()
        except errors.ZunError as error:
            LOG.warning("%s %s: cleared away later: %s", what, row.uuid, error)
        except Exception:
            # One bad row does not keep the others waiting.
            LOG.exception("%s %s could not be cleared away", what, row.uuid)

    # -- deletions on hosts that are down --------------------------------------------------------

    def _deletions_of_the_lost(self) -> list[Action]:
        with self._store.read() as tx:
            services = tx.find(Service, {"binary": COMPUTE})
            down = tuple(service.host for service in services if self._is_down(service))
            found = tx.find(Action, {"host": down, "state": OPEN}) if down else []
        return [action for action in found if insists(action)]

    def _bury(self, tx: Transaction, action: Action) -> None:
        """Forget what was to be deleted, if its host is down still."""
        current = tx.get(Action, action.uuid)
        service = next(iter(tx.find(Service, {"host": action.host or "", "binary": COMPUTE})), None)
        if current is None or current.state not in OPEN or service is None or not self._is_down(service):
            return
        LOG.warning("host %s is down: %s of sandbox %s is done without it", action.host, action.action, action.sandbox_uuid)
        for container in journal.concerned(tx, current):
            forget(tx, container, self._inventory)

    def _is_down(self, service: Service) -> bool:
        return standing(service, self._clock(), self._service_down_time, self._hearing()) is Standing.DOWN

    # -- what is left ----------------------------------------------------------------------------

    def _give_back(self, leaving: Leaving) -> None:
        self._network.release(leaving.owner_uuid)
        if leaving.host is not None and self._is_expected(leaving.host) and self._volumes.held(leaving.owner_uuid):
            # It may be mounted there still: its host takes it off first, at its next scan.
            return
        self._volumes.release(leaving.owner_uuid)
        self._drop(leaving)

    def _is_expected(self, host: str) -> bool:
        with self._store.read() as tx:
            services = tx.find(Service, {"host": host, "binary": COMPUTE})
        return any(not self._is_down(service) for service in services)

    def _look_after(self, volume: MadeVolume) -> None:
        """A volume goes when whom it was made for is gone, or did not come."""
        with self._store.read() as tx:
            needed = any(tx.get(entity, volume.owner_uuid) is not None for entity in (Container, Sandbox))
            busy = tx.count(Leaving, {"owner_uuid": volume.owner_uuid}) > 0
        young = volume.created_at is not None and self._clock() - volume.created_at < UNBORN
        if needed or busy or (volume.unborn and young):
            return
        try:
            gone = self._volumes.unmake(volume)
        except errors.VolumesRefused as refused:
            LOG.warning("volume %s, made for %s, stays with its user: %s", volume.volume_id, volume.owner_uuid, refused)
            gone = True
        if gone and not (volume.volume_id is None and young):
            self._drop(volume)

    def _drop(self, row: Entity) -> None:
        def drop(tx: Transaction) -> None:
            current = tx.get(type(row), row.uuid)
            if current is not None:
                tx.drop(current)

        self._store.settle(drop)


def insists(action: Action) -> bool:
    """Whether an action is a deletion that does not wait for a host that is down: one that is forced, or of a whole capsule, which cannot
    be forced."""
    return action.action == "delete" and (action.container_uuid is None or bool(action.arguments.get("force")))


def forget(tx: Transaction, container: Container, inventory: Inventory, *, host: str | None = None) -> None:
    """Forget a container although its host has not said that nothing is left; what it has in other services is given back. ``host`` is who
    has said that something is left there, and takes that off first."""
    sandbox = tx.get(Sandbox, container.sandbox_uuid)
    journal.erase(tx, container, inventory)
    if sandbox is None or tx.get(Sandbox, sandbox.uuid) is not None:
        return
    owner = device_of(sandbox, container.uuid)
    if not tx.count(Leaving, {"owner_uuid": owner}):
        tx.add(Leaving(uuid=journal.new_uuid(), project_id=container.project_id, owner_uuid=owner, host=host))
