"""Networks for containers of our service, on two hosts, and what is left of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.machines import Machine
from zun.drivers.runtime.docker_http import DockerHttp


@pytest.fixture(scope="module")
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo)


@pytest.fixture(scope="module")
def operator(cloud: World, admin: Any) -> Zun:
    return Zun(cloud, admin)


@pytest.fixture(scope="module")
def private(demo: Any) -> Any:
    return demo.network.find_network("private")


@pytest.fixture
def second(demo: Any) -> Iterator[Any]:
    """A network without a router, with routes (one to whoever has metadata, as isolated networks may have) and nobody who answers for names
    but who gives the addresses."""
    made = demo.network.create_network(name=f"second-{uuid.uuid4()}")
    routes = [
        {"destination": "192.168.77.0/24", "nexthop": "10.20.0.9"},
        {"destination": "169.254.169.254/32", "nexthop": "10.20.0.2"},
    ]
    demo.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.20.0.0/24", host_routes=routes)
    yield made
    demo.network.delete_network(made)


@pytest.fixture
def six(demo: Any) -> Iterator[Any]:
    """A network of IPv6 only."""
    made = demo.network.create_network(name=f"six-{uuid.uuid4()}")
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    demo.network.create_subnet(network_id=made.id, ip_version=6, cidr="fd00:66::/64", **modes)
    yield made
    demo.network.delete_network(made)


@pytest.fixture
def chosen(demo: Any) -> Iterator[Any]:
    """A network of IPv6 only in which whoever makes a port may choose its address, or DHCP does."""
    made = demo.network.create_network(name=f"chosen-{uuid.uuid4()}")
    modes = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    demo.network.create_subnet(network_id=made.id, ip_version=6, cidr="fd00:67::/64", **modes)
    yield made
    demo.network.delete_network(made)


@pytest.fixture
def group(demo: Any) -> Iterator[Any]:
    made = demo.network.create_security_group(name=f"closed-{uuid.uuid4()}")
    yield made
    demo.network.delete_security_group(made)


@pytest.fixture
def left(cloud: World, admin: Any, demo: Any) -> Callable[[], list[str]]:
    """What there is of containers' networks anywhere, of those that came after the test began, and are not another project's."""
    mine = {admin.current_project_id, demo.current_project_id}

    def others(ports: list[Any]) -> set[str]:
        return {f"tap{port.id}"[:14] for port in ports if port.project_id not in mine}

    def count() -> list[str]:
        ports = list(admin.network.ports(device_owner="compute:zun"))
        found = [port.id for port in ports if port.project_id in mine]
        groups = [group for group in admin.network.security_groups() if group.project_id in mine]
        found += [group.name for group in groups if group.name.startswith("zun-")]
        taps = []
        for host in cloud.hosts:
            taps += [line for line in host.run("ovs-vsctl", "list-ports", "br-int").split() if line.startswith("tap")]
            taps += [line.split()[0] for line in host.run("ip", "-brief", "link").splitlines() if line.startswith("tap")]
        # A port is there before its wires are, and after them: seen before, or seen now.
        known = others(ports) | others(list(admin.network.ports(device_owner="compute:zun")))
        return found + [tap for tap in taps if tap.partition("@")[0] not in known]

    before = count()
    return lambda: [each for each in count() if each not in before]


def reaches(zun: Zun, uuid: str, address: str) -> bool:
    """Whether a container hears from an address. Other nodes may be told of its port a little later than that it is active."""
    return bool(soon(lambda: "1 packets received" in zun.run(uuid, f"ping -c 1 -w 2 {address}"), True))


def soon(ask: Callable[[], Any], wanted: Any, seconds: float = 90) -> Any:
    """What is answered, once it is what is wanted or the time is over."""
    until = time.monotonic() + seconds
    while (heard := ask()) != wanted and time.monotonic() < until:
        time.sleep(0.2)
    return heard


#: what is said by whom, and in which version of IP
WAYS = [("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)]


def let_in(demo: Any, group: Any, asking: Machine, serving: Machine, addresses: dict[int, str], port: int = 7000) -> None:
    """Whoever is behind a group that lets nobody in is heard in just those ways that a rule permits, for as long as there is the rule.

    ``addresses`` are those of the one who serves, by their version of IP.
    """
    with ThreadPoolExecutor(len(WAYS)) as pool, serving.serving("tcp", port), serving.serving("udp", port):

        def heard(seconds: float = 1) -> list[str]:
            return list(pool.map(lambda way: asking.ask(way[0], addresses[way[1]], port, seconds), WAYS))

        def permit(*ways: tuple[str, int]) -> list[Any]:
            ports = {"port_range_min": port, "port_range_max": port}
            rules = [{"direction": "ingress", "ethertype": f"IPv{version}", "protocol": kind, **ports} for kind, version in ways]
            return [demo.network.create_security_group_rule(security_group_id=group.id, **rule) for rule in rules]

        assert heard(3) == ["silence"] * 4
        rules = permit(("tcp", 4), ("udp", 6))
        some = ["answer", "silence", "silence", "answer"]
        assert soon(heard, some) == some
        rules += permit(("udp", 4), ("tcp", 6))
        assert soon(heard, ["answer"] * 4) == ["answer"] * 4
        for rule in rules:
            demo.network.delete_security_group_rule(rule)
        assert soon(heard, ["silence"] * 4) == ["silence"] * 4


def host_of(operator: Zun, container: dict[str, Any]) -> str:
    return str(operator.show(container["uuid"])["host"])


def machine(cloud: World, operator: Zun, container: dict[str, Any]) -> Machine:
    """The container as a place that one talks from."""
    host = host_of(operator, container)
    engine = DockerHttp(str(cloud.engine(host)), timeout=60)
    shown = engine.call("GET", f"/containers/zun-{container['uuid']}/json")
    engine.close()
    return Machine(cloud.node(host), shown.data["State"]["Pid"], None)
