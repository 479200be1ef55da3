"""Images behind a password: who is shown it, where it lies, what becomes of a pull that is broken off."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import Dockerd
from tests.registries import PASSWORD, USER, Front, PrivateRegistry
from tests.service.aio import Aio, eventually
from zun.conductor.registries import Registries
from zun.conductor.vault import KeyFile, Vault
from zun.db.store import SqlStore
from zun.drivers.runtime.docker_http import DockerHttp
from zun.wiring.parts import utcnow

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def cloud(own_service: Aio) -> Iterator[Aio]:
    """A service of the test's own; whatever happened to it, the password is nowhere to be read."""
    yield own_service
    for file in [*own_service.state.glob("zun.sqlite*"), own_service.log]:
        assert PASSWORD.encode() not in file.read_bytes(), f"{file.name} has the password"
        assert BASIC.encode() not in file.read_bytes(), f"{file.name} has the password in another form"
    # It must have been written for that to mean something.
    assert any(USER.encode() in file.read_bytes() for file in own_service.state.glob("zun.sqlite*"))
    assert own_service.log.stat().st_size


def registry(cloud: Aio, domain: str, name: str = "mine", password: str = PASSWORD) -> dict[str, Any]:
    answer = cloud.post("/registries", json={"registry": {"domain": domain, "name": name, "username": USER, "password": password}})
    assert answer.status_code == 201, answer.text
    assert PASSWORD not in answer.text
    return dict(answer.json()["registry"])


def forget(dockerd: Dockerd, reference: str) -> None:
    http = DockerHttp(dockerd.socket, timeout=30)
    http.call("DELETE", f"/images/{reference}", query={"force": 1})
    http.close()


def test_the_right_account_opens_a_registry_for_short_and_for_full_names(cloud: Aio, engine: Dockerd, front: Front) -> None:
    made = registry(cloud, front.address)
    for image in ("team/web:1", f"{front.address}/team/web:1"):
        uuid = cloud.create(image=image, registry="mine", image_pull_policy="always")
        shown = cloud.wait(uuid, "Running", "Error")
        assert (shown["status"], shown["image"], shown["registry_id"]) == ("Running", image, made["uuid"]), shown["status_reason"]
        newer = cloud.get(f"/containers/{uuid}", version="1.41").json()
        assert newer["image_digest"].startswith("sha256:") and "image_digest" not in shown
        again = cloud.create(image=f"{front.address}/team/web@{newer['image_digest']}", registry=made["uuid"])
        assert cloud.wait(again, "Running", "Error")["status"] == "Running"
    assert front.shown() == {BASIC}
    forget(engine, f"{front.address}/team/web:1")


@pytest.mark.parametrize("given", [{"registry": "wrong"}, {}], ids=["with another password", "without an account"])
def test_any_other_account_opens_nothing(cloud: Aio, front: Front, given: dict[str, str]) -> None:
    registry(cloud, front.address, "wrong", "no-sesame")
    uuid = cloud.create(image=f"{front.address}/team/web:1", **given)
    shown = cloud.wait(uuid, "Running", "Error")
    assert shown["status"] == "Error"
    assert "could not be pulled" in shown["status_reason"] and "no-sesame" not in shown["status_reason"]
    assert shown["host"] is None


def test_an_account_is_shown_to_its_own_registry_only(cloud: Aio, front: Front, somebody_else: Front) -> None:
    registry(cloud, front.address)
    body = {"image": f"{somebody_else.address}/team/web:1", "registry": "mine"}
    answer = cloud.post("/containers", json=body)
    assert answer.status_code == 400 and "registry" in answer.json()["errors"][0]["title"]
    uuid = cloud.create(image=f"{somebody_else.address}/team/web:1")
    assert cloud.wait(uuid, "Running", "Error")["status"] == "Error"
    assert somebody_else.asked, "it was asked"
    assert not somebody_else.shown()
    # Nor can the password be sent elsewhere by giving its registry another name.
    changed = cloud.request("PATCH", "/registries/mine", json={"registry": {"domain": somebody_else.address}})
    assert changed.status_code == 400 and "password" in changed.json()["errors"][0]["title"]


