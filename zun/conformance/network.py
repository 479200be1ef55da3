"""What a network driver with networks to choose from must do: subclass :class:`NetworkSuite` and provide its fixtures."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from zun import errors
from zun.domain.sandbox import Sandbox
from zun.interfaces.network import Network, Plugged
from zun.interfaces.runtime import SandboxState


class Ground:
    """What the suite needs of the network service behind the driver, with a project's own credentials."""

    project: str

    def network(self, *, external: bool = False, versions: tuple[int, ...] = (4,)) -> str:
        """Make a network of the project (or an external one of nobody's) with a subnet of each version. Returns its uuid."""
        raise NotImplementedError

    def port(self, network: str) -> str:
        """Make a port of the project's. Returns its uuid."""
        raise NotImplementedError

    def group(self) -> str:
        """Make a security group of the project's. Returns its uuid."""
        raise NotImplementedError

    def shown(self, port: str) -> dict[str, Any] | None:
        """``device_id``, ``host`` and ``groups`` of a port, or None."""
        raise NotImplementedError

    def lose(self, port: str) -> None:
        """Delete a port, as an administrator may at any time."""
        raise NotImplementedError

    def left(self, device: str) -> list[str]:
        """Whatever there is of a device: ports, wires, security groups."""
        raise NotImplementedError

    def sandbox(self) -> SandboxState:
        """A sandbox that runs, without a network."""
        raise NotImplementedError


