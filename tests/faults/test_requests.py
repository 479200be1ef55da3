"""Each call that a request makes of Keystone, Neutron, Cinder and Glance is answered with 500, with 503, and not at all: the request is
answered with 503, which says whose fault it is, and nothing is left of it. The services are played, over real HTTP."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import falcon.testing
import pytest

from tests.hands import Clock
from tests.openstacks import KEPT, OPEN, PROJECT, SILENCE, OpenStack, no_fault, playing
from tests.stores import fresh
from zun import conf as zun_conf
from zun.conductor.leavings import UNBORN, Leavings
from zun.db.store import SqlStore
from zun.domain.action import Action
from zun.domain.container import Container
from zun.domain.host import always
from zun.domain.sandbox import Sandbox
from zun.domain.volume import Leaving, MadeVolume
from zun.drivers.inventory.local import LocalInventory

pytest.importorskip("keystonemiddleware")
pytest.importorskip("openstack")

#: what is asked for by names and by uuids, chosen by the service, and shared by several containers
NEW, ADDRESS = {"size": 1, "destination": "/new"}, {"network": "office", "v4-fixed-ip": "10.0.0.7"}
_ENTRY = {"image": "busybox", "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in ("kept", "new")]}
_VOLUMES = [{"name": "kept", "cinder": {"volumeID": KEPT}}, {"name": "new", "cinder": {"size": 1, "autoRemove": True}}]
_BY_NAME = {"image": "web", "image_driver": "glance", "nets": [ADDRESS, {"port": "mine"}], "security_groups": ["open"]}
WISHES: dict[str, tuple[str, dict[str, Any]]] = {
    "by name": ("/v1/containers", {**_BY_NAME, "mounts": [{"source": "kept", "destination": "/kept"}, NEW]}),
    "by uuid": ("/v1/containers", {"image": "busybox", "security_groups": [OPEN], "mounts": [{"source": KEPT, "destination": "/kept"}]}),
    "capsule": (
        "/v1/capsules",
        {"template": {"kind": "capsule", "metadata": {}, "spec": {"containers": [_ENTRY] * 2, "volumes": _VOLUMES}}},
    ),
}
#: how the answer names who has not answered
NAMES = {"identity": "identity service", "network": "network service", "volume": "volume service", "image": "image service"}
FAULTS = (500, 503, SILENCE)
_OPTIONS = """
[network]
driver = neutron
[volume]
driver_list = cinder
[keystone_authtoken]
www_authenticate_uri = {url}/identity
http_connect_timeout = 1
http_request_max_retries = 0
{account}
"""


class Service:
    """The API as it is wired for a cloud, with deadlines of a second, whose first request is yet to come."""

    def __init__(self, folder: Path, openstack: OpenStack, stack: ExitStack) -> None:
        from zun.api.keystone import authenticated
        from zun.wiring import control, drivers, edge

        folder.mkdir()
        account = {"auth_type": "password", "auth_url": f"{openstack.url}/identity", "username": "zun", "password": "secret"}
        account |= {"project_name": "service", "user_domain_name": "Default", "project_domain_name": "Default"}
        lines = "\n".join(f"{name} = {value}" for name, value in account.items())
        text = _OPTIONS.format(url=openstack.url, account=lines)
        text += "".join(f"[{section}]\n{lines}\ntimeout = 1\n" for section in ("neutron", "cinder", "glance"))
        (folder / "zun.conf").write_text(f"[DEFAULT]\nstate_path = {folder}\nimage_driver_list = docker,glance\n{text}")
        conf = zun_conf.new()
        conf([], project="zun", default_config_files=[str(folder / "zun.conf")])
        self.clock = Clock()
        self.store = SqlStore(fresh(folder / "zun.sqlite"), self.clock, durable=False)
        stack.callback(self.store.close)
        self._plugs = drivers.plugs(conf, drivers.docker(conf, "none"))
        rounds: Any = SimpleNamespace(place=lambda: None, follow=lambda _: None, clear_away=lambda: None, look_at_hosts=lambda: None)
        agents: Any = None
        decided = control.decisions(conf, self.store, self._plugs, agents, self.clock, rounds, always)
        self.app = edge.application(
            conf,
            self.store,
            decided,
            self._plugs.network,
            self.clock,
            proxy_port=1,
            authenticate=lambda app: authenticated(app, conf),
        )
        self._tokens = itertools.count()

    def ask(self, wish: str) -> falcon.testing.Result:
        """Ask for it, by a token that nobody has seen yet."""
        path, body = WISHES[wish]
        headers = {"X-Auth-Token": f"his-{next(self._tokens)}", "OpenStack-API-Version": "container 1.40"}
        return falcon.testing.simulate_post(self.app, path, json=body, headers=headers, host="cloud.example", port=9517)

    def rows(self) -> list[Any]:
        """All that is written."""
        with self.store.read() as tx:
            return [row for entity in (Sandbox, Container, Action, Leaving, MadeVolume) for row in tx.find(entity)]

    def clear_away(self) -> None:
        """What a conductor does in the next half hour."""
        inventory = LocalInventory(self.store, self.clock, 180)
        plugs = self._plugs
        for _ in range(2):
            Leavings(self.store, inventory, network=plugs.network, volumes=plugs.volumes, clock=self.clock, service_down_time=180).run()
            self.clock.pass_time(UNBORN.total_seconds() + 1)


def played(stack: ExitStack, wish: str) -> OpenStack:
    """One in which the default network of who names none is one that is lent to him, or else his own."""
    openstack = stack.enter_context(playing())
    if wish == "by uuid":
        openstack.rows["networks"] = [net for net in openstack.rows["networks"] if net["project_id"] != PROJECT]
    return openstack


def good(folder: Path, wish: str) -> list[str]:
    """All calls of a request that is accepted, the first that its process serves."""
    with ExitStack() as stack:
        openstack = played(stack, wish)
        service = Service(folder, openstack, stack)
        assert service.ask(wish).status_code == 202
        assert service.rows()
        return openstack.calls


def trouble(folder: Path, wish: str, number: int, kind: str, fault: int) -> str | None:
    """What is wrong with the end of a request whose so many-th call, and whatever is the same call afterwards, is answered so."""
    with ExitStack() as stack:
        openstack = played(stack, wish)
        service = Service(folder, openstack, stack)
        openstack.begin(lambda asked, now: fault if now >= number and asked == kind else None)
        answer = service.ask(wish)
        openstack.begin(no_fault)
        if answer.status_code != 503:
            return f"is answered with {answer.status_code}: {answer.text}"
        # Whose token is not had may be said of who would have taken it.
        away = kind.split("/")[1].partition("?")[0]
        names = NAMES.values() if away == "identity" else [NAMES[away]]
        if not any(f"the {name} does not answer" in answer.text for name in names):
            return f"does not say whose fault it is: {answer.text}"
        written = [row for row in service.rows() if not isinstance(row, MadeVolume)]
        service.clear_away()
        left = [*written, *service.rows(), *(volume for volume in openstack.rows["volumes"] if volume["id"] != KEPT)]
        return f"leaves {left}" if left else None


@pytest.mark.parametrize("wish", WISHES)
def test_each_call_of_a_request_is_needed_and_leaves_nothing_when_it_fails(tmp_path: Path, wish: str) -> None:
    calls = good(tmp_path / "good", wish)
    assert {kind.split("/")[1] for kind in calls} >= {"identity", "network", "volume"}
    cases = [(number, kind, fault) for number, kind in enumerate(calls, 1) for fault in FAULTS]
    # Those that are met with silence wait for a second.
    with ThreadPoolExecutor(8) as pool:
        ended = pool.map(lambda case: trouble(tmp_path / f"{case[0]}-{case[2]}", wish, *case), cases)
        found = {case: wrong for case, wrong in zip(cases, ended, strict=True) if wrong is not None}
    assert found == {}
