"""The official client where there are Neutron, Cinder and Glance: its commands and options that an embedded service can only refuse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.service.aio import PROGRAM, eventually
from tests.service.official import Official
from tests.service.on_cloud import OnCloud

pytestmark = pytest.mark.on_cloud("it has networks, volumes and stored images")

SMALL = ("--cpu", "0.1", "--memory", "32")


@pytest.fixture
def cloud(service: OnCloud) -> Any:
    """The other services, by openstacksdk."""
    return service.connection


@pytest.fixture
def gone(service: OnCloud) -> Iterator[Any]:
    """Takes the names of containers that shall be gone when the test ends."""
    names: list[str] = []
    yield names.append
    for name in names:
        service.delete(f"/containers/{name}", params={"force": True})
        service.wait_gone(name)


@pytest.fixture
def web(openstack: Official, service: OnCloud, gone: Any) -> str:
    """A container that runs in the project's network."""
    gone("web")
    openstack("run", "--name", "web", "--net", f"network={service.network}", *SMALL, "busybox", *PROGRAM)
    service.wait("web", "Running")
    return "web"


@pytest.fixture
def second(cloud: Any) -> Iterator[Any]:
    """Another network."""
    made = cloud.network.create_network(name=f"second-{uuid.uuid4().hex[:8]}")
    cloud.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.45.0.0/24")
    yield made
    cloud.network.delete_network(made)


@pytest.fixture
def port(cloud: Any, second: Any) -> Iterator[Any]:
    """A port of the user's own in it."""
    made = cloud.network.create_port(network_id=second.id, name="mine")
    yield made
    cloud.network.delete_port(made)


@pytest.fixture
def group(cloud: Any) -> Iterator[Any]:
    """A security group."""
    made = cloud.network.create_security_group(name=f"closed-{uuid.uuid4().hex[:8]}")
    yield made
    cloud.network.delete_security_group(made)


def addresses(service: OnCloud, name: str) -> dict[str, list[str]]:
    return {network: [each["addr"] for each in found] for network, found in service.show(name)["addresses"].items()}


def groups(cloud: Any, service: OnCloud, name: str) -> set[str]:
    """The security groups of a container's ports."""
    (found,) = cloud.network.ports(device_id=service.show(name)["uuid"])
    return set(found.security_group_ids)


def test_networks_of_a_container(openstack: Official, service: OnCloud, cloud: Any, web: str) -> None:
    # A fault of the client: its formatter of addresses is none that osc-lib takes any more. The library's call is right.
    assert openstack("network", "list", "web", succeeds=False) == "Invalid formatter provided.\n"
    (network,) = service.get("/containers/web/network_list").json()["networks"]
    (port,) = cloud.network.ports(device_id=service.show("web")["uuid"])
    assert (network["port_id"], network["net_id"]) == (port.id, cloud.network.find_network(service.network).id)
    assert addresses(service, "web") == {network["net_id"]: [port.fixed_ips[0]["ip_address"]]}


def test_networks_are_attached_and_detached(openstack: Official, service: OnCloud, second: Any, port: Any, web: str) -> None:
    told = openstack("network", "attach", "--network", second.name, "--fixed-ip", "10.45.0.77", "web")
    assert "Request to attach network to container web has been accepted" in told
    eventually(lambda: addresses(service, "web").get(second.id) == ["10.45.0.77"])
    assert "has been accepted" in openstack("network", "detach", "--network", second.name, "web")
    eventually(lambda: second.id not in addresses(service, "web"))
    assert "has been accepted" in openstack("network", "attach", "--port", port.id, "web")
    eventually(lambda: addresses(service, "web").get(second.id) == [port.fixed_ips[0]["ip_address"]])
    assert "has been accepted" in openstack("network", "detach", "--port", port.id, "web")
    eventually(lambda: second.id not in addresses(service, "web"))


def test_security_groups_until_1_14(openstack: Official, service: OnCloud, cloud: Any, group: Any, web: str) -> None:
    before = groups(cloud, service, "web")
    assert "has been accepted" in openstack("add", "security", "group", "web", group.name, at="1.14")
    eventually(lambda: groups(cloud, service, "web") == before | {group.id})
    service.wait("web", "Running")
    assert "has been accepted" in openstack("remove", "security", "group", "web", group.name, at="1.14")
    eventually(lambda: groups(cloud, service, "web") == before)
    service.wait("web", "Running")
    # Since 1.15 the commands are left in the client though the calls are gone: groups are changed on ports, in Neutron.
    assert "failed: Not Acceptable (HTTP 406)" in openstack("add", "security", "group", "web", group.name, refused=True)


def test_floating_ips(openstack: Official, service: OnCloud, cloud: Any, web: str) -> None:
    floating = cloud.network.create_ip(floating_network_id=cloud.network.find_network("public").id)
    try:
        (fixed,) = next(iter(addresses(service, "web").values()))
        openstack("add", "floating", "ip", "--fixed-ip-address", fixed, "web", floating.floating_ip_address)
        assert cloud.network.get_ip(floating.id).fixed_ip_address == fixed
        openstack("remove", "floating", "ip", floating.floating_ip_address)
        assert cloud.network.get_ip(floating.id).fixed_ip_address is None
        openstack("add", "floating", "ip", "web", floating.floating_ip_address)
        assert cloud.network.get_ip(floating.id).fixed_ip_address == fixed
    finally:
        cloud.network.delete_ip(floating)


