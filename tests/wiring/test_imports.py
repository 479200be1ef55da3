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
    unwanted = {"pyroute2", "os_vif", "vif_plug_ovs", "alembic"}
    assert imported("zun.cmd.api, zun.api.keystone", unwanted, _WITH_NEUTRON) == set()


@pytest.mark.parametrize("process", ["zun.cmd.api", "zun.cmd.conductor"])
def test_who_is_no_host_has_no_agent(process: str) -> None:
    assert imported(process, {"zun.compute.loop", "zun.compute.doors", "zun.compute.ask"}, _WITH_NEUTRON) == set()


def test_the_api_has_oslo_middleware_only_once_it_is_asked_for_it() -> None:
    made = """
from zun import conf as options
from zun.api.app import pipeline
conf = options.new()
conf([], default_config_files=[])
def answer(environ, start_response):
    start_response("200 OK", [])
    return [b""]
app = pipeline(answer, conf, lambda app: app)
def ask(path, **more):
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", "HTTP_HOST": "localhost", **more}
    list(app(environ, lambda *told: lambda body: None))
ask("/v1/containers")
"""
    unwanted = {"oslo_middleware", "jinja2", "greenlet"}
    assert imported("zun.cmd.api, zun.api.keystone", unwanted, made) == set()
    for asked in ("ask('/healthcheck')", "ask('/v1/', HTTP_ORIGIN='http://dashboard')"):
        assert "oslo_middleware" in imported("zun.cmd.api", unwanted, made + asked)


def test_the_api_has_the_sdk_only_once_it_has_to_ask_a_service() -> None:
    assert imported("zun.cmd.api, zun.api.keystone", {"openstack"}, _WITH_NEUTRON) == set()
    asking = f"""{_WITH_NEUTRON}
from zun import errors
try:
    network.driver(conf).left(["a-container"])
except errors.NetworkUnavailable:
    pass
"""
    assert imported("zun.cmd.api", {"openstack"}, asking) == {"openstack"}


@pytest.mark.parametrize("url", ["mysql+pymysql://zun:x@127.0.0.1:1/zun", "postgresql+psycopg://zun:x@127.0.0.1:1/zun"])
def test_tables_are_asked_for_without_the_orm(url: str) -> None:
    made = f"from datetime import datetime\nfrom zun.db.store import SqlStore\nSqlStore({url!r}, datetime.now)"
    assert imported("zun.cmd.conductor", {"sqlalchemy.orm", "alembic", "sqlalchemy.dialects.sqlite"}, made) == set()


def test_an_agent_has_no_database_and_no_web_service() -> None:
    unwanted = {"sqlalchemy", "oslo_db", "falcon", "jsonschema", "oslo_middleware", "webob", "jinja2", "cryptography"}
    assert imported("zun.cmd.compute", unwanted, _WITH_NEUTRON) == set()


def test_a_stream_proxy_has_neither_a_database_nor_networks() -> None:
    unwanted = {"sqlalchemy", "oslo_db", "openstack", "keystoneauth1"}
    assert imported("zun.cmd.wsproxy", unwanted) == set()
