"""``POST /containers``: every field, at the versions at which it may be given (REST contract, sections 2 and 5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.edge import OWN, Edge, error
from zun.domain.action import Action
from zun.domain.container import Container
from zun.domain.model import Version

PATH = "/v1/containers"
GATE = "container.invalid-param-in-version"
SCHEMA = "container.schema-validation-error"
VALUE = "container.invalid-value"
DENIED = "container.policy-not-authorized"
REFUSED = "container.not-offered"

IMAGE = {"image": "busybox"}


def made(edge: Edge, body: dict[str, Any], at: str = "1.40", role: str = "admin") -> Container:
    """The container that was made of this body."""
    answer = edge("POST", PATH, json={**IMAGE, **body}, at=at, role=role)
    assert answer.status_code == 202, answer.text
    return next(row for row in edge.rows() if row.uuid == answer.json["uuid"])


def refused(edge: Edge, body: Any, at: str = "1.40", role: str = "admin", query: str = "") -> dict[str, Any]:
    """The error that this body met; nothing was made of it."""
    found = error(edge("POST", PATH + query, json=body, at=at, role=role))
    assert edge.rows() == []
    return found


# -- field by version -----------------------------------------------------------------------------

#: field, value, the first version at which it works, what it meets below (None: it works everywhere)
FIELDS = [
    ("name", "web", "1.1", None),
    ("command", "sleep 10", "1.1", None),
    ("command", ["sleep", "10"], "1.20", SCHEMA),
    ("entrypoint", ["/bin/sh"], "1.40", SCHEMA),
    ("cpu", 0.5, "1.1", None),
    ("cpu_policy", "shared", "1.1", None),
    ("memory", "64", "1.1", None),
    ("environment", {"A": "b"}, "1.1", None),
    ("labels", {"a": 1}, "1.1", None),
    ("workdir", "/tmp", "1.1", None),
    ("hostname", "web-1", "1.9", GATE),
    ("restart_policy", {"Name": "always"}, "1.1", None),
    ("interactive", True, "1.1", None),
    ("tty", "true", "1.1", None),
    ("auto_remove", False, "1.3", GATE),
    ("auto_heal", "True", "1.1", None),
    ("image_driver", "docker", "1.1", None),
    ("image_pull_policy", "Always", "1.1", None),
    ("security_groups", [], "1.1", None),
    ("nets", [], "1.1", None),
    ("mounts", [{"source": "Zm9v", "type": "bind", "destination": "/f"}], "1.11", GATE),
    ("mounts", [], "1.1", None),
    ("healthcheck", {"cmd": "true", "interval": 5}, "1.22", GATE),
    ("healthcheck", {}, "1.1", None),
    ("runtime", "runc", "1.5", GATE),
    ("hints", {"label:a": "b"}, "1.1", None),
    ("availability_zone", "nova", "1.1", None),
    ("registry", "mine", "1.31", GATE),
    ("host", "node-1", "1.39", SCHEMA),
    ("privileged", True, "1.21", GATE),
    ("exposed_ports", {"80/tcp": {}}, "1.24", GATE),
]
#: what this deployment refuses by name once the version allows it, and what only a changed policy allows
NOT_SERVED = {"registry": "container.registry-not-found", "exposed_ports": REFUSED, "privileged": DENIED}


@pytest.mark.parametrize(("field", "value", "since", "below"), FIELDS, ids=lambda each: str(each)[:24])
def test_each_field_works_from_its_version_on(edge: Edge, field: str, value: Any, since: str, below: str | None) -> None:
    first = Version(*map(int, since.split(".")))
    if below:
        before = f"1.{first.minor - 1}"
        found = refused(edge, {**IMAGE, field: value}, before)
        assert found["status"] == (403 if field == "privileged" else 400)
        assert found["code"] == (DENIED if field == "privileged" else below)
        assert field in found["detail"]
    answer = edge("POST", PATH, json={**IMAGE, field: value}, at=since, role="admin")
    if field in NOT_SERVED:
        assert error(answer)["code"] == NOT_SERVED[field]
    else:
        assert answer.status_code == 202, answer.text


def test_the_image_is_the_only_thing_that_must_be_given(edge: Edge) -> None:
    found = refused(edge, {"name": "web"})
    assert (found["status"], found["code"], found["title"]) == (400, SCHEMA, "Invalid input for field 'image': is required")
    assert found["detail"] == found["title"]


# -- values ---------------------------------------------------------------------------------------

#: field, what is sent, what is kept
KEPT = [
    ("cpu", "0.25", 0.25),
    ("cpu", 2, 2.0),
    ("cpu", ".5", 0.5),
    ("memory", 128, 128),
    ("memory", "128", 128),
    ("environment", {"A": ""}, {"A": ""}),
    ("labels", {"n": 1, "t": True, "f": 1.5, "s": "x"}, {"n": "1", "t": "True", "f": "1.5", "s": "x"}),
    ("command", ["sleep", 10], ["sleep", "10"]),
    ("restart_policy", {"Name": "on-failure"}, {"Name": "on-failure", "MaximumRetryCount": "0"}),
    ("restart_policy", {"Name": "on-failure", "MaximumRetryCount": 2}, {"Name": "on-failure", "MaximumRetryCount": "2"}),
    ("restart_policy", {"Name": "no", "MaximumRetryCount": "9"}, {"Name": "no", "MaximumRetryCount": "0"}),
    ("restart_policy", {"Name": "always", "MaximumRetryCount": None}, {"Name": "always", "MaximumRetryCount": "0"}),
    ("interactive", "False", False),
    ("image_pull_policy", "IfNotPresent", "ifnotpresent"),
    ("image_driver", "None", "docker"),
    ("healthcheck", {"cmd": "true", "retries": 3}, {"test": "true", "retries": 3}),
]


@pytest.mark.parametrize(("field", "sent", "kept"), KEPT, ids=str)
def test_values_are_kept_in_their_one_form(edge: Edge, field: str, sent: Any, kept: Any) -> None:
    assert getattr(made(edge, {field: sent}), field) == kept


def test_a_file_may_be_empty_a_volume_not(edge: Edge) -> None:
    file = {"type": "bind", "source": "", "destination": "/etc/empty"}
    assert made(edge, {"mounts": [file]}).mounts == [file]
    answer = edge("POST", PATH, json={**IMAGE, "mounts": [{"source": "", "size": "1", "destination": "/data"}]}, at="1.40")
    assert error(answer)["code"] == REFUSED
    answer = edge("POST", PATH, json={**IMAGE, "mounts": [{"source": "", "destination": "/data"}]}, at="1.40")
    assert "either 'source' or 'size'" in error(answer)["detail"]


#: nothing is said by these: the container is as if they had not been sent
NULLS = [
    *"name command entrypoint cpu memory disk environment labels workdir restart_policy auto_remove image_driver".split(),
    *"image_pull_policy security_groups nets mounts healthcheck exposed_ports runtime hints availability_zone".split(),
]


@pytest.mark.parametrize("field", NULLS)
def test_null_is_not_given(edge: Edge, field: str) -> None:
    with_null, without = made(edge, {field: None}, role="member"), made(edge, {}, role="member")
    if field == "name":
        assert with_null.name.endswith("-container")
    else:
        assert getattr(with_null, field) == getattr(without, field)


#: field, value, words of the answer
WRONG = [
    ("image", "x", "at least 2 character(s)"),
    ("image", 5, "must be a string"),
    ("image", None, "must be a string"),
    ("name", "-web", "must match the pattern"),
    ("name", "web\n", "must match the pattern"),
    ("name", "a", "at least 2"),
    ("name", "a" * 256, "at most 255 characters"),
    ("cpu", 0.05, "at least 0.1"),
    ("cpu", "17", "between 0.1 and 16.0"),
    ("cpu", "1e1", "must match the pattern"),
    ("cpu", True, "must be a number, a string or null"),
    ("memory", "512m", "must match the pattern"),
    ("memory", 3, "at least 4"),
    ("memory", "8193", "between 4 and 8192"),
    ("memory", 64.5, "must be an integer, a string or null"),
    ("memory", "64\n", "must match the pattern"),
    ("disk", 0, "at least 1"),
    ("cpu_policy", None, "must be a string"),
    ("cpu_policy", "greedy", "must be one of 'dedicated', 'shared'"),
    ("environment", {"A": 1}, "must be a string"),
    ("environment", {"A=B": "x"}, "must not contain '='"),
    ("environment", [], "must be an object or null"),
    ("labels", {"a": {"b": "c"}}, "must be"),
    ("command", "sleep 10", "must be a list or null"),
    ("command", [["sleep"]], "must be"),
    ("restart_policy", {}, "is required"),
    ("restart_policy", {"Name": "sometimes"}, "must be one of"),
    ("restart_policy", {"Name": "always", "MaximumRetryCount": "2"}, "cannot be given with 'always'"),
    ("restart_policy", {"Name": "no", "Extra": 1}, "is not known"),
    ("restart_policy", {"Name": "on-failure", "MaximumRetryCount": -1}, "at least 0"),
    ("interactive", "yes", "must be one of"),
    ("interactive", 1, "must be a boolean or a string"),
    ("interactive", None, "must be a boolean or a string"),
    ("auto_remove", "true", "must be a boolean or null"),
    ("hostname", None, "must be a string"),
    ("hostname", "a b", "must match the pattern"),
    ("image_driver", "floppy", "must be one of 'glance', 'docker', 'None'"),
    ("image_pull_policy", "rarely", "must be one of"),
    ("nets", [{}], "exactly one of 'network', 'port'"),
    ("nets", [{"network": "a", "port": "b"}], "exactly one of"),
    ("nets", [{"network": "a", "v4-fixed-ip": "1.2.3"}], "in the form ipv4"),
    ("mounts", [{"source": "x"}], "is required"),
    ("mounts", [{"destination": "/x"}], "either 'source' or 'size'"),
    ("mounts", [{"source": "x", "destination": "relative"}], "absolute path"),
    ("mounts", [{"type": "tape", "source": "x", "destination": "/x"}], "must be one of 'volume', 'bind'"),
    ("healthcheck", {"cmd": ""}, "at least 1"),
    ("healthcheck", {"interval": 1.5}, "must be an integer or null"),
    ("exposed_ports", {"80/sctp": {}}, "each key must be"),
    ("exposed_ports", {"http": {}}, "each key must be"),
    ("exposed_ports", {"70000": {}}, "each key must be"),
    ("host", None, "must be a string"),
    ("registry", None, "must be a string"),
    ("nonsense", 1, "is not known to this call at microversion 1.40"),
    ("uuid", "x", "is not known"),
    ("status", "Running", "is not known"),
    ("project_id", "x", "is not known"),
]


@pytest.mark.parametrize(("field", "value", "words"), WRONG, ids=lambda each: str(each)[:24])
def test_wrong_values_are_400_and_named(edge: Edge, field: str, value: Any, words: str) -> None:
    found = refused(edge, {**IMAGE, field: value})
    assert found["status"] == 400
    assert found["code"] in (SCHEMA, VALUE)
    assert f"'{field}" in found["detail"]
    assert words in found["detail"]


def test_the_path_to_a_wrong_value_is_told(edge: Edge) -> None:
    found = refused(edge, {**IMAGE, "nets": [{"network": "a"}, {"network": ""}]})
    assert "'nets[1].network'" in found["detail"]


def test_a_wrong_value_is_not_repeated_and_the_answer_stays_short(edge: Edge) -> None:
    for body in ({"image": "busybox", "cpu_policy": "secret" * 9000}, {"image": "busybox", "secret" * 9000: 1}):
        found = refused(edge, body)
        assert len(found["detail"]) < 400
        assert "secret" * 20 not in found["detail"]


# -- special rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "body"), [("?run=true", {}), ("?run=1", {}), ("", {"run": True}), ("", {"run": "yes"})])
def test_run_may_stand_in_query_or_body(edge: Edge, query: str, body: dict[str, Any]) -> None:
    answer = edge("POST", PATH + query, json={**IMAGE, **body})
    assert answer.status_code == 202
    with edge.store.read() as tx:
        (action,) = tx.find(Action, {"container_uuid": answer.json["uuid"]})
    assert action.arguments == {"run": True}
    assert action.request_id == answer.headers["x-openstack-request-id"]


def test_run_in_both_or_any_other_query_key_is_400(edge: Edge) -> None:
    assert refused(edge, {**IMAGE, "run": True}, query="?run=true")["status"] == 400
    assert refused(edge, IMAGE, query="?name=web")["code"] == SCHEMA
    assert refused(edge, IMAGE, query="?run=maybe")["code"] == SCHEMA


@pytest.mark.parametrize(
    ("at", "asked", "tty"),
    [
        ("1.19", {"interactive": True}, False),
        ("1.19", {"interactive": True, "tty": True}, True),
        ("1.20", {"interactive": True}, True),
        ("1.20", {"interactive": False, "tty": True}, False),
        ("1.35", {"interactive": True}, True),
        ("1.35", {"tty": True}, True),
        ("1.36", {"interactive": True}, False),
        ("1.36", {"interactive": False, "tty": True}, True),
    ],
)
def test_a_terminal_comes_with_interaction_between_1_20_and_1_35(edge: Edge, at: str, asked: dict[str, Any], tty: bool) -> None:
    assert made(edge, asked, at).tty is tty


def test_a_command_line_is_split_as_a_shell_would_and_run_by_none(edge: Edge) -> None:
    assert made(edge, {"command": "sh -c 'echo \"a b\"; $(reboot)' "}, "1.19").command == ["sh", "-c", 'echo "a b"; $(reboot)']
    found = error(edge("POST", PATH, json={**IMAGE, "command": "echo 'open"}, at="1.19"))
    assert "cannot be split into words" in found["detail"]


def test_exposed_ports_and_security_groups_exclude_each_other(edge: Edge) -> None:
    found = refused(edge, {**IMAGE, "exposed_ports": {"80": {}}, "security_groups": []}, "1.24")
    assert "cannot be combined" in found["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nets", [{"network": "private"}]),
        ("security_groups", ["web"]),
        ("exposed_ports", {"80": {}}),
        ("mounts", [{"source": "vol", "destination": "/data"}]),
        ("disk", 5),
        ("cpu_policy", "dedicated"),
    ],
)
def test_what_is_not_served_yet_is_refused_by_name(edge: Edge, field: str, value: Any) -> None:
    found = refused(edge, {**IMAGE, field: value})
    assert (found["status"], found["code"]) == (400, REFUSED)
    assert f"'{field}'" in found["detail"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("runtime", "runc", "runtime"),
        ("image_pull_policy", "always", "image_pull_policy"),
        ("host", "node-1", "requested_destination"),
        ("privileged", False, "privileged"),
    ],
)
def test_what_only_administrators_may_ask_for_is_403_for_members(edge: Edge, field: str, value: Any, rule: str) -> None:
    found = refused(edge, {**IMAGE, field: value}, role="member")
    assert (found["status"], found["code"]) == (403, DENIED)
    assert f"container:create:{rule}" in found["detail"]


def test_a_requested_host_that_is_none_is_404(edge: Edge) -> None:
    assert refused(edge, {**IMAGE, "host": "nowhere"})["status"] == 404
    assert made(edge, {"host": "node-1"}).requested_host == "node-1"


# -- the answer -----------------------------------------------------------------------------------

MEMBERS = {
    *("uuid links name project_id user_id image image_driver cpu cpu_policy memory disk command entrypoint environment labels".split()),
    *("workdir hostname status status_reason status_detail task_state ports addresses restart_policy interactive tty".split()),
    *("auto_remove auto_heal security_groups healthcheck registry_id created_at updated_at".split()),
}
ADMIN_MEMBERS = {"host", "image_pull_policy", "privileged", "runtime"}


def test_the_answer_is_the_whole_container_with_its_place(edge: Edge) -> None:
    answer = edge("POST", PATH, json={**IMAGE, "memory": 64, "cpu": "0.5"})
    shown = answer.json
    assert set(shown) == MEMBERS
    assert answer.headers["location"] == f"http://cloud.example:9517/v1/containers/{shown['uuid']}"
    assert [link["href"] for link in shown["links"]] == [
        f"http://cloud.example:9517/v1/containers/{shown['uuid']}",
        f"http://cloud.example:9517/containers/{shown['uuid']}",
    ]
    assert (shown["status"], shown["memory"], shown["cpu"], shown["disk"]) == ("Creating", "64", 0.5, 0)
    assert (shown["project_id"], shown["user_id"]) == (OWN, "mia")
    assert [shown[name] for name in ("command", "entrypoint", "ports", "security_groups")] == [[], [], [], []]
    assert [shown[name] for name in ("labels", "environment", "addresses", "restart_policy", "healthcheck")] == [{}, {}, {}, {}, {}]


def test_administrators_see_four_more_members(edge: Edge) -> None:
    assert set(edge("POST", PATH, json=IMAGE, role="admin").json) == MEMBERS | ADMIN_MEMBERS


def test_it_looks_the_same_at_every_version(edge: Edge) -> None:
    edge.add_container()
    assert len({edge("GET", f"{PATH}/web", at=f"1.{minor}").text for minor in range(1, 41)}) == 1
