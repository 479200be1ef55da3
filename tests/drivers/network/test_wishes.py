"""What requests wish of Neutron: who is meant, and whether it can be had."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.drivers.network.neutrons import FakeGround, FakeNeutron
from tests.drivers.network.plugging import device, plug
from zun import errors
from zun.conformance.network import wish
from zun.drivers.network.cloud import Net
from zun.drivers.network.neutron import NeutronNetwork


def test_a_network_lent_to_the_project_is_chosen_where_it_has_none(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    with pytest.raises(errors.NoNetwork):
        network.choose(wish(ground), external=False)
    ground.network(external=True)
    net = neutron.add_network("somebody-else")
    neutron.loans.add((net.id, ground.project))
    assert network.choose(wish(ground), external=False).nets == [{"network": net.id}]
    assert network.choose(wish(ground, nets=[{"network": net.name}]), external=False).nets == [{"network": net.id}]


def test_an_external_network_is_used_by_whom_it_is_lent_to_and_seen_by_whom_it_is_shown_to(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    lent, shown, hidden = (neutron.add_network("somebody-else", external=True) for _ in range(3))
    neutron.loans.add((lent.id, ground.project))
    neutron.hidden |= {lent.id, hidden.id}

    def asked(net: Net, *, external: bool = False) -> list[dict[str, str]]:
        return [network.choose(wish(ground, nets=[{"network": each}]), external=external).nets[0] for each in (net.id, net.name)]

    assert asked(lent) == [{"network": lent.id}] * 2
    with pytest.raises(errors.ExternalNetworkAttachForbidden):
        asked(shown)
    with pytest.raises(errors.NetworkNotFound):
        asked(hidden)
    assert asked(hidden, external=True) == [{"network": hidden.id}] * 2


def test_a_security_group_that_is_lent_to_the_project_is_used_after_its_own(
    network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron
) -> None:
    lent, private = (neutron.make_group(name, "", "somebody-else") for name in ("web", "db"))
    neutron.loans.add((lent.id, ground.project))
    net = ground.network()

    def asked(name: str) -> list[str]:
        return network.choose(wish(ground, nets=[{"network": net}], security_groups=[name]), external=False).security_groups

    assert asked("web") == asked(lent.id) == [lent.id]
    for name in ("db", private.id):
        with pytest.raises(errors.SecurityGroupNotFound):
            asked(name)
    own = neutron.make_group("web", "", ground.project)
    assert asked("web") == [own.id]
    assert asked(lent.id) == [lent.id]
    neutron.make_group("web", "", ground.project)
    with pytest.raises(errors.SeveralMatches):
        asked("web")


def test_a_security_group_that_is_lent_no_more_can_be_put_off(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    group = neutron.make_group("web", "", "somebody-else")
    sandbox = wish(ground, security_groups=[group.id])
    assert network.choose_change(sandbox, device(), "remove_security_group", {"name": group.id}, external=False) == {"name": group.id}
    with pytest.raises(errors.SecurityGroupNotFound):
        network.choose_change(sandbox, device(), "add_security_group", {"name": group.id}, external=False)


def test_a_name_of_several_networks_is_refused(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    for _ in range(2):
        neutron.add_network(ground.project, name="twin")
    with pytest.raises(errors.SeveralMatches, match="networks"):
        network.choose(wish(ground, nets=[{"network": "twin"}]), external=False)


@pytest.mark.parametrize(
    "asked", [{"v4-fixed-ip": "10.1.0.99"}, {"v6-fixed-ip": "fd00:1::99"}, {"v4-fixed-ip": "10.1.0.99", "v6-fixed-ip": "fd00:1::99"}]
)
def test_the_address_that_was_asked_for_is_given(network: NeutronNetwork, ground: FakeGround, asked: dict[str, str]) -> None:
    net = ground.network(versions=(4, 6))
    given = plug(network, ground, device(), nets=[{"network": net, **asked}])
    assert [each["addr"] for each in given.addresses[net]] == list(asked.values())
    with pytest.raises(errors.InvalidValue, match="is in use"):
        network.choose(wish(ground, nets=[{"network": net, **asked}]), external=False)


def test_an_address_is_in_use_however_it_is_written(network: NeutronNetwork, ground: FakeGround) -> None:
    net = ground.network(versions=(6,))
    plug(network, ground, device(), nets=[{"network": net, "v6-fixed-ip": "fd00:1::99"}])
    with pytest.raises(errors.InvalidValue, match="is in use"):
        network.choose(wish(ground, nets=[{"network": net, "v6-fixed-ip": "FD00:1:0:0::99"}]), external=False)


def test_no_address_is_chosen_where_they_follow_from_the_ports(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    net = neutron.add_network(ground.project, versions=(4, 6))
    four, six = neutron.known_subnets[net.id]
    neutron.known_subnets[net.id] = [four, replace(six, automatic=True)]
    with pytest.raises(errors.InvalidValue, match=f"'v6-fixed-ip': no address can be chosen in subnet {six.id}"):
        network.choose(wish(ground, nets=[{"network": net.id, "v6-fixed-ip": "fd00:1::99"}]), external=False)
    assert network.choose(wish(ground, nets=[{"network": net.id, "v4-fixed-ip": "10.1.0.99"}]), external=False)


def test_a_name_that_all_projects_use_is_asked_for_once(network: NeutronNetwork, ground: FakeGround, neutron: FakeNeutron) -> None:
    asked: list[str] = []
    lent_to = neutron.lent_to

    def counted(project: str) -> list[str]:
        asked.append(project)
        return lent_to(project)

    neutron.lent_to = counted  # type: ignore[method-assign]
    for number in range(20):
        neutron.add_network(f"project {number}", name="private")
    with pytest.raises(errors.NetworkNotFound):
        network.choose(wish(ground, nets=[{"network": "private"}]), external=False)
    assert asked == [ground.project]
