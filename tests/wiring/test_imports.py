"""What a process has no use for it does not have in its memory: modules, because megabytes differ between machines."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

#: Makes the driver for Neutron as the process does, with an identity that asks nobody.
_WITH_NEUTRON = """
from zun import conf as options
from zun.wiring import network
conf = options.new()
conf([], default_config_files=[])
conf.set_override("driver", "neutron", "network")
from zun.conf import neutron
neutron.register(conf)
conf.set_override("auth_type", "none", "neutron")
from keystoneauth1 import loading
conf.register_opts(loading.get_auth_plugin_conf_options("none"), "neutron")
conf.set_override("endpoint", "http://127.0.0.1:1", "neutron")
network.driver(conf)
"""


# Not by importing one of them here: oslo.messaging chooses how this process runs threads, unless it is told before.
pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("keystonemiddleware", "oslo_messaging", "openstack")),
    reason="the extra 'openstack' is not installed",
)


def imported(process: str, unwanted: set[str], more: str = "") -> set[str]:
    """Which of these modules a process has."""
    look = f"import {process}\n{more}\nimport sys; print(*({unwanted!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_api_plugs_no_wires() -> None:
    assert imported("zun.cmd.api, zun.api.keystone", {"pyroute2", "os_vif", "vif_plug_ovs", "alembic"}, _WITH_NEUTRON) == set()


def test_an_agent_has_no_database_and_no_web_service() -> None:
    assert imported("zun.cmd.compute", {"sqlalchemy", "oslo_db", "falcon", "jsonschema"}, _WITH_NEUTRON) == set()


def test_a_stream_proxy_has_neither_a_database_nor_networks() -> None:
    assert imported("zun.cmd.wsproxy", {"sqlalchemy", "oslo_db", "openstack", "keystoneauth1"}) == set()