class NetworkSuite:
    """Fixtures: ``network`` (the driver), ``ground``."""

    @pytest.fixture
    def device(self, network: Network) -> Iterator[str]:
        made = str(uuid.uuid4())
        yield made
        network.unplug(made)

    @pytest.fixture
    def plugged(self, network: Network, ground: Ground, device: str) -> Callable[..., tuple[Sandbox, SandboxState, Plugged]]:
        """Have a new sandbox that asks for this."""

        def plug(**asked: Any) -> tuple[Sandbox, SandboxState, Plugged]:
            sandbox, state = network.choose(wish(ground, **asked), external=False), ground.sandbox()
            given = network.plug(sandbox, device, state)
            network.settle(given)
            return sandbox, state, given

        return plug

    def test_a_network_that_was_named_gives_an_address(self, ground: Ground, plugged: Callable[..., Any]) -> None:
        net = ground.network()
        _, _, given = plugged(nets=[{"network": net}])
        ((address,),) = given.addresses.values()
        assert list(given.addresses) == [net]
        assert (address["version"], address["preserve_on_delete"]) == (4, False)
        assert set(address) == {"addr", "version", "port", "subnet_id", "preserve_on_delete"}

    def test_both_versions_of_ip_are_told(self, ground: Ground, plugged: Callable[..., Any]) -> None:
        net = ground.network(versions=(4, 6))
        _, _, given = plugged(nets=[{"network": net}])
        assert sorted(each["version"] for each in given.addresses[net]) == [4, 6]

    def test_without_a_wish_the_projects_oldest_network_is_chosen(self, network: Network, ground: Ground) -> None:
        first = ground.network()
        ground.network()
        assert network.choose(wish(ground), external=False).nets == [{"network": first}]

    def test_what_was_begun_is_what_is_plugged(self, network: Network, ground: Ground, device: str) -> None:
        sandbox = network.choose(
            wish(ground, nets=[{"network": ground.network()}, {"port": ground.port(ground.network())}]), external=False
        )
        network.begin(sandbox, device, again=False)
        begun = ground.left(device)
        assert begun
        network.begin(sandbox, device, again=True)
        given = network.plug(sandbox, device, ground.sandbox())
        network.settle(given)
        assert set(ground.left(device)) == set(begun)
        assert [net["network"] for net in sandbox.nets] == list(given.addresses)

    def test_what_was_begun_for_a_sandbox_that_never_came_is_taken_away(self, network: Network, ground: Ground, device: str) -> None:
        sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}], exposed_ports={"80/tcp": {}}), external=False)
        network.begin(sandbox, device, again=False)
        network.unplug(device)
        assert ground.left(device) == []

    def test_plugging_may_be_repeated(self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]) -> None:
        sandbox, state, given = plugged(nets=[{"network": ground.network()}])
        assert network.plug(sandbox, device, state) == given

    def test_nothing_is_left_when_it_is_unplugged(self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]) -> None:
        plugged(nets=[{"network": ground.network()}], exposed_ports={"80/tcp": {}})
        assert ground.left(device)
        network.unplug(device)
        network.unplug(device)
        assert ground.left(device) == []

    def test_who_has_something_is_known_until_it_is_given_back(
        self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]
    ) -> None:
        plugged(nets=[{"network": ground.network()}, {"port": ground.port(ground.network())}], exposed_ports={"80/tcp": {}})
        others = [str(uuid.uuid4()) for _ in range(49)]
        assert network.left([*others, device]) == [device]
        network.unplug(device)
        assert network.left([*others, device]) == []

    def test_what_is_here_is_known_and_can_be_taken_off_by_whoever_comes_later(
        self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]
    ) -> None:
        assert device not in network.here()
        plugged(nets=[{"network": ground.network()}, {"port": ground.port(ground.network())}], exposed_ports={"80/tcp": {}})
        assert device in network.here()
        network.clean(device)
        network.clean(device)
        assert (ground.left(device), device in network.here()) == ([], False)

    def test_what_was_only_begun_is_here_too(self, network: Network, ground: Ground, device: str) -> None:
        sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False)
        network.begin(sandbox, device, again=False)
        assert device in network.here()
        network.unplug(device)
        assert device not in network.here()

    def test_a_port_of_the_users_is_given_back(self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]) -> None:
        port = ground.port(ground.network())
        _, _, given = plugged(nets=[{"port": port}])
        ((address,),) = given.addresses.values()
        assert (address["port"], address["preserve_on_delete"]) == (port, True)
        shown = ground.shown(port)
        assert shown is not None and shown["device_id"] == device
        network.unplug(device)
        shown = ground.shown(port)
        assert shown is not None and (shown["device_id"], shown["host"]) == ("", "")

    def test_a_port_in_use_is_refused(self, network: Network, ground: Ground, plugged: Callable[..., Any]) -> None:
        port = ground.port(ground.network())
        plugged(nets=[{"port": port}])
        with pytest.raises(errors.PortNotUsable):
            network.choose(wish(ground, nets=[{"port": port}]), external=False)

    def test_an_external_network_needs_leave(self, network: Network, ground: Ground) -> None:
        net = ground.network(external=True)
        with pytest.raises(errors.ExternalNetworkAttachForbidden):
            network.choose(wish(ground, nets=[{"network": net}]), external=False)
        assert network.choose(wish(ground, nets=[{"network": net}]), external=True).nets == [{"network": net}]

    @pytest.mark.parametrize(
        ("asked", "error"),
        [
            ({"nets": [{"network": "no-such"}]}, errors.NetworkNotFound),
            ({"nets": [{"network": str(uuid.uuid4())}]}, errors.NetworkNotFound),
            ({"nets": [{"port": "no-such"}]}, errors.PortNotFound),
            ({"security_groups": ["no-such"]}, errors.SecurityGroupNotFound),
        ],
    )
    def test_what_is_not_there_is_refused(self, network: Network, ground: Ground, asked: dict[str, Any], error: type[Exception]) -> None:
        ground.network()
        with pytest.raises(error):
            network.choose(wish(ground, **asked), external=False)

    def test_what_is_another_projects_is_not_there(self, network: Network, ground: Ground) -> None:
        net = ground.network()
        port = ground.port(net)
        for asked in ({"network": net}, {"port": port}):
            with pytest.raises(errors.NotFound):
                network.choose(replace(wish(ground, nets=[asked]), project_id="somebody-else"), external=False)

    def test_an_address_must_be_in_a_subnet(self, network: Network, ground: Ground) -> None:
        with pytest.raises(errors.InvalidValue):
            network.choose(wish(ground, nets=[{"network": ground.network(), "v4-fixed-ip": "203.0.113.9"}]), external=False)

    def test_a_network_comes_and_goes_while_it_lives(
        self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]
    ) -> None:
        first, second = ground.network(), ground.network()
        sandbox, state, given = plugged(nets=[{"network": first}])
        sandbox = replace(sandbox, engine_id=state.engine_id, addresses=given.addresses)
        chosen = network.choose_change(sandbox, device, "network_attach", {"network": second}, external=False)
        given = network.change(sandbox, device, state, "network_attach", chosen)
        assert set(given.addresses) == {first, second}
        sandbox = replace(sandbox, addresses=given.addresses)
        with pytest.raises(errors.AlreadyAttached):
            network.choose_change(sandbox, device, "network_attach", {"network": second}, external=False)
        chosen = network.choose_change(sandbox, device, "network_detach", {"network": first}, external=False)
        given = network.change(sandbox, device, state, "network_detach", chosen)
        assert set(given.addresses) == {second}
        sandbox = replace(sandbox, addresses=given.addresses)
        with pytest.raises(errors.NotAttached):
            network.choose_change(sandbox, device, "network_detach", {"network": first}, external=False)

    def test_what_was_detached_does_not_come_back(self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]) -> None:
        sandbox, state, given = plugged(nets=[{"network": ground.network()}])
        net = next(iter(given.addresses))
        sandbox = replace(sandbox, engine_id=state.engine_id, addresses=given.addresses)
        given = network.change(sandbox, device, state, "network_detach", {"network": net})
        assert given.addresses == {}
        sandbox = replace(sandbox, addresses={})
        assert network.plug(sandbox, device, state).addresses == {}
        assert network.restore(sandbox, device, state).addresses == {}

    def test_what_somebody_has_deleted_is_lost_alone_and_leaves_nothing(
        self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]
    ) -> None:
        first, second = ground.network(), ground.network()
        sandbox, state, given = plugged(nets=[{"network": first}, {"network": second}])
        sandbox = replace(sandbox, engine_id=state.engine_id, addresses=given.addresses)
        ground.lose(given.addresses[first][0]["port"])
        chosen = network.choose_change(sandbox, device, "network_detach", {"network": first}, external=False)
        after = network.change(sandbox, device, state, "network_detach", chosen)
        assert set(after.addresses) == {second}
        ground.lose(given.addresses[second][0]["port"])
        assert network.restore(replace(sandbox, engine_id="another"), device, state).addresses == {}
        network.unplug(device)
        assert ground.left(device) == []

    def test_what_is_deleted_while_it_is_waited_for_ends_the_wait(self, network: Network, ground: Ground, device: str) -> None:
        sandbox = network.choose(wish(ground, nets=[{"network": ground.network()}]), external=False)
        given = network.plug(sandbox, device, ground.sandbox())
        ground.lose(next(iter(given.addresses.values()))[0]["port"])
        with pytest.raises(errors.BindingFailed):
            network.settle(given)

    def test_an_attachment_is_undone(self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]) -> None:
        first, second = ground.network(), ground.network()
        sandbox, state, given = plugged(nets=[{"network": first}])
        sandbox = replace(sandbox, engine_id=state.engine_id, addresses=given.addresses)
        network.change(sandbox, device, state, "network_attach", {"network": second})
        network.undo_change(sandbox, device, state, "network_attach", {"network": second})
        assert set(network.restore(replace(sandbox, engine_id="another"), device, state).addresses) == {first}

    def test_security_groups_come_and_go(self, network: Network, ground: Ground, device: str, plugged: Callable[..., Any]) -> None:
        one, other = ground.group(), ground.group()
        sandbox, state, given = plugged(nets=[{"network": ground.network()}], security_groups=[one])
        assert given.security_groups == [one]
        sandbox = replace(sandbox, engine_id=state.engine_id, addresses=given.addresses, security_groups=[one])
        given = network.change(sandbox, device, state, "add_security_group", {"name": other})
        assert set(given.security_groups or ()) == {one, other}
        given = network.change(sandbox, device, state, "remove_security_group", {"name": one})
        assert given.security_groups == [other]


def wish(ground: Ground, **asked: Any) -> Sandbox:
    """A new sandbox of the project's."""
    return Sandbox(uuid=str(uuid.uuid4()), project_id=ground.project, user_id="user", **asked)
