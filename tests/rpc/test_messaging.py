"""The same Protocols over a real RabbitMQ: answers, errors, casts, and what a broker or a host that is away means."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import datetime
from typing import Protocol

import amqp
import pytest

from tests.brokers import PASSWORD
from tests.servers import USER
from zun import conf as zun_conf
from zun import errors
from zun.interfaces.rpc import cast
from zun.rpc.messaging import Bus
from zun.rpc.threads import register_options


class Shop(Protocol):
    def price(self, name: str, when: datetime | None) -> list[float]: ...

    def served_by(self) -> str: ...

    @cast
    def ring(self, bell: str) -> None: ...


class Keeper:
    def __init__(self, name="keeper"):
        self.name = name
        self.rung = []
        self.heard = threading.Event()

    def price(self, name, when):
        if name == "gold":
            raise errors.OverQuota(resource="gold", requested=2, in_use=1, limit=1)
        return [when.year, 0.5]

    def served_by(self):
        return self.name

    def ring(self, bell):
        self.rung.append(bell)
        self.heard.set()


def configured(url, **options):
    conf = zun_conf.new()
    conf([], project="zun", default_config_files=[])
    register_options(conf)
    # RabbitMQ 3.10 cannot go on with a quorum queue that is younger than three minutes when it is killed.
    conf.set_override("rabbit_quorum_queue", False, group="oslo_messaging_rabbit")
    conf.set_override("amqp_durable_queues", True, group="oslo_messaging_rabbit")
    for name, value in {"transport_url": url, **options}.items():
        conf.set_override(name, value)
    return conf


@pytest.fixture
def buses():
    made = []

    def make(url, **options):
        bus = Bus(configured(url, **options))
        bus.start()
        made.append(bus.stop)
        return bus

    make.closing = made.append
    yield make
    for close in reversed(made):
        close()


@pytest.fixture
def serving(broker, buses):
    """Serve a keeper on a topic, under a name."""

    def serve(topic, keeper):
        server = buses(broker.url).server(Shop, keeper, topic, name=keeper.name)
        server.start()
        buses.closing(server.stop)
        wait_for(lambda: buses(broker.url).client(Shop, topic, server=keeper.name).served_by() == keeper.name)
        return keeper

    return serve


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except errors.RpcUnavailable:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_values_and_errors_cross(broker, buses, serving):
    serving("crossing", Keeper())
    shop = buses(broker.url).client(Shop, "crossing")
    assert shop.price("salt", datetime(2026, 1, 1)) == [2026.0, 0.5]
    with pytest.raises(errors.OverQuota) as raised:
        shop.price("gold", None)
    assert str(raised.value) == "Quota exceeded for gold: requested 2, in use 1, limit 1."


def test_a_call_reaches_the_one_that_is_named(broker, buses, serving):
    serving("named", Keeper("one"))
    serving("named", Keeper("two"))
    bus = buses(broker.url)
    assert [bus.client(Shop, "named", server=name).served_by() for name in ("one", "two", "one")] == ["one", "two", "one"]


def test_a_cast_is_heard_by_one_or_by_all(broker, buses, serving):
    keepers = [serving("bells", Keeper(name)) for name in ("east", "west")]
    bus = buses(broker.url)
    bus.client(Shop, "bells", fanout=True).ring("all")
    wait_for(lambda: [keeper.rung for keeper in keepers] == [["all"], ["all"]])
    bus.client(Shop, "bells", server="west").ring("west")
    wait_for(lambda: keepers[1].rung == ["all", "west"])
    assert keepers[0].rung == ["all"]


def test_services_that_keep_nothing_share_the_broker_with_it(broker, buses):
    """Theirs may have made the exchange that services share, and no quorum queue can be had there."""
    with amqp.Connection(f"127.0.0.1:{broker.port}", userid=USER, password=PASSWORD) as connection:
        connection.channel().exchange_declare("openstack", "topic", durable=False, auto_delete=False)
        conf = zun_conf.new()
        conf([], project="zun", default_config_files=[])
        register_options(conf)
        conf.set_override("transport_url", broker.url)
        bus = Bus(conf)
        bus.start()
        server = bus.server(Shop, Keeper(), "sharing", name="keeper")
        server.start()
        buses.closing(bus.stop)
        buses.closing(server.stop)
        wait_for(lambda: bus.client(Shop, "sharing").served_by() == "keeper")


def test_queues_of_answers_and_of_what_is_said_to_all_may_be_quorum_queues(broker, buses):
    """Where a broker takes no transient ones any more."""

    def quorum():
        conf = zun_conf.new()
        conf([], project="zun", default_config_files=[])
        register_options(conf)
        conf.set_override("transport_url", broker.url)
        conf.set_override("rabbit_transient_quorum_queue", True, group="oslo_messaging_rabbit")
        bus = Bus(conf)
        bus.start()
        buses.closing(bus.stop)
        return bus

    bus, keepers = quorum(), [Keeper(name) for name in ("east", "west")]
    for keeper in keepers:
        server = quorum().server(Shop, keeper, "replicated", name=keeper.name)
        server.start()
        buses.closing(server.stop)
        wait_for(lambda name=keeper.name: bus.client(Shop, "replicated", server=name).served_by() == name)
    bus.client(Shop, "replicated", fanout=True).ring("all")
    wait_for(lambda: [keeper.rung for keeper in keepers] == [["all"], ["all"]])


def test_a_host_that_was_never_there_is_known_at_once(broker, buses):
    bus = buses(broker.url, rpc_response_timeout=60)
    began = time.monotonic()
    with pytest.raises(errors.RpcUnavailable):
        bus.client(Shop, "nobody", server="nowhere").served_by()
    assert time.monotonic() - began < 60  # its patience was not needed


def test_without_a_broker_a_call_ends_and_a_cast_waits_for_nobody(buses):
    bus = buses("rabbit://zun:zun@127.0.0.1:9/", rpc_response_timeout=60)
    shop = bus.client(Shop, "bells")
    shop.ring("lost")
    with pytest.raises(errors.RpcUnavailable):
        shop.served_by()


def test_after_the_broker_was_killed_all_goes_on(broker, buses, serving):
    keeper = serving("killed", Keeper())
    shop = buses(broker.url, rpc_response_timeout=5).client(Shop, "killed")
    assert shop.served_by() == "keeper"
    broker.kill()
    shop.ring("while it was away")
    with pytest.raises(errors.RpcUnavailable):
        shop.served_by()
    broker.start()
    wait_for(lambda: set(keeper.rung) == {"while it was away"}, seconds=60)
    wait_for(lambda: shop.served_by() == "keeper", seconds=60)


def test_a_method_of_a_newer_release_is_an_error_and_not_a_silence(broker, buses, serving):
    class NewShop(Protocol):
        def bargain(self) -> str: ...

    serving("release", Keeper())
    with pytest.raises(errors.ZunError) as raised:
        buses(broker.url).client(NewShop, "release").bargain()
    assert "bargain" in str(raised.value)


def test_nothing_of_it_needs_eventlet():
    told = "import sys, zun.rpc.messaging; sys.exit(any(sys.modules.get(name) for name in ('eventlet', 'greenlet')))"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0
