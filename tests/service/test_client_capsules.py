"""``openstack capsule create|list|show|delete``, unmodified, with a template and with a Pod as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.aio import Aio, eventually
from tests.service.official import Official
from tests.service.test_capsules import POD, delete

TEMPLATE = """
capsuleVersion: beta
kind: capsule
metadata:
  name: template
  labels: {app: web}
spec:
  restartPolicy: Always
  containers:
  - image: busybox
    command: [sh, -c, "trap 'exit 0' TERM; sleep 1000 & wait"]
    env: {ENV1: /usr/local/bin}
    ports: [{name: web, containerPort: 80, protocol: TCP}]
    resources: {requests: {cpu: 0.1, memory: 32}}
"""


@pytest.fixture(autouse=True)
def _gone(service: Aio) -> Iterator[None]:
    yield
    for row in service.get("/capsules").json()["capsules"]:
        delete(service, row["uuid"])


def test_a_template_is_created_listed_shown_and_deleted(capsule: Official, service: Aio, tmp_path: Path) -> None:
    file = tmp_path / "capsule.yaml"
    file.write_text(TEMPLATE)
    made = capsule("create", "--file", str(file), "-f", "json")
    assert (made["name"], made["status"], made["labels"]) == ("template", "Creating", {"app": "web"})
    eventually(lambda: capsule("show", "-f", "json", "template")["status"] == "Running")
    (row,) = capsule("list", "-f", "json")
    assert (row["uuid"], row["name"], row["status"]) == (made["uuid"], "template", "Running")
    assert row["addresses"], "the client makes a text of them"
    assert capsule("list", "--limit", "1", "--sort-dir", "desc", "-f", "json") == [row]
    assert capsule("list", "--marker", row["uuid"], "-f", "json") == []
    assert "has been accepted" in capsule("delete", "template")
    eventually(lambda: capsule("list", "-f", "json") == [])


def test_a_pod_is_created_from_its_file(capsule: Official, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD)
    made = capsule("create", "--file", str(file), "-f", "json")
    assert [one["name"] for one in made["containers"]] == ["serve", "look"]
    assert "shop" in [row["name"] for row in capsule("list", "--sort-key", "name", "--all-projects", "-f", "json")]


def test_what_cannot_be_honoured_is_told(capsule: Official, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD.replace("spec:\n", "spec:\n  hostNetwork: true\n", 1))
    assert "'spec.hostNetwork' cannot be honoured: a capsule has an address of its own." in capsule(
        "create", "--file", str(file), succeeds=False
    )


def test_what_is_not_there(capsule: Official) -> None:
    assert "Capsule nobody could not be found." in capsule("show", "nobody", succeeds=False)
    # A fault of the client: it prints what failed, and ends as if it had not.
    assert "Delete for capsule nobody failed" in capsule("delete", "nobody", refused=True)
