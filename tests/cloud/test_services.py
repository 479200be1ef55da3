"""Every service answers, to whom it should."""

from __future__ import annotations

import os
import subprocess
import uuid
from typing import Any

import pytest

from cloud import daemons
from cloud.services import rabbitmq
from cloud.world import HOSTS, PEOPLE, REGION, SERVICE_USERS, World
from tools.environment import REPOSITORY
from zun.drivers.runtime.docker_http import DockerHttp


def test_every_daemon_lives(cloud: World) -> None:
    daemons_of = {node.name: daemons.names(node) for node in cloud.nodes()}
    assert {"docker", "ovs-vswitchd", "ovsdb-server", "neutron-openvswitch-agent"} <= set(daemons_of["host-a"])
    assert daemons_of["host-a"] == daemons_of["host-b"]
    assert [(node.name, name) for node in cloud.nodes() for name in daemons_of[node.name] if daemons.pid(node, name) is None] == []


@pytest.mark.whole
def test_a_cloud_that_is_up_is_left_as_it_is(cloud: World) -> None:
    """``make cloud`` again: the one line in which it speaks of time is that there was nothing to do, and no process is another one."""
    alive = lambda: {(node.name, name): daemons.pid(node, name) for node in cloud.nodes() for name in daemons.names(node)}  # noqa: E731
    before = alive()
    said = subprocess.run(["make", "--no-print-directory", "cloud"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert [line.partition("] ")[2] for line in said.splitlines() if line.startswith("[")] == ["the cloud was up already"]
    assert alive() == before


def test_everybody_gets_a_token(cloud: World) -> None:
    openstack = pytest.importorskip("openstack")
    for user in (*PEOPLE, *SERVICE_USERS):
        connection = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account(user))
        assert connection.authorize(), user
        roles = {role["name"] for role in connection.session.auth.get_access(connection.session)._data["token"]["roles"]}
        wanted = {"admin", "service"} if user in SERVICE_USERS else set(PEOPLE[user][1])
        assert wanted <= roles, user
        connection.close()


def test_the_catalog_has_a_place_for_containers(cloud: World, demo: Any) -> None:
    assert demo.session.get_endpoint(service_type="container", interface="public", region_name=REGION) == cloud.url("container")
    assert demo.session.get_endpoint(service_type="application-container", region_name=REGION) == cloud.url("container")


def test_all_agents_of_neutron_are_alive(admin: Any) -> None:
    agents = {(agent.agent_type, agent.host) for agent in admin.network.agents() if agent.is_alive}
    switches = {("Open vSwitch agent", node) for node in ("network", "host-a", "host-b")}
    assert agents == switches | {(f"{kind} agent", "network") for kind in ("DHCP", "L3", "Metadata")}


def test_placement_takes_a_provider(admin: Any) -> None:
    provider = admin.placement.create_resource_provider(name=f"test-{uuid.uuid4()}")
    try:
        inventory = admin.placement.create_resource_provider_inventory(provider, "VCPU", total=4)
        assert inventory.total == 4
    finally:
        admin.placement.delete_resource_provider(provider)


def test_an_image_comes_back_as_it_was_sent(demo: Any) -> None:
    """By pieces of unknown number, as a stream is sent."""
    content = os.urandom(3 << 20)
    image = demo.image.create_image(name="test", disk_format="raw", container_format="docker", visibility="private")
    try:
        demo.image.put(
            f"/images/{image.id}/file", data=iter([content[:1000], content[1000:]]), headers={"Content-Type": "application/octet-stream"}
        )
        assert demo.image.get_image(image.id).status == "active"
        assert demo.image.download_image(image.id).content == content
    finally:
        demo.image.delete_image(image.id)


@pytest.mark.parametrize("host", HOSTS)
def test_an_engine_pulls_what_is_meant_for_docker_hub_from_the_registry(cloud: World, host: str) -> None:
    engine = DockerHttp(str(cloud.engine(host)), timeout=60)
    try:
        with engine.stream("POST", "/images/create", query={"fromImage": "busybox", "tag": "latest"}) as pulled:
            told = b"".join(pulled.lines())
        assert b"errorDetail" not in told, told
        assert engine.call("GET", "/images/busybox:latest/json").data["Architecture"] in ("amd64", "arm64")
    finally:
        engine.close()


def test_whoever_waits_for_a_message_of_ours_waits_at_a_queue_that_outlives_the_broker(cloud: World) -> None:
    """But what is said to all at once, and answers: who made their queues, or asked, is gone with them."""
    kinds = rabbitmq.kinds(cloud)
    ours = {name: kind for name, kind in kinds.items() if name.startswith("zun-") and "_fanout_" not in name}
    assert {"zun-conductor", *(f"zun-compute.{host}" for host in HOSTS), "zun-rounds", "zun-streams", "zun-wsproxy"} <= set(ours)
    assert set(ours.values()) == {"quorum"}


def test_the_command_works_at_once(cloud: World) -> None:
    for user, wanted in (("demo", "private"), ("admin", "public")):
        script = f'. "{cloud.folder}/openrc"; OS_CLOUD={user} openstack network list -f value -c Name'
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
        assert wanted in said.stdout.split()


def test_secrets_are_closed_to_others(cloud: World) -> None:
    assert cloud.folder.stat().st_mode & 0o077 == 0
    for path in (cloud.clouds_yaml, cloud.folder / "openrc", cloud.folder / "world.json", *cloud.folder.glob("nodes/*/etc/*/*.conf")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_nothing_of_it_listens_on_this_machine(cloud: World) -> None:
    """Its services have networks of their own; this machine's own has two wires into them."""
    listening = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True).stdout
    inside = {number for node in cloud.nodes() for number in daemons.members(node)}
    assert not [line for line in listening.splitlines() if any(f"pid={number}," in line for number in inside)]
