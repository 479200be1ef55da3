"""What is known of networks: how often Neutron is asked for it."""

from __future__ import annotations

import pytest

from tests.drivers.network.neutrons import FakeNeutron
from zun import errors
from zun.drivers.network.cloud import Net, Subnet
from zun.drivers.network.facts import Facts


class Counted(FakeNeutron):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def network(self, network_id: str) -> Net | None:
        self.asked += 1
        return super().network(network_id)

    def subnets(self, network_id: str) -> list[Subnet]:
        self.asked += 1
        return super().subnets(network_id)


def test_a_burst_asks_once_and_the_next_one_sees_what_was_changed() -> None:
    neutron, now = Counted(), [0.0]
    facts, net = Facts(neutron, clock=lambda: now[0]), neutron.add_network("project", mtu=1400)
    for _ in range(10):
        assert facts.network(net.id, set(net.subnets))[0].mtu == 1400
    assert neutron.asked == 2
    neutron.nets[net.id] = Net(id=net.id, name="", project_id="project", mtu=1300)
    now[0] = 6
    assert facts.network(net.id, set(net.subnets))[0].mtu == 1300


def test_a_subnet_that_is_younger_than_the_burst_is_found() -> None:
    neutron = FakeNeutron()
    facts, net = Facts(neutron, clock=lambda: 0.0), neutron.add_network("project")
    facts.network(net.id, set(net.subnets))
    neutron.known_subnets[net.id].append(Subnet(id="young", cidr="10.99.0.0/24"))
    assert "young" in facts.network(net.id, {"young"})[1]


def test_a_network_that_is_gone_is_refused() -> None:
    with pytest.raises(errors.NetworkRefused, match="is gone"):
        Facts(FakeNeutron()).network("some", set())


def test_who_gives_addresses_is_asked_for_until_there_is_somebody() -> None:
    neutron = FakeNeutron()
    facts, net = Facts(neutron, clock=lambda: 0.0), neutron.add_network("project")
    assert facts.name_servers(net.id, set(net.subnets)) == []
    neutron.make_port({"network_id": net.id, "project_id": "project", "device_owner": "network:dhcp"})
    assert len(facts.name_servers(net.id, set(net.subnets))) == 1
