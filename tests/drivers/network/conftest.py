"""The driver for Neutron, on a small Neutron in this process."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.drivers.network.neutrons import FakeGround, FakeNeutron, FakeWires
from zun.drivers.network.activity import Activity
from zun.drivers.network.names import Names
from zun.drivers.network.neutron import NeutronNetwork
from zun.drivers.network.ports import Ports


@pytest.fixture
def neutron() -> FakeNeutron:
    return FakeNeutron()


@pytest.fixture
def wires(neutron: FakeNeutron) -> FakeWires:
    return FakeWires(neutron)


@pytest.fixture
def ground(neutron: FakeNeutron, wires: FakeWires) -> FakeGround:
    return FakeGround(neutron, wires)


@pytest.fixture
def network(neutron: FakeNeutron, wires: FakeWires, tmp_path: Path) -> NeutronNetwork:
    ticks = itertools.count()
    activity = Activity(neutron, host="here", timeout=5, clock=lambda: float(next(ticks)), sleep=lambda seconds: None)
    return NeutronNetwork(neutron, Ports(neutron, host="here"), activity, lambda: wires, Names(tmp_path), lambda seconds: None)
