"""Images of hosts: pulled, shown, removed, searched for; made of containers, kept and sent away; and those of another architecture."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests

from tests.engines import Dockerd
from tests.registries import PASSWORD, USER, Front, Index, PrivateRegistry
from tests.service.aio import PROGRAM, Aio, eventually
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.pause import image as pause

OTHER = "b" * 32


@pytest.fixture(scope="module")
def cloud(engine: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aio]:
    """A service with an administrator, and ``sue`` in another project."""
    aio = Aio(tmp_path_factory.mktemp("images"), engine, f"[basic_auth]\nusers = admin:{'a' * 32}:admin\nusers = sue:{OTHER}:member\n")
    try:
        aio.start()
        with (aio.state / "htpasswd").open("a") as file:
            file.write(f"sue:{bcrypt.hashpw(b'sue', bcrypt.gensalt(4)).decode()}\n")
        yield aio
    finally:
        aio.clean()


def host(cloud: Aio) -> dict[str, Any]:
    return dict(cloud.get("/hosts").json()["hosts"][0])


def image(cloud: Aio, uuid: str) -> dict[str, Any]:
    return dict(cloud.get(f"/images/{uuid}", version="1.41").json())


def settled(cloud: Aio, uuid: str) -> dict[str, Any]:
    """The image once nothing is under way."""
    eventually(lambda: image(cloud, uuid).get("status") in ("Available", "Error"), f"image {uuid} comes to rest")
    return image(cloud, uuid)


def registry(cloud: Aio, domain: str) -> str:
    account = {"domain": domain, "username": USER, "password": PASSWORD}
    return str(cloud.post("/registries", json={"registry": account}).json()["registry"]["uuid"])


def in_engine(engine: Dockerd, name: str) -> bool:
    http = DockerHttp(engine.socket, timeout=30)
    try:
        return http.call("GET", f"/images/{name}/json").status == 200
    finally:
        http.close()


def test_an_image_is_pulled_shown_and_removed(cloud: Aio, engine: Dockerd, front: Front, fresh: str) -> None:
    used = registry(cloud, front.address)
    front.hold()
    body = {"repo": f"{front.address}/{fresh}", "host": host(cloud)["uuid"], "registry": used}
    asked = cloud.post("/images", version="1.41", json=body)
    assert asked.status_code == 202, asked.text
    made = asked.json()
    assert asked.headers["Location"] == f"{cloud.url}/v1/images/{made['uuid']}"
    assert (made["repo"], made["tag"], made["image_id"], made["size"]) == (body["repo"].rpartition(":")[0], fresh.split(":")[1], None, None)
    again = cloud.post("/images", json={"repo": body["repo"], "host": host(cloud)["hostname"]})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "container.image-exists")
    assert front.waiting.wait(60)
    (action,) = cloud.get(f"/images/{made['uuid']}/image_actions", version="1.41").json()["imageActions"]

    def under_way() -> Any:
        shown = cloud.get(f"/images/{made['uuid']}/image_actions/{action['request_id']}", version="1.41").json()
        return [event["details"] for event in shown["events"] if event["result"] is None and "%" in (event["details"] or "")]

    assert eventually(under_way)
    front.release()
    shown = settled(cloud, made["uuid"])
    assert shown["status"] == "Available", shown["status_reason"]
    assert shown["digest"].startswith("sha256:") and int(shown["size"]) > 1 << 20 and shown["image_id"].startswith("sha256:")
    assert set(cloud.get(f"/images/{made['uuid']}").json()) == {"uuid", "links", "image_id", "project_id", "repo", "tag", "size", "host"}
    assert made["uuid"] in {row["uuid"] for row in cloud.get("/images").json()["images"]}

    container = cloud.create(image=body["repo"], run=False)
    cloud.wait(container, "Created")
    refused = cloud.delete(f"/images/{made['uuid']}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "container.image-in-use")
    cloud.delete(f"/containers/{container}")
    cloud.wait_gone(container)
    removed = cloud.delete(f"/images/{made['uuid']}")
    assert (removed.status_code, removed.json()) == (200, None)
    eventually(lambda: cloud.get(f"/images/{made['uuid']}").status_code == 404)
    assert not in_engine(engine, body["repo"])
    assert cloud.delete(f"/registries/{used}").status_code == 204


def test_a_pull_that_fails_says_why(cloud: Aio, front: Front) -> None:
    made = cloud.post("/images", json={"repo": f"{front.address}/team/web:1", "host": host(cloud)["hostname"]}).json()
    shown = settled(cloud, made["uuid"])
    assert shown["status"] == "Error" and "could not be pulled" in shown["status_reason"]
    assert (shown["image_id"], shown["size"]) == (None, None)
    cloud.delete(f"/images/{made['uuid']}")
    eventually(lambda: cloud.get(f"/images/{made['uuid']}").status_code == 404)


def test_a_commit_is_kept_for_its_project_and_for_no_other(cloud: Aio, engine: Dockerd) -> None:
    first = cloud.create("sh", "-c", "echo mine > /mine; trap 'exit 0' TERM; sleep 1000 & wait")
    cloud.wait(first, "Running")
    eventually(lambda: cloud.post(f"/containers/{first}/execute", params={"command": "cat /mine"}).json()["output"] == "mine\n")
    made = cloud.post(f"/containers/{first}/commit", params={"repository": "busybox", "tag": "latest"})
    assert made.status_code == 202, made.text
    uuid = made.json()["uuid"]
    shown = settled(cloud, uuid)
    assert (shown["status"], shown["repo"], shown["tag"]) == ("Available", "busybox", "latest")
    assert cloud.wait(first, "Running")["status"] == "Running"

    own = cloud.create(*PROGRAM, image="busybox")
    cloud.wait(own, "Running")
    assert cloud.post(f"/containers/{own}/execute", params={"command": "cat /mine"}).json()["output"] == "mine\n"
    body = {"image": "busybox", "command": list(PROGRAM), "cpu": 0.1, "memory": 32}
    headers = {"OpenStack-API-Version": "container 1.40"}
    answer = requests.post(f"{cloud.url}/v1/containers?run=true", json=body, auth=("sue", "sue"), headers=headers, timeout=60)
    theirs = answer.json()["uuid"]
    cloud.wait(theirs, "Running")
    told = cloud.post(f"/containers/{theirs}/execute", params={"command": "cat /mine"}).json()
    assert told["exit_code"] != 0, "what one project makes is not what another one gets, whatever it calls it"

    assert cloud.delete(f"/images/{uuid}").status_code == 409
    newer = cloud.post(f"/containers/{first}/commit", params={"repository": "busybox"}).json()["uuid"]
    settled(cloud, newer)
    for container in (first, own, theirs):
        cloud.delete(f"/containers/{container}", params={"stop": True, "all_projects": True})
        cloud.wait_gone(container)
    for each in (uuid, newer):
        assert cloud.delete(f"/images/{each}").status_code == 200
        eventually(lambda each=each: cloud.get(f"/images/{each}").status_code == 404)
    assert in_engine(engine, "busybox")


def test_a_commit_goes_to_its_registry_with_the_projects_account(cloud: Aio, engine: Dockerd, private_registry: PrivateRegistry) -> None:
    used = registry(cloud, private_registry.address)
    first = cloud.create()
    cloud.wait(first, "Running")
    name = f"{private_registry.address}/team/made"
    uuid = cloud.post(f"/containers/{first}/commit", params={"repository": name, "tag": "7"}).json()["uuid"]
    shown = settled(cloud, uuid)
    assert (shown["status"], shown["tag"]) == ("Available", "7"), shown["status_reason"]
    assert shown["digest"].startswith("sha256:")
    assert private_registry.holds("team/made") == ["7"]
    assert not in_engine(engine, f"{name}:7"), "it is where it was to go, and not in anybody's way here"
    again = cloud.create(image="team/made:7", registry=used)
    assert cloud.wait(again, "Running", "Error")["status"] == "Running"
    for container in (first, again):
        cloud.delete(f"/containers/{container}", params={"stop": True})
        cloud.wait_gone(container)
    assert cloud.delete(f"/images/{uuid}").status_code == 200
    eventually(lambda: cloud.get(f"/images/{uuid}").status_code == 404)
    assert cloud.delete(f"/registries/{used}").status_code == 204


def test_a_commit_that_cannot_be_sent_leaves_nothing_and_its_container_goes_on(cloud: Aio, private_registry: PrivateRegistry) -> None:
    assert cloud.get("/registries").json()["registries"] == []
    first = cloud.create()
    cloud.wait(first, "Running")
    uuid = cloud.post(f"/containers/{first}/commit", params={"repository": f"{private_registry.address}/team/refused"}).json()["uuid"]
    eventually(lambda: cloud.get(f"/images/{uuid}").status_code == 404)
    action = cloud.get(f"/containers/{first}/container_actions").json()["containerActions"][0]
    assert (action["action"], action["message"]) == ("commit", "Error")
    events = cloud.get(f"/containers/{first}/container_actions/{action['request_id']}").json()["events"]
    assert [(event["event"], event["result"]) for event in events] == [
        ("compute__commit_container", "Success"),
        ("compute__push_image", "Error"),
    ]
    assert cloud.show(first)["status"] == "Running"
    cloud.delete(f"/containers/{first}", params={"stop": True})
    cloud.wait_gone(first)


def test_what_a_registry_has_is_searched_for(cloud: Aio) -> None:
    index = Index([{"name": "team/web", "description": "pages", "star_count": 3, "is_official": False}, {"name": "team/webster"}])
    try:
        path = f"/images/{index.address}/team/web/search"
        found = cloud.get(path).json()
        first = {"name": "team/web", "description": "pages", "metadata": {"is_official": False, "star_count": 3}}
        assert found[0] == first and len(found) == 2
        assert cloud.get(path, params={"exact_match": "True", "image_driver": "docker"}).json() == [first]
    finally:
        index.close()
    refused = cloud.get(path)
    assert refused.status_code == 400 and "could be searched" in refused.json()["errors"][0]["title"]


def test_an_image_for_another_machine_is_refused_in_words(cloud: Aio, engine: Dockerd) -> None:
    own = DockerHttp(engine.socket, timeout=30)
    here = own.engine().architecture
    other = next(name for name in pause.MACHINES if name != here)
    load(own, "elsewhere:latest", other)
    uuid = cloud.create(image="elsewhere", image_pull_policy="never")
    shown = cloud.wait(uuid, "Running", "Error")
    assert shown["status"] == "Error"
    assert f"built for {other}" in shown["status_reason"] and here in shown["status_reason"]
    assert not [one for one in cloud.objects() if one["Labels"].get("org.openstack.zun.container") == uuid]
    cloud.delete(f"/containers/{uuid}")
    own.call("DELETE", "/images/elsewhere:latest")
    own.close()


def test_an_image_that_its_registry_has_for_other_machines_only_is_refused_in_words(cloud: Aio, private_registry: PrivateRegistry) -> None:
    used = registry(cloud, private_registry.address)
    only_for(private_registry, "s390x", "elsewhere")
    uuid = cloud.create(image="team/web:elsewhere", registry=used, image_pull_policy="always")
    shown = cloud.wait(uuid, "Running", "Error")
    assert shown["status"] == "Error"
    assert "team/web:elsewhere" in shown["status_reason"] and "no matching manifest for linux/" in shown["status_reason"]
    cloud.delete(f"/containers/{uuid}")
    cloud.wait_gone(uuid)
    assert cloud.delete(f"/registries/{used}").status_code == 204


def only_for(registry: PrivateRegistry, architecture: str, tag: str) -> None:
    """Give the registry an index whose one image is for this architecture."""
    place, account = f"http://{registry.address}/v2/team/web/manifests", (USER, PASSWORD)
    docker = "application/vnd.docker.distribution.manifest"
    held = requests.get(f"{place}/1", headers={"Accept": f"{docker}.v2+json"}, auth=account, timeout=60)
    platform = {"architecture": architecture, "os": "linux"}
    digest = held.headers["Docker-Content-Digest"]
    one = {"mediaType": f"{docker}.v2+json", "digest": digest, "size": len(held.content), "platform": platform}
    index = {"schemaVersion": 2, "mediaType": f"{docker}.list.v2+json", "manifests": [one]}
    headers = {"Content-Type": f"{docker}.list.v2+json"}
    assert requests.put(f"{place}/{tag}", data=json.dumps(index), headers=headers, auth=account, timeout=60).status_code == 201


def load(http: DockerHttp, reference: str, architecture: str) -> None:
    """Put an image for another machine into the engine."""
    layer = tar({"program": pause.binary(architecture)})
    digest = hashlib.sha256(layer).hexdigest()
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    body = tar({"config.json": json.dumps(config).encode(), "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})
    assert http.call("POST", "/images/load", query={"quiet": 1}, body=body).ok


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(str(Path(name)))
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
