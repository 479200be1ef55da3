"""Networks of running containers, and those who look after them, that go away."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openstack
import pytest

from cloud import daemons
from cloud.services import agents, docker
from cloud.services import zun as service
from cloud.world import REGION, World
from tests.cloud.containers import Zun, address
from tests.cloud.networks import host_of, left, machine, operator, private, reaches, second, six, soon, zun

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
        made = one["uuid"]
        (port,) = demo.network.ports(device_id=made, network_id=second.id)
        # Its project may not, by Neutron's default policy.
        admin.network.delete_port(port)
        demo.network.delete_network(second)
        assert reaches(zun, made, "10.10.0.1")
        zun.change(made, "stop", timeout="1")
        assert zun.change(made, "start")["status"] == "Running"
        assert reaches(zun, made, "10.10.0.1")
        now = zun.change(made, "network_detach", network=second.id)
        assert list(now["addresses"]) == [private.id]
        assert "eth1" not in zun.run(made, "ip link")
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


@pytest.mark.whole
def test_a_port_that_does_not_become_active_gives_error_and_leaves_nothing(
    cloud: World, operator: Zun, admin: Any, left: Callable[[], list[str]]
) -> None:
    host, net = cloud.hosts[0], admin.network.create_network(name="silent")
    admin.network.create_subnet(network_id=net.id, ip_version=4, cidr="10.31.0.0/24", is_dhcp_enabled=False)
    service.start_compute(cloud, host, {"neutron": {"vif_plugging_timeout": 3}})
    agent = daemons.pid(host, "neutron-openvswitch-agent")
    assert agent is not None
    # What has entered the node for it stops when it does.
    starter = int(Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()[1])
    # It hears of the port, and does not answer; Neutron takes it for alive meanwhile.
    os.kill(agent, signal.SIGSTOP)
    try:
        made = operator.accepted(host=host.name, nets=[{"network": net.id}])
        shown = operator.settle(made)
    finally:
        for pid in (agent, starter):
            os.kill(pid, signal.SIGCONT)
        service.start_compute(cloud, host)
    assert shown["status"] == "Error"
    assert shown["status_reason"].endswith(f"did not become active within 3 seconds after it was plugged on host {host.name}.")
    assert left() == []
    operator.delete(made)
    admin.network.delete_network(net)


@contextmanager
def somebody_without_ports(cloud: World, demo: Any, admin: Any) -> Iterator[Zun]:
    """demo in another project of his, to which Neutron gives no port; it has a network."""
    project = admin.identity.create_project(name=f"no-ports-{uuid.uuid4()}", domain_id="default")
    try:
        admin.identity.assign_project_role_to_user(project, demo.current_user_id, admin.identity.find_role("member"))
        account = {**cloud.account("demo"), "project_name": project.name}
        with openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **account) as connection:
            net = connection.network.create_network(name="private")
            # An agent of DHCP would have a port there.
            connection.network.create_subnet(network_id=net.id, ip_version=4, cidr="10.30.0.0/24", is_dhcp_enabled=False)
            admin.network.update_quota(project.id, port=0)
            yield Zun(cloud, connection)
            assert list(admin.network.ports(project_id=project.id)) == []
            connection.network.delete_network(net)
        admin.network.delete_quota(project.id)
    finally:
        admin.identity.delete_project(project)


def test_a_project_that_has_all_ports_of_its_quota_is_told_so(cloud: World, demo: Any, admin: Any) -> None:
    with somebody_without_ports(cloud, demo, admin) as zun:
        made = zun.accepted()
        shown = zun.settle(made)
        assert shown["status"] == "Error"
        assert "Quota exceeded for resources: ['port']" in shown["status_reason"]
        assert list(admin.network.ports(device_id=made)) == []
        zun.delete(made)
