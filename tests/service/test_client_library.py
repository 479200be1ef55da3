"""python-zunclient, the library, at the microversions from which what it sends or reads is another.

Heat's own sequences are in test_heat.py, and those of Horizon's panel in test_horizon.py.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.archives import tar
from tests.service.aio import PROGRAM, Aio, eventually
from tests.service.official import library

pytestmark = pytest.mark.embedded("it is the commands that are run with Keystone")

VERSIONS = ("1.12", "1.18", "1.24", "1.36", "1")


@pytest.fixture(scope="module", params=VERSIONS)
def zun(request: pytest.FixtureRequest, service: Aio) -> Any:
    """The library at each of these in turn."""
    return library(service, request.param)


@pytest.fixture(scope="module")
def minor(zun: Any) -> int:
    return int(zun.api_version.ver_minor)


@pytest.fixture(scope="module")
def web(zun: Any, service: Aio) -> Iterator[str]:
    """A container that runs, made in the manner of the microversion: the library sends the command as one string below 1.20. The tests of
    a microversion share it, and leave it running."""
    made = zun.containers.run(
        name="web", image="busybox", command=list(PROGRAM), cpu="0.1", memory="32", environment={"A": "b c"}, labels={"n": "1"}
    )
    assert (made.status, made.command) == ("Creating", list(PROGRAM))
    service.wait("web", "Running")
    yield "web"
    service.delete("/containers/web", params={"force": True})
    service.wait_gone("web")


def status(zun: Any, name: str, expected: str) -> None:
    eventually(lambda: (zun.containers.get(name).status, zun.containers.get(name).task_state) == (expected, None), f"{name}: {expected}")


def test_the_life_of_a_container(zun: Any, web: str) -> None:
    containers = zun.containers
    assert [each.name for each in containers.list()] == [web]
    assert [each.name for each in containers.list(all_projects=True, limit=5, sort_key="name", sort_dir="asc")] == [web]
    assert [each.name for each in containers.list(name="another")] == []
    found = containers.get(web, all_projects=False)
    assert (found.cpu, found.memory, found.environment, found.labels, found.interactive) == (0.1, "32", {"A": "b c"}, {"n": "1"}, False)
    containers.pause(web)
    status(zun, web, "Paused")
    containers.unpause(web)
    status(zun, web, "Running")
    containers.stop(web, 10)
    status(zun, web, "Stopped")
    containers.start(web)
    status(zun, web, "Running")
    containers.restart(web, 10)
    status(zun, web, "Running")
    containers.kill(web)
    status(zun, web, "Stopped")
    containers.start(web)
    status(zun, web, "Running")
    containers.kill(web, "SIGTERM")
    status(zun, web, "Stopped")
    containers.start(web)
    status(zun, web, "Running")
    assert {each.action for each in zun.actions.list(web)} >= {"create", "pause", "unpause", "stop", "start", "reboot", "kill"}
    (made,) = (each for each in zun.actions.list(web) if each.action == "create")
    shown = zun.actions.get(web, made.request_id)
    assert (shown.message, {event["result"] for event in shown.events}) == (None, {"Success"})


def test_rebuild_with_nothing_and_with_empty_words(zun: Any, service: Aio, web: str) -> None:
    for given in ({}, {"image": "", "image_driver": ""}, {"image": "busybox:latest", "image_driver": "docker"}):
        zun.containers.rebuild(web, **given)
        service.wait(web, "Running")
    assert service.show(web)["image"] == "busybox:latest"


def test_questions(zun: Any, web: str) -> None:
    from zunclient import exceptions

    containers = zun.containers
    assert containers.logs(web, stdout=False, stderr=False, timestamps=False, tail="all") == ""
    told = containers.execute(web, command='"echo" "a b"')
    assert (told["output"], told["exit_code"], told["exec_id"], told["proxy_url"]) == ("a b\n", 0, None, None)
    told = containers.execute(web, command='"sh"', interactive=True, run=False)
    assert (len(told["exec_id"]), told["proxy_url"].split(":")[0]) == (64, "ws")
    with pytest.raises(exceptions.BadRequest):  # nobody has connected to it yet; a client that has ignores just this error
        containers.execute_resize(web, told["exec_id"], 80, 24)
    containers.resize(web, "80", "24")
    assert containers.top(web)["Processes"]
    assert containers.top(web, "-o pid,comm")["Titles"] == ["PID", "COMMAND"]
    assert containers.stats(web)["CONTAINER"] == "web"
    assert [each.availability_zone for each in zun.availability_zones.list()] == ["nova"]


def test_archives_are_text_below_1_25_and_base64_since(zun: Any, minor: int, service: Aio, web: str) -> None:
    content = "grüße\n".encode()
    data = tar("letter", content)
    # The library puts text as it is below 1.25, and so it must be given text.
    zun.containers.put_archive(web, "/root", data.decode() if minor < 25 else data)
    got = zun.containers.get_archive(web, "/root/letter")
    assert (got["stat"]["name"], got["stat"]["size"]) == ("letter", len(content))
    with tarfile.open(fileobj=io.BytesIO(got["data"])) as archive:
        found = archive.extractfile("letter")
        assert found is not None
        assert found.read() == content


def test_changes(zun: Any, minor: int, service: Aio, web: str) -> None:
    changed = zun.containers.update(web, cpu=0.2, memory="64")
    assert (changed.cpu, changed.memory) == (0.2, "64")
    if minor < 14:
        assert zun.containers.rename(web, "shop")[1]["name"] == "shop"
    else:
        assert zun.containers.update(web, name="shop").name == "shop"
    assert zun.containers.update("shop", name="web").name == "web"


def test_networks_of_a_container_have_three_forms(zun: Any, minor: int, service: Aio, web: str) -> None:
    from zunclient import exceptions

    (address,) = (each["addr"] for each in service.show(web)["addresses"]["bridge"])
    if minor < 13:
        with pytest.raises(exceptions.NotAcceptable):
            zun.containers.network_list(web)
        return
    (network,) = zun.containers.network_list(web)
    assert (network.net_id, bool(network.port_id)) == ("bridge", True)
    assert (network.ip_address if minor < 18 else network.fixed_ips[0]["ip_address"]) == address


def test_a_terminal_follows_interactive_from_1_20_on(zun: Any, minor: int, service: Aio) -> None:
    made = zun.containers.create(name="shell", image="busybox", command=["sh"], interactive=True, cpu="0.1", memory="32")
    try:
        assert (made.interactive, made.tty) == (True, minor >= 20)
        service.wait("shell", "Created")
        zun.containers.start("shell")
        service.wait("shell", "Running")
        assert zun.containers.attach("shell").startswith("ws://")
    finally:
        zun.containers.delete("shell", force=True)
        service.wait_gone("shell")


def test_delete_sends_what_is_false_as_well(zun: Any, service: Aio) -> None:
    made = zun.containers.create(name="brief", image="busybox", cpu="0.1", memory="32")
    service.wait(made.uuid, "Created")
    zun.containers.delete(made.uuid, force=False, stop=False, all_projects=False)
    service.wait_gone(made.uuid)


def test_a_capsule(zun: Any, minor: int, service: Aio) -> None:
    entry = {"image": "busybox", "command": list(PROGRAM), "resources": {"requests": {"cpu": 0.1, "memory": 32}}}
    made = zun.capsules.create(template={"kind": "capsule", "metadata": {"name": "pair"}, "spec": {"containers": [entry, entry]}})
    try:
        assert (made.name if minor >= 32 else made.meta_name) == "pair"
        eventually(lambda: zun.capsules.get(made.uuid).status == "Running")
        assert [each.uuid for each in zun.capsules.list()] == [made.uuid]
        assert len(zun.capsules.describe("pair").containers) == 2
    finally:
        zun.capsules.delete(made.uuid)
        eventually(lambda: service.get(f"/capsules/{made.uuid}").status_code == 404)


def test_what_operators_ask(zun: Any, service: Aio) -> None:
    (host,) = zun.hosts.list()
    assert zun.hosts.get(host.uuid).hostname == zun.hosts.get(host.hostname).hostname == host.hostname
    (process,) = zun.services.list()
    try:
        assert zun.services.disable(process.host, process.binary, "new disk")[1]["service"]["disabled_reason"] == "new disk"
        assert zun.services.enable(process.host, process.binary)[1]["service"]["disabled"] is False
        assert zun.services.force_down(process.host, process.binary, False)[1]["service"]["forced_down"] is False
    finally:
        zun.services.enable(process.host, process.binary)
    assert zun.quotas.get("somebody").containers == 40
    assert zun.quotas.get("somebody", usages=True).containers == {"limit": 40, "in_use": 0}
    assert zun.quotas.update("somebody", containers=3).containers == 3
    zun.quotas.delete("somebody")
    assert zun.quotas.defaults("somebody").containers == 40
    assert zun.quota_classes.update("library", cpu=4).cpu == zun.quota_classes.get("library").cpu == 4


def test_registries_and_images(zun: Any, service: Aio) -> None:
    made = zun.registries.create(name="theirs", domain="registry.example", username="robot", password="open-sesame")
    # The library does not unpack the object: whoever calls it reads ``registry`` of it.
    uuid = made.registry["uuid"]
    assert zun.registries.get("theirs").registry["password"] == "***"
    assert zun.registries.update(uuid, username="other").registry["username"] == "other"
    assert [each.uuid for each in zun.registries.list(domain="registry.example")] == [uuid]
    zun.registries.delete(uuid)
    assert zun.registries.list() == []
    (host,) = zun.hosts.list()
    image = zun.images.create(repo="127.0.0.1:1/team/web:1", host=host.uuid)
    assert [each.uuid for each in zun.images.list(limit=2)] == [image.uuid]
    assert zun.images.get(image.uuid).tag == "1"
    zun.images.delete(image.uuid)
    eventually(lambda: zun.images.list() == [])


def test_errors_are_of_their_class_and_say_why(zun: Any, service: Aio, web: str) -> None:
    from zunclient import exceptions

    with pytest.raises(exceptions.NotFound, match="Container nobody could not be found"):
        zun.containers.get("nobody")
    with pytest.raises(exceptions.Conflict, match=r"Cannot start container .* in Running state"):
        zun.containers.start(web)
    with pytest.raises(exceptions.BadRequest, match="'cpu'"):
        zun.containers.create(image="busybox", cpu="17")
    with pytest.raises(exceptions.Forbidden, match="container:create:privileged"):
        zun.containers.create(image="busybox", privileged=True)


@pytest.mark.parametrize("prefix", ["/v1", "/v1/", ""])
def test_a_catalog_may_have_the_version_in_its_endpoint_or_not(service: Aio, prefix: str) -> None:
    zun = library(service, "1", prefix)
    assert zun.api_version.ver_minor == 40
    made = zun.containers.create(name="any", image="busybox", cpu="0.1", memory="32")
    service.wait(made.uuid, "Created")
    assert [each.uuid for each in zun.containers.list(name="any")] == [made.uuid]
    zun.containers.delete(made.uuid)
    service.wait_gone(made.uuid)


def test_lists_in_parts(service: Aio) -> None:
    zun = library(service, "1")
    made = [zun.containers.create(image="busybox", cpu="0.1", memory="32", availability_zone="moon").uuid for _ in range(3)]
    try:
        assert [each.uuid for each in zun.containers.list(limit=1, marker=made[0])] == made[1:2]
        assert [each.uuid for each in zun.containers.list(limit=2, marker=made[0])] == made[1:]
    finally:
        for uuid in made:
            service.wait(uuid, "Error")
            zun.containers.delete(uuid)
            service.wait_gone(uuid)