def test_a_registry_in_use_is_not_deleted(cloud: Aio, front: Front) -> None:
    registry(cloud, front.address)
    uuid = cloud.create(image="team/web:1", registry="mine", run=False)
    cloud.wait(uuid, "Created")
    answer = cloud.delete("/registries/mine")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "container.registry-in-use")
    cloud.delete(f"/containers/{uuid}")
    cloud.wait_gone(uuid)
    assert cloud.delete("/registries/mine").status_code == 204


def test_a_pull_that_is_cut_off_by_a_restart_is_taken_up_again(cloud: Aio, engine: Dockerd, front: Front, fresh: str) -> None:
    registry(cloud, front.address)
    front.hold()
    uuid = cloud.create(image=fresh, registry="mine", image_pull_policy="always")
    assert front.waiting.wait(60)
    action = cloud.get(f"/containers/{uuid}/container_actions", version="1.41").json()["containerActions"][0]

    def under_way() -> Any:
        shown = cloud.get(f"/containers/{uuid}/container_actions/{action['request_id']}", version="1.41").json()
        return [event for event in shown["events"] if event["event"] == "compute__pull_image" and "MiB" in (event["details"] or "")]

    event = eventually(under_way, "the pull tells how far it has come")[0]
    assert (event["finish_time"], event["result"]) == (None, None)
    assert "%" in event["details"]
    cloud.kill()
    front.release()
    cloud.start()
    shown = cloud.wait(uuid, "Running", "Error")
    assert shown["status"] == "Running", shown["status_reason"]
    ended = cloud.get(f"/containers/{uuid}/container_actions/{action['request_id']}", version="1.41").json()
    assert [event["result"] for event in ended["events"]] == ["Success"] * len(ended["events"])
    forget(engine, f"{front.address}/{fresh}")


def test_a_deletion_ends_a_pull(cloud: Aio, front: Front, fresh: str) -> None:
    registry(cloud, front.address)
    front.hold()
    uuid = cloud.create(image=fresh, registry="mine", image_pull_policy="always")
    assert front.waiting.wait(60)
    assert cloud.delete(f"/containers/{uuid}", params={"force": True}).status_code == 204
    cloud.wait_gone(uuid)
    front.release()
    assert not cloud.objects()


def test_keys_are_replaced_while_the_service_runs(cloud: Aio, front: Front) -> None:
    registry(cloud, front.address)
    file = KeyFile(cloud.state / "secret-keys")
    assert file.path.stat().st_mode & 0o777 == 0o600
    (old,) = file()
    file.add()
    store = SqlStore(f"sqlite:///{cloud.state}/zun.sqlite", utcnow)
    assert Registries(store, Vault(file)).reseal() == 1
    store.close()
    file.keep_newest()
    assert old not in file()
    uuid = cloud.create(image="team/web:1", registry="mine", image_pull_policy="always")
    assert cloud.wait(uuid, "Running", "Error")["status"] == "Running"


def test_without_its_key_a_password_is_lost_and_that_is_said(cloud: Aio, front: Front) -> None:
    made = registry(cloud, front.address)
    KeyFile(cloud.state / "secret-keys").path.unlink()
    KeyFile(cloud.state / "secret-keys").ensure()
    uuid = cloud.create(image="team/web:1", registry="mine", image_pull_policy="always")
    shown = cloud.wait(uuid, "Running", "Error")
    assert shown["status"] == "Error" and made["uuid"] in shown["status_reason"] and "keys" in shown["status_reason"]


def test_the_default_registry_is_where_short_names_are(engine: Dockerd, private_registry: PrivateRegistry, tmp_path: Path) -> None:
    engine_settings = (
        f"\n[docker]\ndefault_registry = {private_registry.address}\ndefault_registry_username = {USER}\n"
        f"default_registry_password = {PASSWORD}\n"
    )
    aio = Aio(tmp_path, engine, engine_settings)
    try:
        aio.start()
        uuid = aio.create(image="team/web:1", image_pull_policy="always")
        shown = aio.wait(uuid, "Running", "Error")
        assert (shown["status"], shown["registry_id"]) == ("Running", None), shown["status_reason"]
        assert PASSWORD.encode() not in aio.log.read_bytes()
    finally:
        aio.clean()
