"""The configuration files for operators to begin with say nothing that the service does not know, and leave out nothing that it needs."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest
from oslo_config import cfg

from zun import conf as zun_conf

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "etc/zun/examples"
UNITS = ROOT / "etc/systemd"
#: what stands for the operator's own
OWN = {
    "HOST_NAME": "host-1",
    "SECRET_KEY": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=",
    "CONTROLLER_ADDRESS": "192.0.2.1",
    "HOST_ADDRESS": "192.0.2.11",
}


def known(accounts: list[str]) -> cfg.ConfigOpts:
    """A configuration with the options of what is loaded beside the service's own; ``accounts`` are the sections with a password."""
    from zun.rpc.threads import register_options

    pytest.importorskip("keystonemiddleware")
    pytest.importorskip("vif_plug_ovs")
    from keystoneauth1 import loading
    from keystonemiddleware.opts import list_auth_token_opts
    from vif_plug_ovs.ovs import OvsPlugin

    from zun.conf import cinder, glance, neutron, placement

    conf = zun_conf.new()
    register_options(conf)
    for service in (cinder, glance, neutron, placement):
        service.register(conf)
    for group, options in list_auth_token_opts():
        conf.register_opts(options, group)
    for group in accounts:
        conf.register_opts(loading.get_auth_plugin_conf_options("password"), group)
    conf.register_opts(OvsPlugin.CONFIG_OPTS, "os_vif_ovs")
    return conf


@pytest.mark.parametrize("name", ["controller", "compute"])
def test_every_option_of_an_example_is_one_and_has_a_value_that_it_takes(tmp_path: Path, name: str) -> None:
    text = (EXAMPLES / f"{name}.conf").read_text()
    for word, value in OWN.items():
        text = text.replace(word, value)
    file = tmp_path / "zun.conf"
    file.write_text(text)
    read = configparser.RawConfigParser(default_section="", strict=True)
    read.read_string(text)
    conf = known([section for section in read.sections() if read[section].get("auth_type") == "password"])
    conf(["--config-file", str(file)], project="zun")
    for section in read.sections():
        for option in read[section]:
            group = conf if section == "DEFAULT" else conf[section]
            assert getattr(group, option) is not None, f"[{section}] {option}"


def test_only_controllers_know_the_database_and_the_keys() -> None:
    host = (EXAMPLES / "compute.conf").read_text()
    assert "[database]" not in host
    assert "[secrets]" not in host
    assert "encryption_keys" in (EXAMPLES / "controller.conf").read_text()


def test_there_is_a_unit_for_every_process() -> None:
    commands = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]) - {"zun-aio", "zun-manage", "zun-status"}
    begun = {path.stem: re.findall(r"^ExecStart=/opt/zun/bin/(\S+)$", path.read_text(), flags=re.M) for path in UNITS.glob("*.service")}
    assert begun == {command: [command] for command in commands}
