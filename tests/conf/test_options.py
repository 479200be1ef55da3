"""The options: their defaults are the contract's, each explains itself, and no two configurations share anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from zun import conf as zun_conf
from zun.conf import limits, quota, scheduler
from zun.domain.scheduling import FILTERS, SPREAD


def configured(*arguments: str) -> cfg.ConfigOpts:
    made = zun_conf.new()
    made([*arguments], project="zun", default_config_files=[])
    return made


@pytest.mark.parametrize(
    ("group", "name", "default"),
    [
        ("api", "host_ip", "127.0.0.1"),
        ("api", "port", 9517),
        ("api", "max_limit", 1000),
        (None, "default_cpu", 1.0),
        (None, "default_memory", 512),
        (None, "min_memory", 4),
        (None, "max_memory", 8192),
        (None, "min_cpu", 0.1),
        (None, "max_cpu", 16.0),
        (None, "min_disk", 1),
        (None, "max_disk", 160),
        (None, "unique_container_name_scope", ""),
        (None, "default_image_driver", "docker"),
        ("docker", "default_memory_swap", -1),
        ("docker", "default_timeout", 60),
        ("docker", "execute_timeout", 5),
        ("compute", "service_down_time", 180),
        ("compute", "sync_container_state_interval", 60),
        ("compute", "reserved_host_memory", 512),
        ("compute", "cpu_allocation_ratio", 16.0),
        ("compute", "ram_allocation_ratio", 1.5),
        ("compute", "default_availability_zone", "nova"),
        ("quota", "containers", 40),
        ("quota", "memory", 51_200),
        ("quota", "cpu", 20),
        ("quota", "disk", 100),
    ],
)
def test_defaults_are_those_that_operators_know(group: str | None, name: str, default: Any) -> None:
    conf = configured()
    assert getattr(conf[group] if group else conf, name) == default


def test_every_option_explains_itself() -> None:
    assert [option.name for _, options in zun_conf.list_opts() for option in options if len(option.help or "") < 20] == []


def test_no_option_of_a_secret_name_is_shown_in_logs() -> None:
    telling = ("password", "secret", "connection")
    shown = [option.name for _, options in zun_conf.list_opts() for option in options if option.name in telling and not option.secret]
    assert shown == []


def test_two_configurations_are_strangers_to_each_other() -> None:
    one, other = configured(), configured()
    one.set_override("port", 1234, group="api")
    assert other.api.port == 9517
    assert "api" not in cfg.CONF


def test_what_lives_on_the_machine_lies_under_the_state_path() -> None:
    conf = configured()
    conf.set_override("state_path", "/somewhere")
    assert conf.database.connection == "sqlite:////somewhere/zun.sqlite"
    assert conf.basic_auth.user_file == "/somewhere/htpasswd"


def test_an_engine_on_tcp_cannot_be_configured() -> None:
    conf = configured()
    with pytest.raises(ValueError, match="match regex"):
        conf.set_override("socket_path", "tcp://10.0.0.1:2375", group="docker")


def test_limits_reach_the_requests_and_the_quota() -> None:
    conf = configured()
    conf.set_override("max_cpu", 2.0)
    conf.set_override("image_driver_list", ["docker", "glance"])
    conf.set_override("cpu", 3, group="quota")
    assert limits.bounds(conf).max_cpu == 2.0
    assert limits.bounds(conf).image_drivers == ("docker", "glance")
    assert quota.limits(conf).cpu == 3


def test_hosts_are_chosen_by_all_filters_and_spread_over_unless_the_operator_says_otherwise() -> None:
    rules = scheduler.rules(configured())
    assert (list(rules.filters), rules.weights) == (list(FILTERS), SPREAD)
    conf = configured()
    conf.set_override("enabled_filters", ["RuntimeFilter", "RamFilter"], group="scheduler")
    conf.set_override("cpu_weight_multiplier", -2.5, group="scheduler")
    rules = scheduler.rules(conf)
    assert [each.name for each in rules.filters] == ["host", "service", "runtime", "dedicated cores", "room", "Placement"]
    assert rules.weights == {"ram": 1.0, "cpu": -2.5, "sandbox": 1.0}


def test_a_filter_that_there_is_not_is_named(tmp_path: Path) -> None:
    file = tmp_path / "zun.conf"
    file.write_text("[scheduler]\nenabled_filters = RuntimeFilter, PciPassthroughFilter\n")
    conf = zun_conf.new()
    conf(["--config-file", str(file)], project="zun", default_config_files=[])
    with pytest.raises(cfg.ConfigFileValueError, match="PciPassthroughFilter"):
        scheduler.rules(conf)
