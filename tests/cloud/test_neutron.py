"""Containers of our service in networks of Neutron's, on two hosts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud import daemons
from cloud.services import docker, neutron
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun, address
from tests.cloud.networks import chosen, group, host_of, left, let_in, machine, operator, private, reaches, second, six, soon, zun
from zun.drivers.runtime.docker_http import DockerHttp

CODES = "errors"

__all__ = ["chosen", "group", "left", "operator", "private", "second", "six", "zun"]


def test_containers_on_two_hosts_talk_as_the_groups_permit(
    cloud: World, zun: Zun, operator: Zun, demo: Any, group: Any, left: Callable[[], list[str]]
) -> None:
    asked = {"security_groups": [group.id]}
    with zun.running(security_groups=[group.name]) as one, zun.running(**asked, hints={"different_host": one["uuid"]}) as other:
        asking, serving = machine(cloud, operator, one), machine(cloud, operator, other)
        assert {asking.host.name, serving.host.name} == {"host-a", "host-b"}
        let_in(demo, group, asking, serving, {version: address(other, version) for version in (4, 6)})
    assert left() == []


def test_a_port_is_bound_to_the_host_and_known_by_the_container(zun: Zun, operator: Zun, admin: Any, private: Any) -> None:
    with zun.running() as one:
        assert list(one["addresses"]) == [private.id]
        assert sorted(each["version"] for each in one["addresses"][private.id]) == [4, 6]
        (port,) = admin.network.ports(device_id=one["uuid"])
        assert (port.device_owner, port.status, port.project_id) == ("compute:zun", "ACTIVE", private.project_id)
        assert port.binding_host_id == host_of(operator, one)
        assert one["security_groups"] == port.security_group_ids
        assert f"mtu {private.mtu} " in zun.run(one["uuid"], "ip link show eth0")
        assert "default via 10.10.0.1 dev eth0" in zun.run(one["uuid"], "ip route")
        assert "nameserver 10.10.0.53" in zun.run(one["uuid"], "cat /etc/resolv.conf")


def test_several_networks_a_port_of_the_users_and_addresses_of_his_choice(
    zun: Zun, demo: Any, admin: Any, private: Any, second: Any, six: Any, left: Callable[[], list[str]]
) -> None:
    mine = demo.network.create_port(network_id=second.id, name="mine")
    nets = [{"network": "private", "v4-fixed-ip": "10.10.0.77"}, {"port": mine.id}, {"network": six.name}]
    with zun.running(nets=nets) as one:
        found = one["addresses"]
        assert list(found) == [private.id, second.id, six.id]
        assert "10.10.0.77" in [each["addr"] for each in found[private.id]]
        assert [(each["port"], each["preserve_on_delete"]) for each in found[second.id]] == [(mine.id, True)]
        assert [each["version"] for each in found[six.id]] == [6]
        for interface, known in (("eth0", "10.10.0.77/24"), ("eth1", found[second.id][0]["addr"]), ("eth2", found[six.id][0]["addr"])):
            assert known in zun.run(one["uuid"], f"ip addr show {interface}")
        assert "192.168.77.0/24 via 10.20.0.9 dev eth1" in zun.run(one["uuid"], "ip route")
        assert "169.254.169.254 via 10.20.0.2 dev eth1" in zun.run(one["uuid"], "ip route")
        again = zun.create(nets=[{"port": mine.id}])
        assert (again.status_code, again.json()[CODES][0]["code"]) == (400, "container.port-not-usable")
    given_back = admin.network.get_port(mine.id)
    assert (given_back.device_id, given_back.device_owner, given_back.binding_host_id) == ("", "", "")
    demo.network.delete_port(mine)
    assert left() == []


def test_an_address_of_ipv6_is_chosen_where_they_do_not_follow_from_the_ports(zun: Zun, chosen: Any, left: Callable[[], list[str]]) -> None:
    with zun.running(nets=[{"network": chosen.id, "v6-fixed-ip": "fd00:67::77"}]) as one:
        assert [each["addr"] for each in one["addresses"][chosen.id]] == ["fd00:67::77"]
        assert "fd00:67::77/64" in zun.run(one["uuid"], "ip addr show eth0")
    assert left() == []


def test_networks_come_and_go_while_it_runs(zun: Zun, private: Any, second: Any) -> None:
    with zun.running() as one:
        uuid_ = one["uuid"]
        now = zun.change(uuid_, "network_attach", network=second.name, fixed_ip="10.20.0.55")
        assert [each["addr"] for each in now["addresses"][second.id]] == ["10.20.0.55"]
        assert "10.20.0.55/24" in zun.run(uuid_, "ip addr show eth1")
        twice = zun.call("POST", f"/containers/{uuid_}/network_attach", params={"network": second.id})
        assert (twice.status_code, twice.json()[CODES][0]["code"]) == (400, "container.already-attached")
        listed = zun.call("GET", f"/containers/{uuid_}/network_list").json()["networks"]
        assert [net["net_id"] for net in listed] == [private.id, second.id]
        now = zun.change(uuid_, "network_detach", network=private.id)
        assert list(now["addresses"]) == [second.id]
        assert "eth0" not in zun.run(uuid_, "ip link")
        absent = zun.call("POST", f"/containers/{uuid_}/network_detach", params={"network": "private"})
        assert (absent.status_code, absent.json()[CODES][0]["code"]) == (400, "container.not-attached")
        now = zun.change(uuid_, "network_attach", network="private")
        assert set(now["addresses"]) == {private.id, second.id}


def test_exposed_ports_let_everybody_in(cloud: World, zun: Zun, operator: Zun, demo: Any, left: Callable[[], list[str]]) -> None:
    with zun.running(exposed_ports={"7000/tcp": {}}) as one, zun.running() as other:
        asking, serving = machine(cloud, operator, other), machine(cloud, operator, one)
        with serving.serving("tcp", 7000):
            assert soon(lambda: asking.ask("tcp", address(one), 7000, 1), "answer") == "answer"
        with serving.serving("tcp", 7001):
            assert asking.ask("tcp", address(one), 7001) == "silence"
        (group,) = one["security_groups"]
        assert demo.network.get_security_group(group).name == f"zun-{one['uuid']}"
    assert left() == []


def test_security_groups_come_and_go_while_it_runs(cloud: World, demo: Any, zun: Zun, group: Any) -> None:
    older = Zun(cloud, demo, "1.14")
    with zun.running() as one:
        now = older.change(one["uuid"], "add_security_group", name=group.name)
        assert set(now["security_groups"]) == {*one["security_groups"], group.id}
        now = older.change(one["uuid"], "remove_security_group", name=group.name)
        assert now["security_groups"] == one["security_groups"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"nets": [{"network": "no-such"}]}, 404, "network-not-found"),
        ({"nets": [{"port": "no-such"}]}, 404, "port-not-found"),
        ({"nets": [{"network": "public"}]}, 403, "external-network-attach-forbidden"),
        ({"nets": [{"network": "private", "v4-fixed-ip": "203.0.113.1"}]}, 400, "invalid-value"),
        ({"nets": [{"network": "private", "v4-fixed-ip": "10.10.0.1"}]}, 400, "invalid-value"),
        # By SLAAC, each port has the address of its own there.
        ({"nets": [{"network": "private", "v6-fixed-ip": "fd00:10:10::99"}]}, 400, "invalid-value"),
        ({"nets": [{"network": "private"}, {"network": "private"}]}, 400, "invalid-value"),
        ({"security_groups": ["no-such"]}, 400, "security-group-not-found"),
    ],
)
def test_what_cannot_be_had_is_refused_and_makes_nothing(
    zun: Zun, asked: dict[str, Any], status: int, code: str, left: Callable[[], list[str]]
) -> None:
    answer = zun.create(**asked)
    assert (answer.status_code, answer.json()[CODES][0]["code"]) == (status, f"container.{code}")
    assert left() == []


def test_a_port_that_neutron_cannot_bind_gives_error_and_leaves_nothing(operator: Zun, left: Callable[[], list[str]]) -> None:
    """A network on a wire that only the network node has; administrators may ask for it."""
    made = operator.create(nets=[{"network": "public"}]).json()
    shown = operator.settle(made["uuid"])
    assert shown["status"] == "Error"
    assert "could not be bound to host host-" in shown["status_reason"]
    assert left() == []
    operator.delete(made["uuid"])


@pytest.mark.whole
def test_an_agent_that_was_killed_loses_no_wire(cloud: World, zun: Zun, operator: Zun) -> None:
    with zun.running() as one:
        host = cloud.node(host_of(operator, one))
        (port,) = {each["port"] for found in one["addresses"].values() for each in found}
        assert reaches(zun, one["uuid"], "10.10.0.1")
        daemons.stop(host, "zun-compute", 0)
        # Somebody has been at the switch while nobody looked.
        host.run("ovs-vsctl", "del-port", f"tap{port}"[:14])
        service.start_compute(cloud, host)
        assert reaches(zun, one["uuid"], "10.10.0.1")


@pytest.mark.whole
def test_an_engine_that_was_killed_and_a_sandbox_that_died_lose_no_network(cloud: World, zun: Zun, operator: Zun) -> None:
    with zun.running() as one:
        host = cloud.node(host_of(operator, one))
        answers = lambda: "1 packets received" in zun.run(one["uuid"], "ping -c 1 -w 2 10.10.0.1")  # noqa: E731
        daemons.stop(host, "docker", 0)
        docker.start(cloud, host)
        assert soon(answers, True)
        engine = DockerHttp(str(cloud.engine(host.name)), timeout=60)
        mode = engine.call("GET", f"/containers/zun-{one['uuid']}/json").data["HostConfig"]["NetworkMode"]
        assert engine.call("POST", f"/containers/{mode.partition(':')[2]}/kill").ok
        engine.close()
        assert soon(answers, True)
        assert zun.settle(one["uuid"])["addresses"] == one["addresses"]


@pytest.mark.whole
def test_while_neutron_is_away_nothing_is_lost(cloud: World, zun: Zun, left: Callable[[], list[str]]) -> None:
    made = zun.create().json()["uuid"]
    assert zun.settle(made)["status"] == "Running"
    daemons.stop(cloud.controller, "neutron", 0)
    try:
        assert zun.create().status_code == 503
        zun.change(made, "stop", timeout="1")
        assert zun.change(made, "start")["status"] == "Running"
        assert zun.call("DELETE", f"/containers/{made}", params={"stop": "true"}).status_code == 204
        assert zun.show(made)["status"] == "Deleting"
    finally:
        neutron.start(cloud)
    zun.delete(made)
    assert left() == []


def test_a_capsule_shares_its_port(zun: Zun, demo: Any, left: Callable[[], list[str]]) -> None:
    entry = {"image": "busybox", "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]}
    template = {
        "kind": "capsule",
        "metadata": {"name": "pair"},
        "spec": {"containers": [{**entry, "ports": [{"containerPort": 80}]}, entry]},
    }
    made = zun.call("POST", "/capsules", json={"template": template}).json()["uuid"]
    shown = lambda: zun.call("GET", f"/capsules/{made}").json()  # noqa: E731
    assert soon(lambda: shown()["status"], "Running") == "Running"
    (port,) = demo.network.ports(device_id=made)
    for member in shown()["containers"]:
        assert port.fixed_ips[0]["ip_address"] in zun.run(member["uuid"], "ip addr show eth0")
    zun.call("DELETE", f"/capsules/{made}")
    assert soon(lambda: zun.call("GET", f"/capsules/{made}").status_code, 404) == 404
    assert left() == []


def test_a_floating_address_by_the_official_client(cloud: World, zun: Zun, demo: Any) -> None:
    client = str(Path(__file__).parents[2] / ".venv/bin/openstack")
    variables = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml), "OS_CLOUD": "demo"}
    with zun.running(name="web") as one:
        floating = demo.network.create_ip(floating_network_id=demo.network.find_network("public").id)
        try:
            words = ["appcontainer", "add", "floating", "ip", "web", floating.floating_ip_address]
            done = subprocess.run([client, *words], capture_output=True, text=True, env=variables, check=False, timeout=60)
            assert done.returncode == 0, done.stderr
            assert demo.network.get_ip(floating).fixed_ip_address == address(one)
        finally:
            demo.network.delete_ip(floating)
