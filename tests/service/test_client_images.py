"""The official client's commands on images and registries, unmodified."""

import pytest

from tests.registries import PASSWORD, USER, Index
from tests.service.aio import eventually


@pytest.fixture
def ours(openstack, front):
    """A registry of the project."""
    words = ("--name", "ours", "--domain", front.address, "--username", USER, "--password", PASSWORD)
    made = openstack("registry", "create", "-f", "json", *words)
    yield made
    openstack("registry", "delete", made["uuid"])


def test_registries_are_listed_shown_and_changed(openstack, ours, front):
    (row,) = openstack("registry", "list", "-f", "json")
    assert row == {"uuid": ours["uuid"], "name": "ours", "domain": front.address, "username": USER, "password": "***"}
    assert openstack("registry", "show", "-f", "json", "ours")["password"] == "***"
    changed = openstack("registry", "update", "-f", "json", "ours", "--username", "somebody")
    assert (changed["username"], changed["password"]) == ("somebody", "***")
    assert openstack("registry", "list", "-f", "json", "--username", USER) == []
    moved = openstack("registry", "update", "-f", "json", "ours", "--domain", "registry.example", "--password", "new", "--name", "theirs")
    assert (moved["uuid"], moved["name"], moved["domain"], moved["password"]) == (ours["uuid"], "theirs", "registry.example", "***")


def test_each_filter_of_registries(openstack, ours, front, service):
    project = service.get(f"/registries/{ours['uuid']}").json()["registry"]["project_id"]
    other = openstack("registry", "create", "-f", "json", "--domain", "registry.example", "--name", "another")

    def names(found):
        return [row["name"] for row in found]

    assert names(openstack("registry", "list", "-f", "json", "--name", "ours")) == ["ours"]
    assert names(openstack("registry", "list", "-f", "json", "--domain", front.address)) == ["ours"]
    assert names(openstack("registry", "list", "-f", "json", "--user-id", service.user_id, "--project-id", project)) == ["ours", "another"]
    assert names(openstack("registry", "list", "-f", "json", "--all-projects", "--project-id", project, "--sort-key", "name")) == [
        "another",
        "ours",
    ]
    assert names(openstack("registry", "list", "-f", "json", "--sort-key", "name", "--sort-dir", "desc")) == ["ours", "another"]
    assert names(openstack("registry", "list", "-f", "json", "--limit", "1")) == ["ours"]
    assert names(openstack("registry", "list", "-f", "json", "--limit", "1", "--marker", ours["uuid"])) == ["another"]
    assert openstack("registry", "delete", other["uuid"]).startswith("Request to delete registry")


def test_a_container_is_made_of_a_private_image(openstack, ours, front, service):
    made = openstack("create", "-f", "json", "--name", "private", "--registry", "ours", "team/web:1", "sleep", "1000")
    assert made["registry_id"] == ours["uuid"]
    assert service.wait("private", "Created", "Error")["status"] == "Created"
    assert "used by" in openstack("registry", "delete", "ours", refused=True)
    openstack("delete", "private")
    service.wait_gone("private")


def test_the_steps_of_a_pull_are_shown(openstack, ours, front, service):
    openstack("create", "--name", "slow", "--registry", "ours", "--image-pull-policy", "always", "team/web:1", "sleep", "1000")
    service.wait("slow", "Created")
    (row,) = openstack("action", "list", "-f", "json", "slow")
    shown = openstack("action", "show", "-f", "json", "slow", row["request_id"])
    assert "compute__pull_image" in str(shown["events"])
    newest = service.get(f"/containers/slow/container_actions/{row['request_id']}", version="1.41").json()["events"]
    pulled = next(event for event in newest if event["event"] == "compute__pull_image")
    # A host that has had the same image by another name finds all of it there.
    assert pulled["result"] == "Success" and ("layers" in pulled["details"] or pulled["details"] == "asking the registry")
    openstack("delete", "slow")
    service.wait_gone("slow")


def test_containers_of_a_capsule_are_made_of_a_private_image_too(openstack, ours, front, service):
    private = {"image": "team/web:1", "registry": "ours", "command": ["sleep", "1000"]}
    asked = {"kind": "capsule", "metadata": {"name": "private-pair"}, "spec": {"containers": [private, {**private, "args": ["1"]}]}}
    made = service.post("/capsules", json={"template": asked}, version="1.41")
    assert made.status_code == 202, made.text
    for member in made.json()["containers"]:
        shown = service.wait(member["uuid"], "Running", "Error")
        assert (shown["status"], shown["registry_id"]) == ("Running", ours["uuid"])
        newest = service.get(f"/containers/{member['uuid']}", version="1.41").json()
        assert newest["image_digest"].startswith("sha256:")
    assert service.delete(f"/capsules/{made.json()['uuid']}").status_code == 204
    eventually(lambda: service.get("/capsules/private-pair").status_code == 404)


def test_an_image_is_pulled_listed_shown_and_deleted(openstack, service):
    host = openstack("host", "list", "-f", "json")[0]
    made = openstack("image", "pull", "-f", "json", "127.0.0.1:1/team/web:1", host["hostname"])
    assert (made["repo"], made["tag"], made["host"]) == ("127.0.0.1:1/team/web", "1", host["hostname"])
    assert made["uuid"] in {row["uuid"] for row in openstack("image", "list", "-f", "json")}
    assert openstack("image", "show", "-f", "json", made["uuid"])["tag"] == "1"
    ordered = openstack("image", "list", "-f", "json", "--limit", "1", "--sort-key", "repo", "--sort-dir", "asc")
    assert [row["repo"] for row in ordered] == ["127.0.0.1:1/team/web"]
    assert openstack("image", "list", "-f", "json", "--marker", made["uuid"]) == []
    assert "accepted" in openstack("image", "delete", made["uuid"])
    eventually(lambda: service.get(f"/images/{made['uuid']}").status_code == 404)


def test_images_are_searched_for(openstack, service):
    index = Index([{"name": "team/web", "star_count": 3}, {"name": "team/webster"}], service.nearby)
    try:
        found = openstack("image", "search", "-f", "json", f"{index.address}/team/web")
        assert [(row["Name"], row["Metadata"]["star_count"]) for row in found] == [("team/web", 3), ("team/webster", 0)]
        (only,) = openstack("image", "search", "-f", "json", "--exact-match", "--image-driver", "docker", f"{index.address}/team/web")
        assert only["Name"] == "team/web"
    finally:
        index.close()


@pytest.mark.embedded("what is committed goes to Glance: test_client_cloud.py")
def test_a_container_is_committed(openstack, service):
    openstack("run", "--name", "source", "busybox", "sleep", "1000")
    service.wait("source", "Running")
    told = openstack("commit", "source", "snapshot:1")
    assert "has been accepted" in told
    image = told.rpartition("The image is ")[2].strip().rstrip(".")
    eventually(lambda: service.get(f"/images/{image}", version="1.41").json().get("status") == "Available")
    openstack("create", "--name", "copy", "snapshot:1", "sleep", "1000")
    assert service.wait("copy", "Created", "Error")["status"] == "Created"
    for name in ("source", "copy"):
        openstack("delete", "--force", name)
        service.wait_gone(name)
    openstack("image", "delete", image)
    eventually(lambda: service.get(f"/images/{image}").status_code == 404)
