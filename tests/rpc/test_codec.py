"""Everything that crosses is encoded, errors too."""

from datetime import datetime
from typing import Protocol

import msgspec
import pytest

from zun import errors
from zun.domain.container import Container
from zun.interfaces.rpc import Agent, Conductor, cast
from zun.interfaces.runtime import ExecResult
from zun.rpc.codec import Codec, Envelope, Fault
from zun.rpc.local import LocalAgents, link


class Shop(Protocol):
    def price(self, name: str, when: datetime | None) -> list[float]: ...

    def buy(self, container: Container) -> Container: ...

    @cast
    def ring(self) -> None: ...


class Target:
    def __init__(self):
        self.rung = 0

    def price(self, name, when):
        if name == "gold":
            raise errors.OverQuota(resource="gold", requested=2, in_use=1, limit=1)
        if name == "iron":
            raise KeyError("a fault of ours")
        return [when.year, 0.5]

    def buy(self, container):
        return container

    def ring(self):
        self.rung += 1
        raise errors.NotFound(reason="nobody is in")


@pytest.fixture
def target():
    return Target()


@pytest.fixture
def shop(target):
    return link(Shop, target)


def test_values_cross(shop):
    assert shop.price("salt", datetime(2026, 1, 1)) == [2026.0, 0.5]
    assert shop.price(when=datetime(2026, 1, 1), name="salt") == [2026.0, 0.5]


def test_entities_cross_whole_and_are_copies(shop):
    container = Container(
        uuid="c", sandbox_uuid="s", project_id="p", user_id="u", name="wéb", image="i", labels={"a": "b"}, started_at=datetime(2026, 1, 1)
    )
    answer = shop.buy(container)
    assert answer == container
    assert answer is not container


def test_an_error_crosses_as_itself(shop):
    with pytest.raises(errors.OverQuota) as raised:
        shop.price("gold", None)
    assert str(raised.value) == "Quota exceeded for gold: requested 2, in use 1, limit 1."


def test_a_fault_of_ours_crosses_as_a_plain_error_without_its_text(shop):
    with pytest.raises(errors.ZunError) as raised:
        shop.price("iron", None)
    assert type(raised.value) is errors.ZunError
    assert "a fault of ours" not in str(raised.value)


def test_a_cast_is_sent_and_forgotten(shop, target):
    assert shop.ring() is None
    assert target.rung == 1


def test_what_does_not_fit_the_annotations_is_refused(target):
    with pytest.raises(errors.ZunError):
        link(Shop, target).price("salt", "not a time")


@pytest.mark.parametrize("protocol", [Agent, Conductor])
def test_the_protocols_of_the_service_can_be_encoded(protocol):
    assert Codec(protocol)


def test_bytes_cross():
    class Host:
        def execute(self, container_uuid, command):
            return ExecResult(output=b"\xff\x00", exit_code=3)

    assert link(Agent, Host()).execute("c", ["true"]) == ExecResult(output=b"\xff\x00", exit_code=3)


def test_a_host_that_is_not_here_does_not_answer():
    with pytest.raises(errors.RpcUnavailable):
        LocalAgents({}).on("elsewhere")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(code="container.of-tomorrow", details={"reason": "because"}), "of-tomorrow (because)"),
        (Fault(code="container.of-tomorrow", details={"who": "me"}), "of-tomorrow (who: me)"),
        (Fault(code="container.over-quota", details={"resource": "gold"}), "over-quota (resource: gold)"),
    ],
)
def test_an_error_of_another_release_is_still_an_error(fault, told):
    shop = Codec(Shop).client(lambda name, body, awaited: msgspec.json.encode(Envelope(fault=fault)))
    with pytest.raises(errors.ZunError) as raised:
        shop.price("gold", None)
    assert told in str(raised.value)
