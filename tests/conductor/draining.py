"""Who takes a host out of service, and has it back."""

import pytest

from tests.world import DOWN_TIME
from zun.conductor import drain
from zun.conductor.admin import Admin
from zun.conductor.drain import Drain
from zun.domain.host import COMPUTE, Service
from zun.drivers.inventory.local import LocalInventory

FOREVER = {"Name": "always"}


class Operator:
    """Who drains and enables; a round is made when he has said so, and with :meth:`sweep`."""

    def __init__(self, world) -> None:
        self.world, self.hears = world, True
        inventory = LocalInventory(world.store, world.clock, DOWN_TIME)
        self.drains = Drain(world.store, clock=world.clock, poke=world._poke, agents=world.agents, down_time=DOWN_TIME)
        self.admin = Admin(
            world.store,
            inventory,
            clock=world.clock,
            configured=world.defaults.quota,
            service_down_time=DOWN_TIME,
            sweep=lambda: self.drains.run() if self.hears else None,
        )

    def only_say_so(self):
        """Write down that the host is drained; the process ends before anything comes of it."""
        self.hears = False
        self.drain(settle=False)
        self.hears = True

    def drain(self, host="one", timeout=600, settle=True):
        self.admin.drain(host, COMPUTE, timeout, "new disk")
        if settle:
            self.world.settle()

    def enable(self, host="one", restart=False):
        self.admin.enable(host, COMPUTE, restart=restart)
        self.world.settle()

    def sweep(self):
        self.drains.run()
        self.world.settle()

    def service(self, host="one"):
        with self.world.store.read() as tx:
            return tx.find(Service, {"host": host})[0]

    def left(self, host="one"):
        with self.world.store.read() as tx:
            return drain.count(tx, self.service(host))


@pytest.fixture
def operator(world):
    return Operator(world)


def status(world, *containers):
    return [world.container(one.uuid).status for one in containers]


def stops(world, container):
    return [action for action in world.actions(container) if action.action == "stop"]
