"""Which of the cloud's two hosts a container gets: each filter leads to the one that passes, and where none does, the reason names it."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import openstack
import pytest

from cloud import daemons
from cloud.services import zun as service
from cloud.world import HOSTS, REGION, World
from tests import stores
from tests.cloud.containers import Zun
from tests.cloud.networks import soon
from tests.cloud.pretence import another_processor
from tests.image_archives import docker
from tests.images import busybox, root_archive
from zun.conformance.store_fixtures import host, written
from zun.db.store import SqlStore

_FEW = "There are not enough hosts available. "
_OTHERS = "left none of 1 that other filters had left of 2."
_COMPUTE = "zun-compute"
A, B = HOSTS


@pytest.fixture(scope="module")
def chief(cloud: World, admin: Any, demo: Any) -> Iterator[Zun]:
    """An administrator in demo's project: may name hosts and runtimes, and has its networks."""
    role, user, project = admin.identity.find_role("admin"), admin.current_user_id, demo.current_project_id
    admin.identity.assign_project_role_to_user(project, user, role)
    account = {**cloud.account("admin"), "project_name": cloud.account("demo")["project_name"]}
    with closing(openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **account)) as connection:
        yield Zun(cloud, connection)
    admin.identity.unassign_project_role_from_user(project, user, role)


@contextmanager
def settled(zun: Zun, *asked: Mapping[str, Any]) -> Iterator[list[tuple[str, str | None]]]:
    """What becomes of containers that are asked for at once: on which host each is, and the reason where it is on none."""
    # Nobody waits for what ends by itself.
    made = [zun.accepted(**{"command": ["true"], **each}) for each in asked]
    try:
        shown = [zun.settle(one) for one in made]
        assert all((one["status"] == "Error") == (one["status_reason"] is not None) for one in shown), shown
        yield [(one["host"], one["status_reason"]) for one in shown]
    finally:
        for one in made:
            zun.call("DELETE", f"/containers/{one}", params={"stop": "true"})
        for one in made:
            zun.gone(one)


def of(zun: Zun, *asked: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    with settled(zun, *asked) as found:
        return found


def none_left(reasons: Sequence[str]) -> list[tuple[None, str]]:
    return [(None, _FEW + reason) for reason in reasons]


def test_a_host_is_asked_for_by_its_name_its_runtime_or_its_label(chief: Zun) -> None:
    # Otherwise they would be spread.
    assert of(chief, {"host": B}, {"runtime": f"runc-of-{B}"}, {"hints": {"label:name": B}}) == [(B, None)] * 3


def test_where_no_host_passes_the_reason_names_the_filter(chief: Zun) -> None:
    asked: dict[str, dict[str, Any]] = {
        "The availability zone filter left none of 2.": {"availability_zone": "moon"},
        f"The availability zone filter {_OTHERS}": {"availability_zone": "moon", "host": B},
        "The runtime filter left none of 2.": {"runtime": "kata"},
        f"The runtime filter {_OTHERS}": {"runtime": f"runc-of-{A}", "host": B},
        "The image architecture filter left none of 2.": {"hints": {"architecture": "s390x"}},
        "The label filter left none of 2.": {"hints": {"label:name": "host-c"}},
        f"The label filter {_OTHERS}": {"hints": {"label:name": A}, "host": B},
        f"The same_host filter {_OTHERS}": {"hints": {"same_host": str(uuid.uuid4())}, "host": A},
    }
    assert of(chief, *asked.values()) == none_left(list(asked))
    unknown = chief.create(host="host-c")
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "container.host-not-found")


def test_beside_somebody_and_apart_from_him(chief: Zun) -> None:
    with chief.running(host=B) as one:
        beside, apart = {"same_host": one["uuid"]}, {"different_host": [one["uuid"]]}
        with settled(chief, {"hints": beside}, {"hints": apart}) as (same, other):
            assert [same, other] == [(B, None), (A, None)]
            nowhere = [{"hints": beside, "host": A}, {"hints": apart, "host": B}]
            assert of(chief, *nowhere) == none_left([f"The same_host filter {_OTHERS}", f"The different_host filter {_OTHERS}"])
    assert chief.create(hints={"same_host": "web"}).status_code == 400


@pytest.mark.whole
def test_containers_are_spread(chief: Zun) -> None:
    # One after the other: two conductors that choose in the same moment may choose the same host (ADR 28).
    with settled(chief, {}) as first:
        assert sorted([*first, *of(chief, {})]) == [(A, None), (B, None)]


