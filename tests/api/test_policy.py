"""Who may do what, operation by operation (policy contract). The table is written out by hand: it is what operators rely on."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api.edge import OTHER, OWN, Edge, error
from zun.api.context import Context
from zun.api.policy import Policy, list_rules
from zun.api.routes import ROUTES
from zun.db.store import SqlStore
from zun.domain.container import Container
from zun.domain.host import Host, Service
from zun.domain.host_image import Image, ImageState
from zun.domain.lifecycle import Status
from zun.domain.registry import Registry
from zun.domain.sandbox import Sandbox
from zun.interfaces.runtime import ExecResult, ProcessList, Stats

C = "/v1/containers"
R = "/v1/registries"
IMAGE_UUID = "11111111-2222-4333-8444-555555555555"
CREATE = {"image": "busybox"}
CAPSULE = {"kind": "capsule", "metadata": {}, "spec": {"containers": [CREATE]}}
SPARE = "host=spare&binary=zun-compute"

#: rule, call, body, answer to the agent; then who is let in: reader, member, manager, admin
OPERATIONS: list[tuple[str, str, str, Any, Any, str]] = [
    ("container:create", "POST", C, CREATE, None, ".xxx"),
    ("container:create:runtime", "POST", C, {**CREATE, "runtime": "runc"}, None, "...x"),
    ("container:create:image_pull_policy", "POST", C, {**CREATE, "image_pull_policy": "always"}, None, "...x"),
    ("container:create:requested_destination", "POST", C, {**CREATE, "host": "node-1"}, None, "...x"),
    ("container:create:privileged", "POST", C, {**CREATE, "privileged": True}, None, "...."),
    ("container:get_all", "GET", C, None, None, "xxxx"),
    ("container:get_all_all_projects", "GET", f"{C}?all_projects=true", None, None, "...x"),
    ("container:get_one", "GET", f"{C}/web", None, None, "xxxx"),
    ("container:get_one_all_projects", "GET", f"{C}/web?all_projects=true", None, None, "...x"),
    ("container:get_one:host", "GET", f"{C}?host=node-1", None, None, "...x"),
    ("container:update", "PATCH", f"{C}/web", {"name": "new"}, None, ".xxx"),
    ("container:delete", "DELETE", f"{C}/stopped", None, None, ".xxx"),
    ("container:delete_all_projects", "DELETE", f"{C}/stopped?all_projects=true", None, None, "...x"),
    ("container:delete_force", "DELETE", f"{C}/web?force=true", None, None, "...x"),
    ("container:start", "POST", f"{C}/stopped/start", None, None, ".xxx"),
    ("container:stop", "POST", f"{C}/web/stop", None, None, ".xxx"),
    ("container:stop", "DELETE", f"{C}/web?stop=true", None, None, ".xxx"),
    ("container:reboot", "POST", f"{C}/web/reboot", None, None, ".xxx"),
    ("container:rebuild", "POST", f"{C}/web/rebuild", None, None, ".xxx"),
    ("container:resize_container", "POST", f"{C}/web/resize_container", {"memory": 600}, None, ".xxx"),
    ("container:pause", "POST", f"{C}/web/pause", None, None, ".xxx"),
    ("container:unpause", "POST", f"{C}/paused/unpause", None, None, ".xxx"),
    ("container:kill", "POST", f"{C}/web/kill", None, None, ".xxx"),
    ("container:logs", "GET", f"{C}/web/logs", None, b"", "xxxx"),
    ("container:execute", "POST", f"{C}/web/execute?command=ls", None, ExecResult(output=b"", exit_code=0), ".xxx"),
    ("container:attach", "GET", f"{C}/terminal/attach", None, None, ".xxx"),
    ("container:top", "GET", f"{C}/web/top", None, ProcessList(titles=[], processes=[]), "xxxx"),
    ("container:resize", "POST", f"{C}/web/resize?h=1&w=1", None, None, ".xxx"),
    ("container:execute_resize", "POST", f"{C}/web/execute_resize?h=1&w=1&exec_id={'a' * 64}", None, None, ".xxx"),
    ("container:get_archive", "GET", f"{C}/web/get_archive?path=/etc", None, None, ".xxx"),
    ("container:put_archive", "POST", f"{C}/web/put_archive?path=/etc", {"data": "QUFB"}, None, ".xxx"),
    ("container:stats", "GET", f"{C}/web/stats", None, Stats(cpu_percent=0, memory_used=0, memory_limit=0), "xxxx"),
    ("container:actions", "GET", f"{C}/web/container_actions", None, None, "xxxx"),
    ("container:network_list", "GET", f"{C}/web/network_list", None, None, "xxxx"),
    ("capsule:create", "POST", "/v1/capsules", {"template": CAPSULE}, None, ".xxx"),
    ("capsule:get_all", "GET", "/v1/capsules", None, None, "xxxx"),
    ("capsule:get", "GET", "/v1/capsules/shop", None, None, "xxxx"),
    ("capsule:delete", "DELETE", "/v1/capsules/shop", None, None, ".xxx"),
    ("capsule:delete_all_projects", "DELETE", "/v1/capsules/shop?all_projects=true", None, None, "...x"),
    ("container:commit", "POST", f"{C}/web/commit?repository=mine", None, None, ".xxx"),
    ("image:pull", "POST", "/v1/images", {"repo": "new", "host": "node-1"}, None, "...x"),
    ("image:get_all", "GET", "/v1/images", None, None, "...x"),
    ("image:get_one", "GET", f"/v1/images/{IMAGE_UUID}", None, None, "...x"),
    ("image:delete", "DELETE", f"/v1/images/{IMAGE_UUID}", None, None, "...x"),
    ("image:search", "GET", "/v1/images/team/web/search", None, [], "xxxx"),
    ("registry:create", "POST", R, {"registry": {"domain": "reg.example"}}, None, ".xxx"),
    ("registry:get_all", "GET", R, None, None, "xxxx"),
    ("registry:get_all_all_projects", "GET", f"{R}?all_projects=true", None, None, "...x"),
    ("registry:get_one", "GET", f"{R}/mine", None, None, "xxxx"),
    ("registry:update", "PATCH", f"{R}/mine", {"registry": {"name": "ours"}}, None, ".xxx"),
    ("registry:delete", "DELETE", f"{R}/mine", None, None, ".xxx"),
    ("zun-service:get_all", "GET", "/v1/services", None, None, "...x"),
    ("zun-service:enable", "PUT", f"/v1/services/enable?{SPARE}", None, None, "...x"),
    ("zun-service:disable", "PUT", f"/v1/services/disable?{SPARE}", None, None, "...x"),
    ("zun-service:force_down", "PUT", f"/v1/services/force_down?{SPARE}&forced_down=true", None, None, "...x"),
    ("zun-service:delete", "DELETE", f"/v1/services?{SPARE}", None, None, "...x"),
    ("host:get_all", "GET", "/v1/hosts", None, None, "...x"),
    ("host:get", "GET", "/v1/hosts/node-1", None, None, "...x"),
    ("availability_zones:get_all", "GET", "/v1/availability_zones", None, None, "xxxx"),
    ("quota:get", "GET", f"/v1/quotas/{OWN}", None, None, "xxxx"),
    ("quota:get", "GET", f"/v1/quotas/{OTHER}", None, None, "...x"),
    ("quota:get_default", "GET", f"/v1/quotas/{OWN}/defaults", None, None, "xxxx"),
    ("quota:get_default", "GET", f"/v1/quotas/{OTHER}/defaults", None, None, "...x"),
    ("quota:update", "PUT", f"/v1/quotas/{OWN}", {"cpu": 1}, None, "...x"),
    ("quota:delete", "DELETE", f"/v1/quotas/{OWN}", None, None, "...x"),
    ("quota_class:get", "GET", "/v1/quota_classes/default", None, None, "...x"),
    ("quota_class:update", "PUT", "/v1/quota_classes/default", {"cpu": 1}, None, "...x"),
]


@pytest.mark.parametrize(("rule", "method", "path", "body", "answer", "letter"), OPERATIONS, ids=lambda each: str(each)[:40])
def test_each_operation_by_each_role(edge: Edge, rule: str, method: str, path: str, body: Any, answer: Any, letter: str) -> None:
    for role, mark in zip(("reader", "member", "manager", "admin"), letter, strict=True):
        start_anew(edge)
        edge.agent.answer = answer
        result = edge(method, path, json=body, role=role, at="1.40")
        if mark == "x":
            assert result.status_code < 300, (role, result.text)
        else:
            found = error(result)
            assert found["code"] == "container.policy-not-authorized", role
            # A reader is stopped by the call's own rule before any other is asked.
            assert rule in found["detail"] or role == "reader"


def start_anew(edge: Edge) -> None:
    with edge.store.write() as tx:
        for entity in (Container, Sandbox, Service, Host, Image, Registry):
            for row in tx.find(entity):
                tx.drop(row)
        tx.add(Registry(uuid=str(uuid.uuid4()), project_id=OWN, user_id="mia", name="mine", domain="reg.example"))
        tx.add(Image(uuid=IMAGE_UUID, project_id=OWN, user_id="ada", host="node-1", repo="old", status=ImageState.AVAILABLE))
    edge.add_host(), edge.add_host("spare")
    edge.add_container("web")
    edge.add_container("stopped", status=Status.STOPPED)
    edge.add_container("paused", status=Status.PAUSED)
    add_capsule(edge)
    edge.add_container("terminal", interactive=True)


def add_capsule(edge: Edge) -> None:
    owner = {"project_id": OWN, "user_id": "mia"}
    sandbox = Sandbox(uuid=str(uuid.uuid4()), capsule=True, name="shop", host="node-1", **owner)
    with edge.store.write() as tx:
        tx.add(sandbox)
        tx.add(
            Container(
                uuid=str(uuid.uuid4()),
                sandbox_uuid=sandbox.uuid,
                name="till",
                image="busybox",
                status=Status.RUNNING,
                capsule=True,
                **owner,
            )
        )


def test_every_rule_of_an_operation_is_in_the_table() -> None:
    tested = {rule for rule, *_ in OPERATIONS}
    untested = {
        "container:get_one:image_pull_policy",
        "container:get_one:privileged",
        "container:get_one:runtime",
        "container:action:events",
        # leave something out, and refuse nothing: tests/api/test_capsules.py
        "capsule:get:host",
        "capsule:get_all_all_projects",
        "capsule:get_one_all_projects",
        # since 1.41
        "capsule:add_container",
        "capsule:remove_container",
        "image:actions",
        "event:get_all",
        # gone at 1.40, or refused without Neutron
        "container:rename",
        "container:add_security_group",
        "container:remove_security_group",
        "container:network_attach",
        "container:network_detach",
        "network:attach_external_network",
        "network:create",
        "network:delete",
    }
    assert {rule.name for rule in list_rules() if ":" in rule.name} == tested | untested


def test_every_call_but_the_public_ones_has_a_rule() -> None:
    assert [route.path for route in ROUTES if route.rule is None] == ["/", "/v1", "/openapi.json"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", C), ("POST", C), ("GET", f"{C}/web"), ("GET", "/v1/services"), ("GET", "/v1/availability_zones")]
)
@pytest.mark.parametrize("role", ["projectless", "roleless", None])
def test_who_has_no_project_or_no_role_gets_403_everywhere(edge: Edge, role: str | None, method: str, path: str) -> None:
    edge.add_container()
    assert error(edge(method, path, role=role, json=CREATE if method == "POST" else None))["status"] == 403
    assert [row.name for row in edge.rows()] == ["web"]


def test_a_file_of_rules_changes_them_and_is_read_again_when_it_changes(sqlite_store: SqlStore, tmp_path: Path) -> None:
    rules = tmp_path / "policy.yaml"
    (tmp_path / "zun.conf").write_text(f"[oslo_policy]\npolicy_file = {rules}\n")
    rules.write_text('"container:get_all": "!"\n')
    edge = Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")])
    assert edge("GET", C).status_code == 403
    rules.write_text('"container:get_one:host": "rule:project_reader_or_admin"\n"container:create:privileged": "role:manager"\n')
    assert edge("GET", C).status_code == 200
    edge.add_container()
    assert edge("GET", f"{C}/web", role="reader").json["host"] == "node-1"
    assert edge("POST", C, json={**CREATE, "privileged": True}, at="1.21", role="manager").status_code == 202


def test_the_files_are_looked_at_once_in_a_request(sqlite_store: SqlStore, tmp_path: Path) -> None:
    rules = tmp_path / "policy.yaml"
    (tmp_path / "zun.conf").write_text(f"[oslo_policy]\npolicy_file = {rules}\n")
    rules.write_text('"container:get_all": "!"\n')
    asked = Policy(Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")]).conf)
    first, second = (Context(project_id=OWN, user_id="mia", roles=["member"], overwrite=False) for _ in range(2))
    assert not asked.allows("container:get_all", first)
    rules.write_text('"container:get_all": "role:member"\n"container:get_one": "!"\n')
    assert asked.allows("container:get_one", first), "one request is judged by one state of the rules"
    assert not asked.allows("container:get_one", second)
    assert asked.allows("container:get_all", second)


def test_a_rule_that_does_not_exist_denies_even_administrators(edge: Edge) -> None:
    context = Context(project_id=OWN, user_id="ada", roles=["admin"], overwrite=False)
    assert not Policy(edge.conf).allows("container:fly", context)
