"""Every rule and every call by every kind of caller, against a table that is kept by hand (``roles.yaml``). What has no row there fails."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.edge import CALLERS, NOW, OTHER, OWN, Edge, error
from zun.api.context import Context
from zun.api.policy import BASE, Policy, list_rules
from zun.api.routes import ROUTES, Route
from zun.domain.action import Action, ActionState, StepEvent
from zun.domain.container import Container
from zun.domain.host import Host, Service
from zun.domain.host_image import Image, ImageState
from zun.domain.lifecycle import Status
from zun.domain.registry import Registry
from zun.domain.sandbox import Sandbox
from zun.interfaces.runtime import ExecResult, ProcessList, Stats

TABLE = yaml.load(Path(__file__).with_name("roles.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
PERSONAS: list[str] = TABLE["personas"]
RULES: dict[str, str] = {name: who for group in TABLE["rules"].values() for name, who in group.items()}
#: who passes a rule that is for one of these
PASSING = {
    "reader": {"reader", "member", "manager", "admin"},
    "member": {"member", "manager", "admin"},
    "manager": {"manager", "admin"},
    "admin": {"admin"},
    "nobody": set(),
}
IMAGE_UUID = "11111111-2222-4333-8444-555555555555"
ANSWERS = {
    "logs": b"",
    "execute": ExecResult(output=b"", exit_code=0),
    "top": ProcessList(titles=[], processes=[]),
    "stats": Stats(cpu_percent=0, memory_used=0, memory_limit=0),
    "search": [],
}
#: what stands in a path where the row says nothing else
PLACES = {"id": "web", "project": OWN, "name": "default", "container": "till", "request_id": "req-none"}


# -- rules ---------------------------------------------------------------------------------------------


def test_every_rule_has_its_row_and_every_row_its_rule() -> None:
    registered = {rule.name for rule in list_rules()} - {rule.name for rule in BASE}
    assert registered == set(RULES)
    assert {rule.name for rule in BASE} >= {"context_is_admin", "admin_or_owner", "admin_api", "deny_everybody"}


def test_all_rules_of_the_contract_are_there_and_none_is_for_fewer_than_it_says() -> None:
    kinds = TABLE["rules"]
    assert sum(len(kinds[kind]) for kind in ("OWNER", "ADMIN", "NOBODY")) + 4 == 82
    assert set(kinds["OWNER"].values()) == {"reader", "member"}, "a member has every right that an owner had"
    assert set(kinds["ADMIN"].values()) == {"admin"}
    assert kinds["NOBODY"] == {"container:create:privileged": "nobody"}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_by_each_caller_on_his_own_and_on_what_is_another_s(edge: Edge, rule: str) -> None:
    policy = Policy(edge.conf)
    passing = PASSING[RULES[rule]]
    for persona in ("reader", "member", "manager", "admin", "janitor"):
        own = Context(project_id=OWN, user_id="me", roles=[persona], overwrite=False)
        assert policy.allows(rule, own) == (persona in passing), persona
        assert policy.allows(rule, own, {"project_id": OWN, "user_id": "somebody"}) == (persona in passing), persona
        assert policy.allows(rule, own, {"project_id": OTHER, "user_id": "me"}) == (persona == "admin" and "admin" in passing), persona
    nobody = Context(project_id=OWN, user_id="me", roles=[], overwrite=False)
    assert not policy.allows(rule, nobody)


def test_every_rule_is_asked_by_some_call() -> None:
    asked = {row["rule"] for row in [*TABLE["calls"].values(), *TABLE["besides"]]}
    assert set(RULES) == (asked - {None}) | set(TABLE["unasked"])
    assert not asked & set(TABLE["unasked"])


# -- calls ---------------------------------------------------------------------------------------------


def key(route: Route) -> str:
    return f"{route.method} {route.path}"


def asked(route: Route, row: dict[str, Any]) -> str:
    path = route.path.format(**{**PLACES, **{name: value for name, value in row.items() if name in PLACES}})
    return path + (f"?{row['query']}" if "query" in row else "")


def begin_anew(edge: Edge) -> None:
    """Something of everything, and of another project's, too."""
    with edge.store.write() as tx:
        for entity in (Container, Sandbox, Service, Host, Image, Registry, Action):
            for row in tx.find(entity):
                tx.drop(row)
        for project, name in ((OWN, "mine"), (OTHER, "theirs")):
            tx.add(Registry(uuid=str(uuid.uuid4()), project_id=project, user_id="mia", name=name, domain=f"{name}.example"))
        tx.add(Image(uuid=IMAGE_UUID, project_id=OWN, user_id="ada", host="node-1", repo="old", status=ImageState.AVAILABLE))
    edge.add_host()
    edge.add_host("spare")
    web = edge.add_container("web")
    edge.add_container("stopped", status=Status.STOPPED)
    edge.add_container("paused", status=Status.PAUSED)
    edge.add_container("terminal", interactive=True)
    edge.add_container("theirs", project_id=OTHER, user_id="sue")
    add_capsule(edge, "shop", OWN)
    add_capsule(edge, "their-shop", OTHER)
    failed = StepEvent(event="compute__do_container_start", start_time=NOW, finish_time=NOW, result="Error", traceback="its trace")
    owner = {"project_id": OWN, "user_id": "mia", "request_id": "req-one", "container_uuid": web.uuid, "sandbox_uuid": web.sandbox_uuid}
    with edge.store.write() as tx:
        tx.add(Action(uuid=str(uuid.uuid4()), action="start", state=ActionState.DONE, message="Error", events=[failed], **owner))


