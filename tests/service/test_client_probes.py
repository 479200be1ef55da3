"""A Pod with probes by the official client, unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.service.aio import Aio, eventually
from tests.service.official import Official
from tests.service.test_capsules import delete
from tests.service.test_probes import OFTEN, PREPARED, execute, pod


@pytest.fixture(autouse=True)
def _gone(service: Aio) -> Iterator[None]:
    yield
    for row in service.get("/capsules").json()["capsules"]:
        delete(service, row["uuid"])


def test_what_fails_its_probe_is_seen_to_be_started_again(capsule: Official, openstack: Official, service: Aio, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod(PREPARED, livenessProbe={"httpGet": {"port": "http", "path": "/up"}, **OFTEN})))
    uuid = capsule("create", "--file", str(file), "-f", "json")["containers"][0]["uuid"]

    def healthy() -> bool:
        return (openstack("show", "-f", "json", uuid)["status_detail"] or "").endswith("(healthy)")

    eventually(healthy)
    execute(service, uuid, "rm /www/up")
    why = "Restarted: Liveness probe failed: HTTP status 404"
    eventually(lambda: openstack("show", "-f", "json", uuid)["status_reason"] == why)
    eventually(healthy)


def test_a_probe_that_cannot_be_honoured_is_refused_by_name(capsule: Official, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod(PREPARED, livenessProbe={"grpc": {"port": 8080}})))
    assert "spec.containers[0].livenessProbe.grpc" in capsule("create", "--file", str(file), succeeds=False)
