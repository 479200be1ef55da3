"""The driver for Neutron, on a small Neutron in this process: the suite of the Protocol, and how things go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.drivers.network.neutrons import FakeGround, FakeNeutron, FakeWires
from tests.drivers.network.plugging import device, plug
from zun import errors
from zun.conformance.network import NetworkSuite, wish
from zun.drivers.network.cloud import Port
from zun.drivers.network.neutron import NeutronNetwork
from zun.drivers.network.ports import mac_of


class TestNeutron(NetworkSuite):
    pass


def test_a_port_that_cannot_be_bound_says_where(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    neutron.hopeless.add("here")
    one = device()
    with pytest.raises(errors.BindingFailed, match="host here"):
        plug(network, ground, one, nets=[{"network": ground.network()}])
    network.unplug(one)
    assert ground.left(one) == []


def test_a_port_that_never_becomes_active_ends_the_wait(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    neutron.lively = False
    one = device()
    with pytest.raises(errors.PortNotActive, match="within 5 seconds"):
        plug(network, ground, one, nets=[{"network": ground.network()}])
    network.unplug(one)
    assert ground.left(one) == []


def test_who_waits_for_a_port_may_give_up(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    neutron.lively = False
    plugged = network.plug(network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False), device(), ground.sandbox())

    def cancelled() -> None:
        raise errors.Cancelled

    with pytest.raises(errors.Cancelled):
        network.settle(plugged, cancelled)


def test_what_a_broken_switch_leaves_is_taken_away(network: NeutronNetwork, ground: FakeGround, wires: FakeWires) -> None:
    wires.broken = True
    one = device()
    with pytest.raises(errors.WiringFailed):
        plug(network, ground, one, nets=[{"network": ground.network()}], exposed_ports={"80": {}})
    network.unplug(one)
    assert ground.left(one) == []


def test_a_wire_goes_with_a_port_that_its_user_has_deleted(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    one = device()
    given = plug(network, ground, one, nets=[{"network": ground.network()}])
    ((address,),) = given.addresses.values()
    neutron.delete_port(address["port"])
    network.unplug(one)
    assert ground.left(one) == []


def test_who_writes_a_device_on_his_port_is_not_plugged_there(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    """Every tenant may set the device_id of his ports to whatever he likes."""
    one, net = device(), ground.network()
    planted = neutron.make_port(
        {"network_id": ground.network(), "project_id": "a-stranger", "device_id": one, "device_owner": "compute:zun"}
    )
    given = plug(network, ground, one, nets=[{"network": net}])
    assert list(given.addresses) == [net]
    network.unplug(one)
    assert neutron.port(planted.id) == planted


def test_ports_that_were_promised_twice_go_to_the_first(network: NeutronNetwork, ground: FakeGround) -> None:
    """Both requests were accepted before either was on a host."""
    port = ground.port(ground.network())
    chosen = [network.choose(wish(ground, nets=[{"port": port}]), external=False) for _ in range(2)]
    one, other = device(), device()
    network.plug(chosen[0], one, ground.sandbox())
    with pytest.raises(errors.PortNotUsable):
        network.plug(chosen[1], other, ground.sandbox())
    network.unplug(other)
    assert ground.shown(port) == {"device_id": one, "host": "here", "groups": ["the-default"]}


def test_an_interface_is_as_its_subnets_say(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron, wires: FakeWires) -> None:
    first, second = neutron.add_network(ground.project, mtu=1400), ground.network()
    plug(network, ground, device(), nets=[{"network": first.id}, {"network": second}])
    one, other = (wanted for _, wanted in wires.wires.values())
    assert (one.name, one.mtu, one.gateways, one.metric) == ("eth0", 1400, ["10.1.0.1"], 100)
    assert (other.name, other.metric) == ("eth1", 101)
    assert one.addresses[0].endswith("/24")


def test_names_are_asked_where_the_subnet_says(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    net = neutron.add_network(ground.project, nameservers=["192.0.2.53"], dns_domain="example.org.")
    one = device()
    plug(network, ground, one, nets=[{"network": net.id}])
    found = {bind.destination: Path(bind.source).read_text() for bind in network.files(one)}
    assert found["/etc/resolv.conf"] == "nameserver 192.0.2.53\nsearch example.org\n"
    assert "\tbox\n" in found["/etc/hosts"]
    network.unplug(one)
    assert network.files(one) == []


def test_exposed_ports_are_opened_in_a_group_of_their_own(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    one = device()
    given = plug(network, ground, one, nets=[{"network": ground.network()}], exposed_ports={"80/tcp": {}, "53/udp": {}})
    ((group,),) = [given.security_groups]
    assert neutron.known_groups[group].name == f"zun-{one}"
    assert [(protocol, port) for _, protocol, port in neutron.opened] == [("tcp", 80), ("udp", 53)]


def test_a_port_of_the_users_lets_in_whom_he_lets_in(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    """A container that is added to a capsule opens the ports that were made for it, and no other."""
    one, state, mine = device(), ground.sandbox(), ground.port(ground.network())
    nets = [{"network": ground.network()}, {"port": mine}]
    sandbox = network.choose(wish(ground, nets=nets, exposed_ports={"80/tcp": {}}), external=False)
    given = network.plug(sandbox, one, state)
    sandbox = replace(sandbox, capsule=True, engine_id=state.engine_id, addresses=given.addresses)
    network.plug(sandbox, one, state)
    (group,) = neutron.known_groups
    groups = {port.id: port.security_groups for port in neutron.known_ports.values()}
    assert groups.pop(mine) == ["the-default"]
    assert [group in each for each in groups.values()] == [True]


def test_a_group_that_a_user_has_taken_for_his_own_port_is_left_to_him(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron, caplog: pytest.LogCaptureFixture
) -> None:
    one = device()
    plug(network, ground, one, nets=[{"network": ground.network()}], exposed_ports={"80/tcp": {}})
    (group,) = neutron.known_groups
    his = ground.port(ground.network())
    neutron.known_ports[his] = replace(neutron.known_ports[his], security_groups=[group])
    network.unplug(one)
    assert (list(neutron.known_ports), list(neutron.known_groups)) == ([his], [group])
    assert f"security group {group} of {one} stays" in caplog.text


def test_what_neutron_refuses_is_not_asked_for_again(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    asked = []

    def refuse(body: Any) -> Port:
        asked.append(body)
        raise errors.NetworkRefused(reason="Quota exceeded for resources: ['port'].")

    neutron.make_port = refuse  # type: ignore[method-assign]
    with pytest.raises(errors.NetworkRefused, match="Quota exceeded"):
        plug(network, ground, device(), nets=[{"network": ground.network()}])
    assert len(asked) == 1


def test_what_is_well_is_not_asked_of_neutron_again(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    """A container begins again while Neutron is away."""
    one, state = device(), ground.sandbox()
    sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False)
    given = network.plug(sandbox, one, state)
    neutron.ports = neutron.network = _away  # type: ignore[method-assign,assignment]
    sandbox = replace(sandbox, engine_id=state.engine_id, addresses=given.addresses)
    assert network.restore(sandbox, one, state).addresses == given.addresses


def test_a_sandbox_that_runs_anew_gets_its_wires_again(network: NeutronNetwork, ground: FakeGround, wires: FakeWires) -> None:
    one = device()
    sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False)
    given = network.plug(sandbox, one, ground.sandbox())
    before = dict(wires.wires)
    wires.wires.clear()
    again = network.restore(replace(sandbox, engine_id="the-last", addresses=given.addresses), one, ground.sandbox())
    assert (again, wires.wires) == (given, before)


def test_containers_can_use_every_network_that_there_is(network: NeutronNetwork, ground: FakeGround) -> None:
    net = ground.network()
    network.refuse_change("create", {"neutron_net_id": net})
    network.refuse_change("delete", {"id": net})
    for verb, name in (("create", "neutron_net_id"), ("delete", "id")):
        with pytest.raises(errors.NetworkNotFound):
            network.refuse_change(verb, {name: "some"})


def _away(*_: Any, **__: Any) -> Any:
    raise errors.NetworkUnavailable(reason="it is away")


def test_what_was_just_begun_is_not_asked_for_again(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    net = neutron.add_network(ground.project, nameservers=["192.0.2.53"])
    sandbox, one = network.choose(wish(ground, nets=[{"network": net.id}]), external=False), device()
    neutron.ports = _away  # type: ignore[method-assign]
    network.begin(sandbox, one, again=False)
    assert list(network.plug(sandbox, one, ground.sandbox()).addresses) == [net.id]


def test_a_port_that_was_made_while_nobody_waited_for_the_answer_is_bound(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    """Neutron answered too late: the port is there, and its binding may not be."""
    sandbox, one = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False), device()
    network.begin(sandbox, one, again=False)
    (port,) = neutron.ports(device_id=one)
    neutron.known_ports[port.id] = replace(port, vif_type="unbound")
    network.begin(sandbox, one, again=True)
    assert neutron.known_ports[port.id].vif_type == "ovs"
    network.settle(network.plug(sandbox, one, ground.sandbox()))


def test_a_port_that_neutron_makes_later_than_anybody_waited_is_the_only_one(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    """It is not there yet when it is looked for again, and is when another one is made in its place."""
    sandbox, one = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False), device()
    network.begin(sandbox, one, again=False)
    (port,) = neutron.ports(device_id=one)
    looks = iter([[]])
    neutron.ports = lambda **where: next(looks, [port])  # type: ignore[method-assign]
    network.begin(sandbox, one, again=True)
    assert list(neutron.known_ports.values()) == [port]


def test_a_hardware_address_that_somebody_else_has_by_chance_is_none_of_ours(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    net = ground.network()
    sandbox, one = network.choose(wish(ground, nets=[{"network": net}]), external=False), device()
    theirs = neutron.make_port({"network_id": net, "project_id": ground.project, "mac_address": mac_of(one, net)})
    network.begin(sandbox, one, again=False)
    (ours,) = neutron.ports(device_id=one)
    assert ours.mac != theirs.mac


def test_wires_are_cut_though_neutron_is_away(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron, wires: FakeWires) -> None:
    one = device()
    plug(network, ground, one, nets=[{"network": ground.network()}])
    there, neutron.ports = neutron.ports, _away  # type: ignore[method-assign]
    for take_away in (network.unplug, network.clean):
        with pytest.raises(errors.NetworkUnavailable):
            take_away(one)
        assert wires.wires == {}
        assert network.here() == [one], "its port is to be given back still"
    neutron.ports = there  # type: ignore[method-assign]
    network.clean(one)
    assert (neutron.known_ports, network.here()) == ({}, [])


def test_a_neutron_that_shows_nothing_at_first_is_asked_again(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    """As one that has just begun does, which has not read its policy yet."""
    one = device()
    plug(network, ground, one, nets=[{"network": ground.network()}])
    shown, asked = neutron.ports, []

    def begun(**where: str) -> list[Port]:
        asked.append(where)
        return shown(**where) if len(asked) > 1 else []

    neutron.ports = begun  # type: ignore[method-assign,assignment]
    network.unplug(one)
    assert neutron.known_ports == {}


def test_what_is_on_another_host_by_now_is_left_alone_there(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    one, exposed = device(), {"80/tcp": {}}
    plug(network, ground, one, nets=[{"network": ground.network()}], exposed_ports=exposed)
    (port,) = neutron.known_ports.values()
    neutron.known_ports[port.id] = replace(port, host="another")
    network.clean(one)
    assert (list(neutron.known_ports), len(neutron.known_groups)) == ([port.id], 1)


def test_a_wire_of_which_only_the_host_knows_is_cut(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    """An agent was killed before the switch had it, and the port is deleted."""

    class Unplugged(FakeWires):
        def left(self, device: str) -> list[str]:
            return []

        def begun(self, device: str) -> list[str]:
            return super().left(device)

    one, wires = device(), Unplugged(neutron)
    network._made.append(wires)
    sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False)
    network.begin(sandbox, one, again=False)
    neutron.known_ports.clear()
    network.unplug(one)
    assert wires.laid == {}


def test_a_giving_back_that_is_carried_out_later_takes_no_port_from_whom_it_is_by_then(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    """The call was given up and made again; its first copy comes when the user has put another container at his port."""
    mine, one, other = ground.port(ground.network()), device(), device()
    plug(network, ground, one, nets=[{"port": mine}])
    late: list[Any] = []
    change = neutron.change_port

    def silent(port: Port, body: Any, *, unchanged: bool = False) -> Port:
        late.append((port, body, unchanged))
        raise errors.NetworkUnavailable(reason="no answer")

    neutron.change_port = silent  # type: ignore[method-assign]
    with pytest.raises(errors.NetworkUnavailable):
        network.unplug(one)
    neutron.change_port = change  # type: ignore[method-assign]
    network.unplug(one)
    plug(network, ground, other, nets=[{"port": mine}])
    ((port, body, unchanged),) = late
    with pytest.raises(errors.NetworkRefused):
        neutron.change_port(port, body, unchanged=unchanged)
    assert (neutron.known_ports[mine].device_id, neutron.known_ports[mine].host) == (other, "here")


def test_a_port_that_neutron_changes_by_itself_is_given_back_all_the_same(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    mine, one = ground.port(ground.network()), device()
    plug(network, ground, one, nets=[{"port": mine}])
    look, stale = neutron.port, [neutron.known_ports[mine]]
    neutron.known_ports[mine] = replace(neutron.known_ports[mine], status="DOWN", revision=99)
    neutron.port = lambda port_id: stale.pop() if stale else look(port_id)  # type: ignore[method-assign]
    network.unplug(one)
    assert (stale, neutron.known_ports[mine].device_id) == ([], "")
