"""A sandbox that is plugged by the driver for Neutron."""

from __future__ import annotations

import uuid
from typing import Any

from tests.drivers.network.neutrons import FakeGround
from zun.conformance.network import wish
from zun.drivers.network.neutron import NeutronNetwork


def plug(network: NeutronNetwork, ground: FakeGround, device: str, **asked: Any) -> Any:
    plugged = network.plug(network.choose(wish(ground, **asked), external=False), device, ground.sandbox())
    network.settle(plugged)
    return plugged


def device() -> str:
    return str(uuid.uuid4())
