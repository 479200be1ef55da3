"""Looking at containers, changing, deleting, and every verb (REST contract, sections 4, 6, 7; states, section 2)."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.api.edge import OTHER, Edge, error
from zun import errors
from zun.db.store import SqlStore
from zun.domain.action import Action
from zun.domain.lifecycle import Status, Task
from zun.interfaces.runtime import ExecResult, ProcessList, Stats

PATH = "/v1/containers"


# -- which one ------------------------------------------------------------------------------------


def test_a_container_is_found_by_uuid_in_any_case_and_by_name(edge: Edge) -> None:
    row = edge.add_container("web.1")
    for id in (row.uuid, row.uuid.upper(), "web.1"):
        assert edge("GET", f"{PATH}/{id}").json["uuid"] == row.uuid


def test_text_in_the_shape_of_a_uuid_is_no_name(edge: Edge) -> None:
    name = str(uuid.uuid4())
    edge.add_container(name)
    assert error(edge("GET", f"{PATH}/{name}"))["code"] == "container.container-not-found"


def test_two_of_a_name_are_409(edge: Edge) -> None:
    edge.add_container("twin"), edge.add_container("twin")
    found = error(edge("GET", f"{PATH}/twin"))
    assert (found["status"], "use the uuid" in found["detail"]) == (409, True)


def test_somebody_elses_container_is_not_there_except_for_administrators(edge: Edge) -> None:
    row = edge.add_container("theirs", project_id=OTHER)
    for id in (row.uuid, "theirs"):
        assert edge("GET", f"{PATH}/{id}").status_code == 404
        assert edge("POST", f"{PATH}/{id}/stop").status_code == 404
        assert edge("GET", f"{PATH}/{id}", role="admin").json["uuid"] == row.uuid


def test_an_administrators_own_container_comes_before_others_of_its_name(edge: Edge) -> None:
    own = edge.add_container("web")
    edge.add_container("web", project_id=OTHER)
    assert edge("GET", f"{PATH}/web", role="admin").json["uuid"] == own.uuid
    assert edge("GET", f"{PATH}/web?all_projects=true", role="admin").status_code == 409


def test_all_projects_is_for_administrators(edge: Edge) -> None:
    edge.add_container()
    for method, path in (("GET", PATH), ("GET", f"{PATH}/web"), ("DELETE", f"{PATH}/web")):
        assert error(edge(method, f"{path}?all_projects=True"))["status"] == 403
        assert edge(method, f"{path}?all_projects=False&").status_code in (200, 204, 409)


@pytest.mark.parametrize("id", ["nothing", "%00", "a%0A", "%F0%9F%90%B3", "x" * 300, "-", "a b", "'; drop table container; --"])
def test_what_can_be_no_name_is_not_found(edge: Edge, id: str) -> None:
    assert edge("GET", f"{PATH}/{id}").status_code == 404


# -- lists ----------------------------------------------------------------------------------------


def names(edge: Edge, query: str = "", **how: Any) -> list[str]:
    answer = edge("GET", PATH + query, **how)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json["containers"]]


def test_a_list_has_no_links_and_hides_what_administrators_see(edge: Edge) -> None:
    edge.add_container()
    mine, theirs = (edge("GET", PATH, role=role).json["containers"][0] for role in ("member", "admin"))
    assert "links" not in mine
    assert set(theirs) - set(mine) == {"host", "image_pull_policy", "privileged", "runtime"}


def test_pages_follow_each_other_and_keep_what_was_asked(edge: Edge) -> None:
    for number in range(5):
        edge.add_container(f"web{number}", image="busybox" if number != 3 else "nginx")
    seen, url, pages = [], f"{PATH}?limit=2&sort_key=name&sort_dir=desc&image=busybox&all_projects=True", 0
    while url:
        answer = edge("GET", url, role="admin")
        seen += [each["name"] for each in answer.json["containers"]]
        following = answer.json["next"]
        if following:
            assert following.startswith("http://cloud.example:9517/v1/containers?")
            assert "image=busybox" in following and "all_projects=True" in following
        url, pages = following and following.removeprefix("http://cloud.example:9517"), pages + 1
    assert seen == ["web4", "web2", "web1", "web0"]
    assert pages == 3


def test_the_limit_is_capped(sqlite_store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "zun.conf").write_text("[api]\nmax_limit = 2\n")
    edge = Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")])
    for name in ("one", "two", "three"):
        edge.add_container(name)
    for query in ("", "?limit=1000", "?limit=999999999999999999"):
        answer = edge("GET", PATH + query).json
        assert [each["name"] for each in answer["containers"]] == ["one", "two"]
        assert "limit=2&" in answer["next"]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "sort_dir=up", "sort_key=nothing", "sort_key=labels"])
def test_a_page_that_makes_no_sense_is_400(edge: Edge, query: str) -> None:
    assert error(edge("GET", f"{PATH}?{query}"))["status"] == 400


def test_an_unknown_marker_is_404_and_so_is_somebody_elses(edge: Edge) -> None:
    theirs = edge.add_container("theirs", project_id=OTHER)
    for marker in (str(uuid.uuid4()), theirs.uuid):
        assert error(edge("GET", f"{PATH}?marker={marker}"))["code"] == "container.marker-not-found"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?name=one", ["one"]),
        ("?image=nginx", ["two"]),
        ("?status=Stopped", ["two"]),
        ("?status=Nonsense", []),
        ("?task_state=container_stopping", ["one"]),
        ("?memory=64", ["one"]),
        ("?auto_remove=yes", ["two"]),
        ("?auto_remove=false", ["one"]),
        ("?user_id=mia&name=two", ["two"]),
        (f"?project_id={OTHER}", []),
    ],
)
def test_filters_match_exactly(edge: Edge, query: str, found: list[str]) -> None:
    edge.add_container("one", memory=64, task_state=Task.STOPPING)
    edge.add_container("two", image="nginx", status=Status.STOPPED, auto_remove=True)
    edge.add_container("three", project_id=OTHER)
    assert names(edge, query) == found


def test_only_who_sees_the_host_may_filter_or_sort_by_it(edge: Edge) -> None:
    edge.add_container()
    for query in ("?host=node-1", "?sort_key=host"):
        assert error(edge("GET", PATH + query))["code"] == "container.policy-not-authorized"
        assert names(edge, query, role="admin") == ["web"]


def test_unknown_query_keys_are_400_and_bad_booleans_too(edge: Edge) -> None:
    assert error(edge("GET", f"{PATH}?colour=red"))["code"] == "container.schema-validation-error"
    assert error(edge("GET", f"{PATH}?all_projects=perhaps"))["status"] == 400
    assert names(edge, "?all_projects=") == []


def test_times_and_details_have_their_form(edge: Edge) -> None:
    edge.add_container(started_at=datetime(2024, 5, 1, 12, 20))
    shown = edge("GET", f"{PATH}/web").json
    assert shown["status_detail"] == "Up 10 mins"
    assert datetime.strptime(shown["created_at"], "%Y-%m-%d %H:%M:%S.%f")


# -- changing and deleting ------------------------------------------------------------------------


def test_patch_changes_what_it_names(edge: Edge) -> None:
    edge.add_container()
    answer = edge("PATCH", f"{PATH}/web", json={"name": "new", "cpu": "0.5", "memory": 100, "auto_heal": "true"}, at="1.14")
    assert answer.status_code == 200
    assert [answer.json[name] for name in ("name", "cpu", "memory", "auto_heal")] == ["new", 0.5, "100", True]
    assert edge.agent.asked == [("update", 0.5, 100)]


def test_patch_with_null_changes_nothing_and_with_anything_else_is_400(edge: Edge) -> None:
    edge.add_container()
    assert edge("PATCH", f"{PATH}/web", json={"name": None, "cpu": None}).json["name"] == "web"
    for body in ({"image": "nginx"}, {"name": ""}, {"memory": "1g"}, {"status": "Error"}):
        assert error(edge("PATCH", f"{PATH}/web", json=body))["status"] == 400
    assert error(edge("PATCH", f"{PATH}/web", json={"memory": 60_000}))["status"] == 400
    assert edge.agent.asked == []


def test_delete_answers_204_without_a_body(edge: Edge) -> None:
    edge.add_container(status=Status.STOPPED)
    answer = edge("DELETE", f"{PATH}/web?force=False&stop=False&all_projects=False", headers={"Content-Type": "application/octet-stream"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert edge("GET", f"{PATH}/web").json["status"] == "Deleting"


@pytest.mark.parametrize(
    ("query", "at", "role", "status", "answer"),
    [
        ("", "1.40", "member", Status.RUNNING, 409),
        ("?stop=true", "1.12", "member", Status.RUNNING, 204),
        ("?stop=true", "1.11", "member", Status.RUNNING, 400),
        ("?force=true", "1.7", "admin", Status.RUNNING, 204),
        ("?force=true", "1.6", "admin", Status.RUNNING, 400),
        ("?force=true", "1.7", "member", Status.RUNNING, 403),
        ("?force=true", "1.7", "admin", Status.PAUSED, 409),
        ("?force=true&stop=true", "1.40", "member", Status.RUNNING, 403),
        ("?force=maybe", "1.40", "admin", Status.RUNNING, 400),
        ("?colour=red", "1.40", "admin", Status.STOPPED, 400),
    ],
)
def test_delete_by_force_or_with_a_stop(edge: Edge, query: str, at: str, role: str, status: Status, answer: int) -> None:
    edge.add_container(status=status)
    assert edge("DELETE", f"{PATH}/web{query}", at=at, role=role).status_code == answer
    assert edge("GET", f"{PATH}/web").json["status"] == ("Deleting" if answer == 204 else status)


# -- verbs that are done later --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "query", "body", "status", "arguments"),
    [
        ("start", "", None, Status.STOPPED, {}),
        ("start", "?anything=1", None, Status.STOPPED, {}),
        ("stop", "", None, Status.RUNNING, {}),
        ("stop", "?timeout=5", None, Status.RUNNING, {"timeout": 5}),
        ("stop", "?timeout=", None, Status.RUNNING, {}),
        ("stop", "", {"timeout": 7}, Status.RUNNING, {"timeout": 7}),
        ("stop", "", {"unknown": 7}, Status.RUNNING, {}),
        ("reboot", "?timeout=0", None, Status.RUNNING, {"timeout": 0}),
        ("pause", "", None, Status.RUNNING, {}),
        ("unpause", "", None, Status.PAUSED, {}),
        ("kill", "", None, Status.RUNNING, {}),
        ("kill", "?signal=None", None, Status.RUNNING, {"signal": "KILL"}),
        ("kill", "?signal=9", None, Status.RUNNING, {"signal": "KILL"}),
        ("kill", "", {"signal": "sigterm"}, Status.RUNNING, {"signal": "TERM"}),
        ("kill", "", {"signal": None}, Status.RUNNING, {}),
    ],
)
def test_a_verb_is_accepted_with_its_arguments(edge: Edge, verb: str, query: str, body: Any, status: Status, arguments: Any) -> None:
    row = edge.add_container(status=status)
    answer = edge("POST", f"{PATH}/web/{verb}{query}", json=body)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (202, b"null", "application/json")
    with edge.store.read() as tx:
        (action,) = tx.find(Action, {"container_uuid": row.uuid})
    assert (action.action, action.arguments, action.user_id) == (verb, arguments, "mia")
    assert action.request_id == answer.headers["x-openstack-request-id"]


@pytest.mark.parametrize(
    ("verb", "query", "body"),
    [
        ("stop", "?timeout=-1", None),
        ("stop", "?timeout=soon", None),
        ("stop", "?unknown=1", None),
        ("stop", "?timeout=1", {"timeout": 2}),
        ("kill", "?signal=", None),
        ("kill", "?signal=GO", None),
        ("kill", "?signal=99", None),
        ("kill", "?unknown=1", None),
        ("kill", "", {"unknown": 1}),
    ],
)
def test_arguments_that_make_no_sense_are_400(edge: Edge, verb: str, query: str, body: Any) -> None:
    edge.add_container()
    assert error(edge("POST", f"{PATH}/web/{verb}{query}", json=body))["status"] == 400


def test_the_state_is_checked_before_the_arguments_and_the_policy_before_the_state(edge: Edge) -> None:
    edge.add_container(status=Status.STOPPED)
    found = error(edge("POST", f"{PATH}/web/stop?timeout=soon"))
    assert (found["status"], found["code"]) == (409, "container.invalid-state-exception")
    assert edge("POST", f"{PATH}/web/stop?timeout=soon", role="reader").status_code == 403
    assert edge("POST", f"{PATH}/nothing/stop?timeout=soon", role="reader").status_code == 404


def test_an_empty_body_of_any_type_is_no_body(edge: Edge) -> None:
    for name, kind in (("one", "application/json"), ("two", "application/octet-stream"), ("three", "text/plain")):
        edge.add_container(name)
        assert edge("POST", f"{PATH}/{name}/stop", body=b"", headers={"Content-Type": kind}).status_code == 202


# -- verbs that a host answers --------------------------------------------------------------------


def test_logs_are_a_json_string(edge: Edge) -> None:
    edge.add_container()
    edge.agent.answer = b"one\ntwo \xff\n"
    answer = edge("GET", f"{PATH}/web/logs?stdout=True&stderr=no&timestamps=1&tail=5&since=1714566600")
    assert answer.json == "one\ntwo \N{REPLACEMENT CHARACTER}\n"
    assert edge.agent.asked == [("logs", True, False, True, 5, datetime(2024, 5, 1, 12, 30))]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", (True, True, False, None, None)),
        ("?tail=all", (True, True, False, None, None)),
        ("?tail=0", (True, True, False, 0, None)),
        ("?since=2024-05-01+12:30:00,250", (True, True, False, None, datetime(2024, 5, 1, 12, 30, 0, 250_000))),
    ],
)
def test_what_of_the_log(edge: Edge, query: str, asked: tuple[Any, ...]) -> None:
    edge.add_container()
    edge.agent.answer = b""
    assert edge("GET", f"{PATH}/web/logs{query}").json == ""
    assert edge.agent.asked == [("logs", *asked)]


@pytest.mark.parametrize("query", ["since=None", "since=yesterday", "since=-1", "since=99999999999999", "stdout=maybe", "colour=1"])
def test_logs_refuse_what_makes_no_sense(edge: Edge, query: str) -> None:
    edge.add_container()
    assert error(edge("GET", f"{PATH}/web/logs?{query}"))["status"] == 400


@pytest.mark.parametrize(("query", "body"), [("?command=%22ls%22+%22-l%22+%22a+b%22", None), ("", {"command": "ls -l 'a b'"})])
def test_execute_splits_its_command_and_answers_with_the_end(edge: Edge, query: str, body: Any) -> None:
    edge.add_container()
    edge.agent.answer = ExecResult(output=b"total 0\n", exit_code=3)
    answer = edge("POST", f"{PATH}/web/execute{query}", json=body)
    assert answer.json == {"output": "total 0\n", "exit_code": 3, "exec_id": None, "proxy_url": None}
    assert edge.agent.asked == [("execute", ["ls", "-l", "a b"])]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "schema-validation-error"),
        ("?command=", "schema-validation-error"),
        ("?command=+", "invalid-value"),
        ("?command=%22open", "invalid-value"),
        ("?command=+&run=False", "invalid-value"),
        ("?command=ls&run=1", "schema-validation-error"),
    ],
)
def test_execute_refuses_what_it_cannot_do(edge: Edge, query: str, code: str) -> None:
    edge.add_container()
    found = error(edge("POST", f"{PATH}/web/execute{query}"))
    assert (found["status"], found["code"]) == (400, f"container.{code}")


@pytest.mark.parametrize(("query", "asked"), [("", None), ("?ps_args=None", None), ("?ps_args=aux", "aux")])
def test_top_shows_processes(edge: Edge, query: str, asked: str | None) -> None:
    edge.add_container()
    edge.agent.answer = ProcessList(titles=["PID", "CMD"], processes=[["1", "sleep"]])
    assert edge("GET", f"{PATH}/web/top{query}").json == {"Titles": ["PID", "CMD"], "Processes": [["1", "sleep"]]}
    assert edge.agent.asked == [("top", asked)]


def test_arguments_that_ps_refuses_are_400_and_named(edge: Edge) -> None:
    edge.add_container()
    edge.agent.answer = errors.EngineError(reason="secret")
    answer = edge("GET", f"{PATH}/web/top?ps_args=-zz")
    assert (error(answer)["status"], error(answer)["code"]) == (400, "container.invalid-value")
    assert "'ps_args'" in answer.text and "secret" not in answer.text
    assert edge("GET", f"{PATH}/web/top").status_code == 500


def test_stats_have_their_seven_names(edge: Edge) -> None:
    edge.add_container()
    edge.agent.answer = Stats(
        cpu_percent=1.5, memory_used=2**20, memory_limit=2**22, block_read=1, block_written=2, net_received=3, net_sent=4
    )
    assert edge("GET", f"{PATH}/web/stats").json == {
        "CONTAINER": "web",
        "CPU %": 1.5,
        "MEM USAGE(MiB)": 1.0,
        "MEM LIMIT(MiB)": 4.0,
        "MEM %": 25.0,
        "BLOCK I/O(B)": "1/2",
        "NET I/O(B)": "3/4",
    }


# -- when something fails -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "status", "title"),
    [
        (errors.ExecTimeout(seconds=5), 409, "The command did not end within 5 seconds and was ended."),
        (errors.EngineUnavailable(reason="secret socket"), 503, "Service Unavailable"),
        (errors.RpcUnavailable(target="secret host", seconds=1), 503, "Service Unavailable"),
        (errors.EngineError(reason="secret sentence"), 500, "Internal Server Error"),
        (ZeroDivisionError("secret"), 500, "Internal Server Error"),
    ],
)
def test_what_fails_behind_the_api_is_told_without_its_secrets(edge: Edge, trouble: Exception, status: int, title: str) -> None:
    edge.add_container()
    edge.agent.answer = trouble
    answer = edge("POST", f"{PATH}/web/execute?command=ls", at="1.20")
    found = error(answer)
    assert (found["status"], found["title"]) == (status, title)
    assert "secret" not in answer.text
    assert answer.headers["openstack-api-version"] == "container 1.20"
    assert ("retry-after" in answer.headers) == (status == 503)
    if status >= 500:
        assert found["code"] == "container."
        assert uuid.UUID(found["detail"].split()[-1].rstrip("."))