def add_capsule(edge: Edge, name: str, project: str) -> None:
    owner = {"project_id": project, "user_id": "mia"}
    sandbox = Sandbox(uuid=str(uuid.uuid4()), capsule=True, name=name, host="node-1", **owner)
    member = {"sandbox_uuid": sandbox.uuid, "name": "till", "image": "busybox", "status": Status.RUNNING, "capsule": True}
    with edge.store.write() as tx:
        tx.add(sandbox)
        tx.add(Container(uuid=str(uuid.uuid4()), **member, **owner))


def answered(edge: Edge, method: str, path: str, row: dict[str, Any], at: str, rules: set[str]) -> list[str]:
    """What each kind of caller is answered; a 403 of somebody with a role names a rule."""
    found = []
    for persona in PERSONAS:
        begin_anew(edge)
        edge.agent.answer = ANSWERS.get(path.partition("?")[0].rpartition("/")[2])
        answer = edge(method, path, json=row.get("body"), role=None if persona == "nobody" else persona, at=at)
        mark = ""
        if "shows" in row and answer.status_code == 200:
            document = answer.json
            document.pop(row.get("without"), None)
            mark = "+" if f'"{row["shows"]}"' in repr(document).replace("'", '"') else "-"
        if answer.status_code == 403:
            told = error(answer)
            assert told["code"] == "container.policy-not-authorized" and any(f"{rule} " in f"{told['detail']} " for rule in rules), told
        found.append(f"{answer.status_code}{mark}")
    return found


@pytest.mark.parametrize("route", ROUTES, ids=key)
def test_each_call_by_each_caller(edge: Edge, route: Route) -> None:
    row = TABLE["calls"].get(key(route))
    assert row is not None, f"roles.yaml has no row for {key(route)}"
    assert row["rule"] == route.rule
    found = answered(edge, route.method, asked(route, row), row, str(route.until), {route.rule or ""})
    assert dict(zip(PERSONAS, found, strict=True)) == dict(zip(PERSONAS, str(row["answers"]).split(), strict=True))


@pytest.mark.parametrize("row", TABLE["besides"], ids=lambda row: f"{row['rule']} {row['call']}")
def test_each_rule_that_is_asked_besides(edge: Edge, row: dict[str, Any]) -> None:
    method, path = row["call"].split()
    own = {route.rule or "" for route in ROUTES if route.method == method}
    found = answered(edge, method, path, row, "1.41", {row["rule"], *own})
    assert dict(zip(PERSONAS, found, strict=True)) == dict(zip(PERSONAS, str(row["answers"]).split(), strict=True))


def test_the_table_has_no_row_of_a_call_that_is_gone() -> None:
    assert set(TABLE["calls"]) == {key(route) for route in ROUTES}
    assert {*PERSONAS, "nobody"} == {*CALLERS, "nobody"} and CALLERS["stranger"]["X-Project-Id"] == OTHER


def test_every_call_but_the_public_ones_has_a_rule() -> None:
    assert [route.path for route in ROUTES if route.rule is None] == ["/", "/v1", "/openapi.json"]
