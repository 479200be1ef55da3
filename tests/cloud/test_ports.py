"""Ports of Neutron on two hosts: bound, plugged, in force, and what crosses between the hosts is what the groups permit."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cloud import daemons
from cloud.services import openvswitch
from cloud.world import World
from tests.cloud.machines import Machine, machine
from tests.cloud.networks import let_in
from tools import processes

#: A switch is killed, and wires are counted whosever they are.
pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def network(demo: Any, admin: Any) -> Any:
    return admin.network.find_network("private", project_id=demo.current_project_id)


@pytest.fixture(scope="module")
def group(demo: Any) -> Iterator[Any]:
    """A group that lets nobody in."""
    made = demo.network.create_security_group(name="test-closed")
    yield made
    demo.network.delete_security_group(made)


@pytest.fixture(scope="module")
def pair(cloud: World, admin: Any, network: Any, group: Any) -> Iterator[tuple[Machine, Machine]]:
    """Two machines, one on each host, behind the closed group."""
    first, second = cloud.hosts
    with (
        machine(cloud, admin, first, network, security_group_ids=[group.id]) as one,
        machine(cloud, admin, second, network, security_group_ids=[group.id]) as other,
    ):
        one.lease()
        other.lease()
        yield one, other


def test_ports_are_bound_where_they_were_plugged(admin: Any, pair: tuple[Machine, Machine]) -> None:
    for each in pair:
        port = admin.network.get_port(each.port.id)
        assert (port.binding_host_id, port.binding_vif_type, port.status) == (each.host.name, "ovs", "ACTIVE")


def test_dhcp_gives_the_addresses_that_neutron_promised(pair: tuple[Machine, Machine]) -> None:
    for each in pair:
        shown = each.run("ip", "-brief", "-4", "address", "show", "eth0")
        assert shown.split()[2] == f"{each.address(4)}/24"
        assert "via 10.10.0.1" in each.run("ip", "route", "show", "default")
        assert "mtu 1450" in each.run("ip", "link", "show", "eth0")


def test_router_advertisements_give_the_addresses_that_neutron_promised(pair: tuple[Machine, Machine]) -> None:
    for each in pair:
        wanted = each.address(6)
        until = time.monotonic() + 60
        while wanted not in each.run("ip", "-brief", "-6", "address", "show", "eth0"):
            assert time.monotonic() < until
            time.sleep(0.2)


def test_who_is_let_in_crosses_the_hosts_and_nobody_else(demo: Any, pair: tuple[Machine, Machine], group: Any) -> None:
    asking, serving = pair
    let_in(demo, group, asking, serving, {version: serving.address(version) for version in (4, 6)})


def test_the_hosts_have_a_tunnel_to_each_other(cloud: World, pair: tuple[Machine, Machine]) -> None:
    first, second = cloud.hosts
    options = json.loads(first.run("ovs-vsctl", "--format=json", "--columns=options", "find", "Interface", "type=vxlan"))["data"]
    ends = [dict(pairs) for ((_, pairs),) in options]
    assert (first.underlay, second.underlay) in [(end["local_ip"], end["remote_ip"]) for end in ends]


def test_a_floating_address_is_reached_from_this_machine(
    cloud: World, admin: Any, demo: Any, pair: tuple[Machine, Machine], group: Any
) -> None:
    port = pair[1].port
    inside = pair[1].address(4)
    rule = demo.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=8082, port_range_max=8082
    )
    floating = demo.network.create_ip(floating_network_id=demo.network.find_network("public").id)
    try:
        demo.network.update_ip(floating, port_id=port.id, fixed_ip_address=inside)
        with pair[1].serving("tcp", 8082):
            until = time.monotonic() + 60
            while True:
                try:
                    with socket.create_connection((floating.floating_ip_address, 8082), timeout=2) as caller:
                        caller.sendall(b"hello")
                        assert caller.recv(10) == b"hello"
                    break
                except OSError:
                    assert time.monotonic() < until
                    time.sleep(0.2)
    finally:
        demo.network.delete_ip(floating)
        demo.network.delete_security_group_rule(rule)


def test_nothing_is_left_of_a_port_that_was_unplugged(cloud: World, admin: Any, network: Any) -> None:
    host = cloud.node("host-a")
    before = (host.run("ip", "-brief", "link"), host.run("ovs-vsctl", "list-ports", "br-int"))
    with machine(cloud, admin, host, network) as made:
        assert f"tap{made.port.id}"[:14] in host.run("ovs-vsctl", "list-ports", "br-int")
    assert (host.run("ip", "-brief", "link"), host.run("ovs-vsctl", "list-ports", "br-int")) == before
    assert admin.network.find_port(made.port.id) is None


def test_a_switch_that_was_killed_carries_on_when_it_is_back(cloud: World, demo: Any, pair: tuple[Machine, Machine], group: Any) -> None:
    asking, serving = pair
    rule = demo.network.create_security_group_rule(security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp")
    try:
        with serving.serving("tcp", 8083):
            assert _soon(asking, "tcp", serving.address(4), 8083, "answer") == "answer"
            number = daemons.pid(serving.host, "ovs-vswitchd")
            assert number is not None
            processes.kill([number])
            assert asking.ask("tcp", serving.address(4), 8083) == "silence"
            assert openvswitch.start(cloud, serving.host)
            assert _soon(asking, "tcp", serving.address(4), 8083, "answer") == "answer"
    finally:
        demo.network.delete_security_group_rule(rule)


def _soon(asking: Machine, kind: str, address: str, port: int, wanted: str) -> str:
    """What is heard, once it is what is wanted or a minute is over."""
    until = time.monotonic() + 60
    while (heard := asking.ask(kind, address, port, 2)) != wanted and time.monotonic() < until:
        pass
    return heard