def test_containers_begin_in_networks_of_their_users_choice(
    openstack: Official, service: OnCloud, cloud: Any, port: Any, group: Any, second: Any, gone: Any
) -> None:
    for name in ("one", "two", "three"):
        gone(name)
    wanted = f"network={second.name},v4-fixed-ip=10.45.0.99"
    openstack("create", "--name", "one", "--net", wanted, "--security-group", group.name, *SMALL, "busybox")
    openstack("run", "--name", "two", "--net", f"port={port.id}", *SMALL, "busybox", *PROGRAM)
    openstack("run", "--name", "three", "--security-group", group.name, *SMALL, "busybox", *PROGRAM)
    service.wait("one", "Created")
    service.wait("two", "Running")
    service.wait("three", "Running")
    assert addresses(service, "one") == {second.id: ["10.45.0.99"]}
    assert addresses(service, "two") == {second.id: [port.fixed_ips[0]["ip_address"]]}
    assert groups(cloud, service, "one") == groups(cloud, service, "three") == {group.id}


def test_ports_are_exposed(openstack: Official, service: OnCloud, cloud: Any, gone: Any) -> None:
    for name in ("one", "two"):
        gone(name)
    openstack("create", "--name", "one", "--expose-port", "80/tcp", *SMALL, "busybox")
    openstack("run", "--name", "two", "--expose-port", "5353/udp", *SMALL, "busybox", *PROGRAM)
    for name, status, opened in (("one", "Created", ("tcp", 80)), ("two", "Running", ("udp", 5353))):
        service.wait(name, status)
        rules = [rule for each in groups(cloud, service, name) for rule in cloud.network.security_group_rules(security_group_id=each)]
        assert opened in {(rule.protocol, rule.port_range_min) for rule in rules if rule.direction == "ingress"}


def test_volumes_of_the_user_s_and_new_ones_are_mounted(openstack: Official, service: OnCloud, cloud: Any, gone: Any) -> None:
    kind = next(each.id for each in cloud.block_storage.types() if each.name == "formatted")
    volume = cloud.block_storage.create_volume(name="kept", size=1, volume_type=kind)
    try:
        cloud.block_storage.wait_for_status(volume, "available", failures=["error"], interval=1, wait=60)
        openstack("create", "--name", "one", "--mount", f"source={volume.id},destination=/data", *SMALL, "busybox", *PROGRAM)
        service.wait("one", "Created", "Error")
        openstack("start", "one")
        service.wait("one", "Running")
        assert "exit 0" in openstack("exec", "one", "sh", "-c", "echo hello > /data/letter && cat /data/letter && echo exit 0")
        assert cloud.block_storage.get_volume(volume.id).status == "in-use"
        service.delete("/containers/one", params={"force": True})
        service.wait_gone("one")
        eventually(lambda: cloud.block_storage.get_volume(volume.id).status == "available")
    finally:
        service.delete("/containers/one", params={"force": True})
        service.wait_gone("one")
        cloud.block_storage.delete_volume(volume)
    gone("two")
    openstack("run", "--name", "two", "--mount", "size=1,destination=/data", *SMALL, "busybox", *PROGRAM)
    uuid = service.wait("two", "Running")["uuid"]
    assert "hello" in openstack("exec", "two", "sh", "-c", "echo hello > /data/letter && cat /data/letter")
    assert [each.attachments[0]["server_id"] for each in cloud.block_storage.volumes() if each.attachments] == [uuid]


def test_a_commit_is_an_image_of_glance_that_can_be_run(openstack: Official, service: OnCloud, cloud: Any, gone: Any) -> None:
    for name in ("source", "copy"):
        gone(name)
    openstack("run", "--name", "source", *SMALL, "busybox", "sh", "-c", "echo hello > /letter; trap 'exit 0' TERM; sleep 1000 & wait")
    service.wait("source", "Running")
    repository = f"snapshot-{uuid.uuid4().hex[:8]}"
    told = openstack("commit", "source", repository)
    assert "has been accepted" in told
    image = told.rpartition("The image is ")[2].strip().rstrip(".")
    eventually(lambda: not service.committing("source"), "the commit ends")
    try:
        openstack("run", "--name", "copy", "--image-driver", "glance", *SMALL, repository, *PROGRAM)
        assert service.wait("copy", "Running", "Error")["status"] == "Running"
        assert "hello" in openstack("exec", "copy", "cat", "/letter")
        openstack("delete", "--force", "copy")
        service.wait_gone("copy")
    finally:
        service.forget_image(image)
        for found in cloud.image.images(name=repository):
            cloud.image.delete_image(found)


def test_what_is_not_there_or_not_for_everybody_is_refused_in_words(openstack: Official) -> None:
    refusals = {
        "Policy doesn't allow container:create:privileged to be performed. (HTTP 403)": (
            openstack("create", "--privileged", "busybox", succeeds=False),
            openstack("run", "--privileged", "busybox", succeeds=False),
        ),
    }
    for words, told in refusals.items():
        assert [each for each in told if not each.startswith(words)] == []
    assert openstack("list", "-f", "json") == [], "a refusal leaves nothing behind"
