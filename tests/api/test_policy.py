"""Who has no business here, and rules that an operator writes. Who may do what is in roles.yaml (test_roles.py)."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from oslo_policy import _checks

from tests.api.edge import OWN, Edge, error
from zun.api.context import Context
from zun.api.policy import Policy
from zun.db.store import SqlStore

C = "/v1/containers"
CREATE = {"image": "busybox"}


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
    edge = Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")], ticks=itertools.count().__next__)
    assert edge("GET", C).status_code == 403
    rules.write_text('"container:get_one:host": "rule:project_reader_or_admin"\n"container:create:privileged": "role:manager"\n')
    assert edge("GET", C).status_code == 200
    edge.add_container()
    assert edge("GET", f"{C}/web", role="reader").json["host"] == "node-1"
    assert edge("POST", C, json={**CREATE, "privileged": True}, at="1.21", role="manager").status_code == 202


def test_the_files_are_looked_at_once_in_a_request_and_no_more_than_once_a_second(sqlite_store: SqlStore, tmp_path: Path) -> None:
    rules = tmp_path / "policy.yaml"
    (tmp_path / "zun.conf").write_text(f"[oslo_policy]\npolicy_file = {rules}\n")
    rules.write_text('"container:get_all": "!"\n')
    now = [0.0]
    asked = Policy(Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")]).conf, lambda: now[0])
    first, second, third = (Context(project_id=OWN, user_id="mia", roles=["member"], overwrite=False) for _ in range(3))
    assert not asked.allows("container:get_all", first)
    rules.write_text('"container:get_all": "role:member"\n"container:get_one": "!"\n')
    now[0] = 0.9
    assert not asked.allows("container:get_all", second), "the files were looked at a moment ago"
    now[0] = 1.0
    assert asked.allows("container:get_one", first), "one request is judged by one state of the rules"
    assert not asked.allows("container:get_one", third)
    assert asked.allows("container:get_all", third)


class Whim(_checks.Check):  # type: ignore[misc]
    """A kind of an operator's own: what it says is not what it said."""

    said = 0

    def __call__(self, target: object, creds: object, enforcer: object, current_rule: object = None) -> bool:
        type(self).said += 1
        return type(self).said % 2 == 1


def test_what_is_known_of_a_rule_is_of_one_caller_and_one_target(edge: Edge) -> None:
    asked = Policy(edge.conf)
    judged = [(["reader"], OWN, True), ([], OWN, False), (["reader"], "another", False), (["admin"], "another", True)]
    for _ in range(2):
        for roles, project, allowed in judged:
            context = Context(project_id=project, user_id="mia", roles=roles, overwrite=False)
            assert asked.allows("container:get_one", context, {"project_id": OWN, "user_id": "mia"}) is allowed
    assert asked.is_admin(Context(project_id=OWN, user_id="mia", roles=["admin"], overwrite=False))
    assert not asked.is_admin(Context(project_id=OWN, user_id="mia", roles=["member"], overwrite=False))


def test_a_rule_that_may_change_its_mind_is_asked_in_every_request(
    sqlite_store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_checks.registered_checks, "whim", Whim)
    rules = tmp_path / "policy.yaml"
    (tmp_path / "zun.conf").write_text(f"[oslo_policy]\npolicy_file = {rules}\n")
    rules.write_text('"moody": "whim:today"\n"container:get_one": "role:reader and rule:moody"\n')
    asked = Policy(Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")]).conf)
    said = [asked.allows("container:get_one", Context(project_id=OWN, user_id="mia", roles=["reader"], overwrite=False)) for _ in range(4)]
    assert said == [True, False, True, False]


def test_a_rule_that_does_not_exist_denies_even_administrators(edge: Edge) -> None:
    context = Context(project_id=OWN, user_id="ada", roles=["admin"], overwrite=False)
    assert not Policy(edge.conf).allows("container:fly", context)