@pytest.mark.whole
def test_a_host_that_is_disabled_or_down_gets_nothing(chief: Zun) -> None:
    def tell(what: str, name: str, **more: str) -> None:
        answer = chief.call("PUT", f"/services/{what}", params={"binary": _COMPUTE, "host": name, **more})
        assert answer.status_code == 200, answer.text

    try:
        tell("disable", A)
        assert of(chief, {}) == [(B, None)]
        tell("force_down", B, forced_down="true")
        assert of(chief, {}, {"host": B}) == none_left(["The service filter left none of 2.", f"The service filter {_OTHERS}"])
        tell("enable", A)
        assert of(chief, {}) == [(A, None)]
    finally:
        tell("enable", A)
        tell("force_down", B, forced_down="false")


@pytest.fixture
def for_arm(demo: Any) -> Iterator[str]:
    """An image of which Glance says that it is for another processor. It is busybox, so that it runs all the same."""
    busybox()
    facts = {"name": "for-arm", "container_format": "docker", "disk_format": "raw", "hw_architecture": "armv7l"}
    image = demo.image.post("/images", json=facts).json()["id"]
    data = docker(layer=root_archive())
    answer = demo.image.put(f"/images/{image}/file", data=data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 204, answer.text
    yield image
    demo.image.delete(f"/images/{image}")


@pytest.fixture
def two_kinds(cloud: World, chief: Zun) -> Iterator[None]:
    """One host in another zone, the other one with another processor."""

    def zones() -> list[str]:
        listed = {each["host"]: each["availability_zone"] for each in chief.call("GET", "/services").json()["services"]}
        return [listed[name] for name in HOSTS]

    def processors() -> list[str]:
        listed = {each["hostname"]: each["architecture"] for each in chief.call("GET", "/hosts").json()["hosts"]}
        return [listed[name] for name in HOSTS]

    with another_processor(cloud, B) as engine, ThreadPoolExecutor() as pool:
        changes = {A: {"compute": {"default_availability_zone": "east"}}, B: {"docker": {"socket_path": str(engine)}}}
        try:
            list(pool.map(lambda name: service.start_compute(cloud, cloud.node(name), changes[name]), HOSTS))
            assert soon(zones, ["east", "nova"]) == ["east", "nova"]
            assert soon(processors, ["x86_64", "armv7l"]) == ["x86_64", "armv7l"]
            yield
        finally:
            list(pool.map(lambda name: service.start_compute(cloud, cloud.node(name)), HOSTS))
    assert soon(zones, ["nova", "nova"]) == ["nova", "nova"]
    assert soon(processors, ["x86_64"] * 2) == ["x86_64"] * 2


@pytest.mark.whole
@pytest.mark.usefixtures("two_kinds")
def test_a_host_is_asked_for_by_its_zone_or_by_what_the_image_is_built_for(chief: Zun, for_arm: str) -> None:
    arm, east = {"image": for_arm, "image_driver": "glance"}, {"availability_zone": "east"}
    assert of(chief, east, east, arm) == [(A, None), (A, None), (B, None)]
    assert of(chief, {**arm, **east}, {**east, "host": B}) == none_left(
        [f"The image architecture filter {_OTHERS}", f"The availability zone filter {_OTHERS}"]
    )


@contextmanager
def nobody_chooses(cloud: World) -> Iterator[None]:
    """The conductors stand still meanwhile."""
    stopped = [pid for name in service.CONDUCTORS if (pid := daemons.pid(cloud.controller, name)) is not None]
    # What has entered the node for one stops when that does.
    starters = [int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in stopped]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (*stopped, *starters):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.whole
def test_a_host_that_is_forgotten_before_it_is_chosen(cloud: World, chief: Zun) -> None:
    store = SqlStore(cloud.database("zun"), stores.now)
    with nobody_chooses(cloud):
        (row,) = written(store, host(f"brief-{uuid.uuid4()}"))
        made = chief.accepted(host=row.hostname)
        with store.write() as tx:
            tx.drop(tx.get(type(row), row.uuid))
    shown = chief.settle(made)
    assert (shown["status"], shown["status_reason"]) == ("Error", _FEW + "The host filter left none of 2.")
    chief.delete(made)
    store.close()
