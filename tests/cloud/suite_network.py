"""The suite of network drivers, run in a compute node by ``test_network_suite.py``: the driver as the node's agent has it, with the real
Neutron, switch and kernel. Not found by pytest unless it is named."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
import sqlalchemy as sa
from oslo_config import cfg

from cloud import world
from cloud.services import settings
from cloud.world import REGION, World
from zun import conf as zun_conf
from zun import errors
from zun.conformance.network import Ground, NetworkSuite, wish
from zun.drivers.network.cloud import OWNER
from zun.interfaces.network import Network
from zun.interfaces.runtime import SandboxState
from zun.wiring import network as wiring

CIDRS = {4: "10.{}.0.0/24", 6: "fd00:77:{}::/64"}
#: Addresses are told by Neutron and set by the driver; without DHCP a network is made in a fraction of the time.
MODES: dict[int, dict[str, Any]] = {4: {"is_dhcp_enabled": False}, 6: {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}


class Estate:
    """A project and its networks, which all tests have one after another: to make and remove them takes longer than to try them. The
    first one is the oldest."""

    def __init__(self, admin: Any) -> None:
        self._admin = admin
        self.project = str(admin.identity.create_project(name=f"suite-{uuid.uuid4()}").id)
        self._networks: dict[tuple[int, ...], list[Any]] = {}
        self._made = 0
        self._second = 0
        self.network((4,), 0)

    def network(self, versions: tuple[int, ...], place: int) -> Any:
        """One of those with these subnets."""
        found = self._networks.setdefault(versions, [])
        while len(found) <= place:
            found.append(self.make(versions, self.project))
        return found[place]

    def make(self, versions: tuple[int, ...], owner: str, **more: Any) -> Any:
        """A new one of somebody's."""
        # Which of two is the older one is told in seconds.
        while int(time.time()) <= self._second:
            time.sleep(0.05)
        made = self._admin.network.create_network(name=f"suite-{uuid.uuid4()}", project_id=owner, **more)
        self._made += 1
        for version in versions:
            cidr = CIDRS[version].format(40 + self._made)
            self._admin.network.create_subnet(network_id=made.id, project_id=owner, ip_version=version, cidr=cidr, **MODES[version])
        self._second = int(time.time())
        return made

    def close(self) -> None:
        """Nothing of it is left."""
        for networks in self._networks.values():
            for net in networks:
                self._admin.network.delete_network(net)
        for group in self._admin.network.security_groups(project_id=self.project):
            self._admin.network.delete_security_group(group)
        self._admin.identity.delete_project(self.project)


class RealGround(Ground):
    """What an administrator makes in the project, and looks at."""

    def __init__(self, admin: Any, estate: Estate) -> None:
        self._admin, self._estate = admin, estate
        self._nets = admin.network
        self.project = estate.project
        self._used: list[Any] = []
        self._external: list[Any] = []
        self._boxes: list[subprocess.Popen[bytes]] = []
        self._given: Counter[tuple[int, ...]] = Counter()

    def network(self, *, external: bool = False, versions: tuple[int, ...] = (4,)) -> str:
        if external:
            made = self._estate.make(versions, self._admin.current_project_id, is_router_external=True)
            self._external.append(made)
        else:
            made = self._estate.network(versions, self._given[versions])
            self._given[versions] += 1
            self._used.append(made)
        return str(made.id)

    def port(self, network: str) -> str:
        return str(self._nets.create_port(network_id=network, project_id=self.project).id)

    def group(self) -> str:
        return str(self._nets.create_security_group(name=f"suite-{uuid.uuid4()}", project_id=self.project).id)

    def shown(self, port: str) -> dict[str, Any] | None:
        found = self._nets.find_port(port)
        if found is None:
            return None
        return {"device_id": found.device_id, "host": found.binding_host_id, "groups": found.security_group_ids}

    def lose(self, port: str) -> None:
        self._nets.delete_port(port)

    def left(self, device: str) -> list[str]:
        found = [port.id for port in self._nets.ports(device_id=device) if port.device_owner == OWNER]
        found += [group.id for group in self._nets.security_groups(name=f"zun-{device}")]
        find = ["ovs-vsctl", "--bare", "--columns=name", "find", "Interface", f"external_ids:vm-uuid={device}"]
        found += subprocess.run(find, capture_output=True, text=True, check=True).stdout.split()
        return found

    def sandbox(self) -> SandboxState:
        before = os.readlink("/proc/self/ns/net")  # noqa: PTH115 - it is no path that it leads to
        box = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self._boxes.append(box)
        place = f"/proc/{box.pid}/ns/net"
        while (network := os.readlink(place)) == before:  # noqa: PTH115
            time.sleep(0.01)
        return SandboxState(uuid=str(uuid.uuid4()), engine_id=str(uuid.uuid4()), running=True, hostname="box", netns=place, network=network)

    def taps(self) -> set[str]:
        """The host's ends of wires, but those of other projects."""
        links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
        others = {f"tap{port.id}"[:14] for port in self._nets.ports() if port.project_id != self.project}
        return {line.split("@")[0] for line in links.splitlines() if line.startswith("tap")} - others

    def close(self) -> None:
        """Nothing is left of what the test has made."""
        for box in self._boxes:
            box.kill()
            box.wait()
        for net in self._used:
            for port in self._nets.ports(network_id=net.id):
                if port.device_owner != "network:dhcp":
                    self._nets.delete_port(port)
        for net in self._external:
            self._nets.delete_network(net)
        for group in self._nets.security_groups(project_id=self.project):
            if group.name != "default":
                self._nets.delete_security_group(group)


