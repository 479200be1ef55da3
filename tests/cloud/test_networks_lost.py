"""Networks of running containers, and those who look after them, that go away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cloud import daemons
from cloud.services import agents, docker
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun, address
from tests.cloud.networks import host_of, left, machine, operator, private, second, six, soon, zun

__all__ = ["left", "operator", "private", "second", "six", "zun"]


@pytest.mark.whole
def test_what_containers_say_to_each_other_is_heard_whoever_is_killed_meanwhile(cloud: World, zun: Zun, operator: Zun) -> None:
    with zun.running() as one, zun.running(hints={"different_host": one["uuid"]}) as other:
        asking, serving = machine(cloud, operator, one), machine(cloud, operator, other)
        assert asking.host.name != serving.host.name
        there = address(other)
        with (
            serving.serving("tcp", 7000),
            serving.serving("udp", 7001),
            asking.conversing("tcp", there, 7000) as stream,
            asking.conversing("udp", there, 7001) as packets,
        ):
            daemons.stop(serving.host, "zun-compute", 0)
            daemons.stop(serving.host, "docker", 0)
            docker.start(cloud, serving.host)
            service.start_compute(cloud, serving.host)
            assert soon(lambda: zun.run(other["uuid"], "echo awake"), "awake\n") == "awake\n"
    for told in (stream, packets):
        assert told[0].endswith(" said, 0 lost"), told
        assert int(told[0].split()[0]) > 0


def test_a_network_that_is_removed_under_a_running_container(
    zun: Zun, demo: Any, admin: Any, private: Any, second: Any, left: Callable[[], list[str]]
) -> None:
    with zun.running(nets=[{"network": "private"}, {"network": second.id}]) as one:
        uuid = one["uuid"]
        (port,) = demo.network.ports(device_id=uuid, network_id=second.id)
        # Its project may not, by Neutron's default policy.
        admin.network.delete_port(port)
        demo.network.delete_network(second)
        assert "1 packets received" in zun.run(uuid, "ping -c 1 -w 4 10.10.0.1")
        zun.change(uuid, "stop", timeout="1")
        assert zun.change(uuid, "start")["status"] == "Running"
        assert "1 packets received" in zun.run(uuid, "ping -c 1 -w 4 10.10.0.1")
        now = zun.change(uuid, "network_detach", network=second.id)
        assert list(now["addresses"]) == [private.id]
        assert "eth1" not in zun.run(uuid, "ip link")
    assert left() == []


def test_containers_of_a_network_of_ipv6_only_talk_across_hosts(
    cloud: World, zun: Zun, operator: Zun, six: Any, left: Callable[[], list[str]]
) -> None:
    nets = [{"network": six.id}]
    with zun.running(nets=nets) as one, zun.running(nets=nets, hints={"different_host": one["uuid"]}) as other:
        asking, serving = machine(cloud, operator, one), machine(cloud, operator, other)
        assert asking.host.name != serving.host.name
        for kind in ("tcp", "udp"):
            with serving.serving(kind, 7000):
                assert soon(lambda: asking.ask(kind, address(other, 6), 7000, 1), "answer") == "answer"  # noqa: B023 - asked at once
        assert "default via fd00:66:: dev eth0" in zun.run(one["uuid"], "ip -6 route")
        assert "inet " not in zun.run(one["uuid"], "ip addr show eth0")
    assert left() == []


@pytest.mark.whole
def test_a_deletion_does_not_wait_for_a_port_that_does_not_become_active(
    cloud: World, zun: Zun, operator: Zun, demo: Any, left: Callable[[], list[str]]
) -> None:
    with zun.running() as one:
        host = cloud.node(host_of(operator, one))
        before = left()
        # Neutron binds ports to this host as long as it does not know that nobody wires them there.
        daemons.stop(host, "neutron-openvswitch-agent", 0)
        try:
            waiting = zun.create(hints={"same_host": one["uuid"]}).json()["uuid"]
            assert soon(lambda: [port.status for port in demo.network.ports(device_id=waiting)], ["DOWN"]) == ["DOWN"]
            assert operator.call("DELETE", f"/containers/{waiting}", params={"force": "true"}).status_code == 204
            # In less time than a port may take.
            assert soon(lambda: zun.call("GET", f"/containers/{waiting}").status_code, 404, 30) == 404
            assert soon(left, before) == before
        finally:
            agents.start_switch(cloud, host)
            # It is at work again, for whoever comes next.
            agents.await_reports(cloud)
    assert left() == []