@pytest.fixture(scope="module")
def here() -> World:
    return world.load()


@pytest.fixture(scope="module")
def admin(here: World) -> Iterator[Any]:
    made = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **here.account("admin"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def estate(admin: Any) -> Iterator[Estate]:
    made = Estate(admin)
    yield made
    made.close()


@pytest.fixture
def ground(admin: Any, estate: Estate) -> Iterator[RealGround]:
    made = RealGround(admin, estate)
    yield made
    made.close()


def configured(here: World, **changes: Any) -> cfg.ConfigOpts:
    """What the agent of this node is configured with, but for these."""
    file = settings.folder(here.node(os.environ["SUITE_NODE"]), "zun") / "zun.conf"
    conf = zun_conf.new()
    conf(["--config-file", str(file)], project="zun", default_config_files=[])
    # Else the node's own agent would look after it, and find that nobody knows what is plugged here.
    conf.set_override("state_path", tempfile.mkdtemp(prefix="zun-suite-"))
    for name, value in changes.items():
        conf.set_override(name, value, group="neutron" if name == "vif_plugging_timeout" else None)
    return conf


@pytest.fixture(scope="module")
def network(here: World) -> Network:
    return wiring.driver(configured(here))


class TestNeutron(NetworkSuite):
    """The driver keeps every promise with the real thing."""


def _taps(ground: RealGround, plug: Any) -> set[str]:
    before = ground.taps()
    plug()
    return ground.taps() - before


@pytest.mark.parametrize(
    ("bound_to", "error"), [("host-of-nobody", errors.BindingFailed), ("the-other-host", errors.PortNotActive)], ids=["unbound", "inactive"]
)
def test_a_port_that_comes_to_nothing_says_why_and_leaves_nothing(
    here: World, ground: RealGround, bound_to: str, error: type[Exception]
) -> None:
    other = next(node.name for node in here.hosts if node.name != os.environ["SUITE_NODE"])
    network = wiring.driver(configured(here, host=other if bound_to == "the-other-host" else bound_to, vif_plugging_timeout=2.0))
    sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}], exposed_ports={"80/tcp": {}}), external=False)
    device = str(uuid.uuid4())

    def plug() -> None:
        with pytest.raises(error, match=other if bound_to == "the-other-host" else bound_to):
            network.settle(network.plug(sandbox, device, ground.sandbox()))

    taps = _taps(ground, plug)
    assert ground.left(device)
    network.unplug(device)
    assert ground.left(device) == []
    assert not taps & ground.taps()
    assert network.files(device) == []


@pytest.mark.parametrize("missing", ["switch", "dhcp"])
def test_a_port_that_neutron_takes_for_not_ready_becomes_active(
    here: World, network: Network, admin: Any, ground: RealGround, missing: str
) -> None:
    """As it is where two agents tell it at once that they are done with a port, and it waits for the other one each time; and where what
    it has told DHCP's agent went with the broker."""
    net = ground.network()
    subnet = next(admin.network.subnets(network_id=net))
    admin.network.update_subnet(subnet, is_dhcp_enabled=missing == "dhcp")
    sandbox, device = network.choose(wish(ground, nets=[{"network": net}]), external=False), str(uuid.uuid4())
    waits = "INSERT INTO provisioningblocks (standard_attr_id, entity) SELECT standard_attr_id, 'DHCP' FROM ports WHERE device_id = %s"
    try:
        given = network.plug(sandbox, device, ground.sandbox())
        network.settle(given)
        # What its agents tell it of a port that has just become active is over by then.
        time.sleep(3)
        with contextlib.closing(sa.create_engine(here.database("neutron")).raw_connection()) as connection:
            connection.cursor().execute("UPDATE ports SET status = 'DOWN' WHERE device_id = %s", (device,))
            if missing == "dhcp":
                connection.cursor().execute(waits, (device,))
            connection.commit()
        # Another one, that does not know it to be active.
        wiring.driver(configured(here)).settle(given)
    finally:
        network.unplug(device)
        # The network is the next test's, too.
        admin.network.update_subnet(subnet, is_dhcp_enabled=False)
    assert ground.left(device) == []


def inside(state: SandboxState, *command: str) -> str:
    done = subprocess.run(["nsenter", f"--net={state.netns}", *command], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_network_of_ipv6_only_and_one_of_both_are_had_as_neutron_says(network: Network, ground: RealGround) -> None:
    six, both = ground.network(versions=(6,)), ground.network(versions=(4, 6))
    sandbox = network.choose(wish(ground, nets=[{"network": six}, {"network": both}]), external=False)
    device, state = str(uuid.uuid4()), ground.sandbox()
    given = network.plug(sandbox, device, state)
    network.settle(given)
    try:
        for place, (net, versions) in enumerate([(six, [6]), (both, [4, 6])]):
            assert sorted(each["version"] for each in given.addresses[net]) == versions
            shown = inside(state, "ip", "address", "show", "scope", "global", "dev", f"eth{place}")
            for each in given.addresses[net]:
                assert f"{each['addr']}/{24 if each['version'] == 4 else 64}" in shown
            # An address that waits for the detection of another one like it could not be used yet.
            assert "tentative" not in shown
        # The addresses that SLAAC would make are those that Neutron has told, and no others are made by advertisements.
        assert len(inside(state, "ip", "-6", "-oneline", "address", "show", "scope", "global").splitlines()) == 2
        assert "default via fd00:77:" in inside(state, "ip", "-6", "route")
    finally:
        network.unplug(device)
    assert ground.left(device) == []
