"""HTTP basic authentication, and that nobody can claim to be who he is not."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import bcrypt
import pytest

from tests.api.edge import OTHER, OWN, Edge, error
from zun.api.auth import BasicAuth, Passwords, User, strip, users
from zun.db.store import SqlStore


def entry(name: str, password: str) -> str:
    return f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text(entry("mia", "right") + entry("ada", "root") + entry("nobody", "here"))
    return path


@pytest.fixture
def secured(sqlite_store: SqlStore, tmp_path: Path, file: Path) -> Edge:
    """The API behind basic authentication."""
    (tmp_path / "zun.conf").write_text(f"[basic_auth]\nuser_file = {file}\nusers = mia:{OWN}:member\nusers = ada:{OTHER}:admin,member\n")
    options = ["--config-file", str(tmp_path / "zun.conf")]
    holder: list[Edge] = []
    edge = Edge(
        sqlite_store, tmp_path, options, authenticate=lambda app: lambda environ, start: BasicAuth(app, holder[0].conf)(environ, start)
    )
    holder.append(edge)
    return edge


def test_the_right_password_opens_with_the_users_project_and_roles(secured: Edge) -> None:
    made = secured("POST", "/v1/containers", role=None, headers=basic("mia", "right"), json={"image": "busybox"})
    assert (made.status_code, made.json["project_id"], made.json["user_id"]) == (202, OWN, "mia")
    assert "host" not in made.json
    seen = secured("GET", f"/v1/containers/{made.json['uuid']}", role=None, headers=basic("ada", "root"))
    assert "host" in seen.json


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("mia", "wrong"),
        basic("stranger", "right"),
        basic("mia", ""),
        basic("mia", "x" * 200),
        basic("mia", "ri\0ght"),
        basic("", ""),
        {"Authorization": "Basic"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"X-Auth-Token": "admin"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/containers", "/containers", "/v1/nothing", "/v1/v1", "/v1/x/.json"])
def test_anything_else_is_401(secured: Edge, headers: dict[str, str], path: str) -> None:
    answer = secured("GET", path, role=None, headers=headers)
    found = error(answer)
    assert (found["status"], found["code"]) == (401, "container.unauthorized")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert answer.headers["x-openstack-request-id"]


def test_a_401_tells_its_microversion_as_every_other_answer_does(secured: Edge) -> None:
    assert secured("GET", "/v1/containers", role=None, at="1.12").headers["openstack-api-version"] == "container 1.12"
    nonsense = secured("GET", "/v1/containers", role=None, headers={"OpenStack-API-Version": "nonsense"})
    assert (nonsense.status_code, "openstack-api-version" in nonsense.headers) == (401, False)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/healthcheck"])
def test_discovery_and_health_need_no_password(secured: Edge, path: str) -> None:
    assert secured("GET", path, role=None).status_code == 200


def test_a_user_of_the_file_without_a_project_is_refused(secured: Edge) -> None:
    assert secured("GET", "/v1/containers", role=None, headers=basic("nobody", "here")).status_code == 403


@pytest.mark.parametrize(
    "name", ["X-User-Id", "X-Project-Id", "X-Roles", "X-Role", "X-Tenant-Id", "X_Roles", "X-Service-Roles", "X-Is-Admin-Project"]
)
def test_a_client_cannot_assert_an_identity(secured: Edge, name: str) -> None:
    secured.add_container(project_id=OTHER)
    told = {name: "admin", "X-Project-Id": OTHER, "X-Roles": "admin", "X-User-Id": "ada"}
    assert secured("GET", "/v1/containers", role=None, headers=told).status_code == 401
    answer = secured("GET", "/v1/containers/web", role=None, headers={**told, **basic("mia", "right")})
    assert answer.status_code == 404


def test_only_harmless_headers_are_left() -> None:
    environ = {"HTTP_X_ANYTHING": "1", "HTTP_OPENSTACK_SYSTEM_SCOPE": "all", "HTTP_X_OPENSTACK_REQUEST_ID": "req-1", "HTTP_ACCEPT": "*/*"}
    kept = {"HTTP_X_OPENSTACK_REQUEST_ID": "req-1", "HTTP_ACCEPT": "*/*", "HTTP_X_IDEMPOTENCY_KEY": "order"}
    environ |= kept
    strip(environ)
    assert environ == kept


def test_a_changed_password_counts_at_once_and_the_old_one_no_more(secured: Edge, file: Path) -> None:
    assert secured("GET", "/v1/containers", role=None, headers=basic("mia", "right")).status_code == 200
    file.write_text(entry("mia", "changed"))
    os.utime(file, ns=(1, 1))
    assert secured("GET", "/v1/containers", role=None, headers=basic("mia", "right")).status_code == 401
    assert secured("GET", "/v1/containers", role=None, headers=basic("mia", "changed")).status_code == 200
    assert secured("GET", "/v1/containers", role=None, headers=basic("ada", "root")).status_code == 401


def test_a_verified_password_is_remembered_and_a_wrong_one_beside_it_is_not(file: Path) -> None:
    passwords = Passwords(file, remember=60)
    right, wrong = basic("mia", "right")["Authorization"], basic("mia", "righT")["Authorization"]
    assert passwords.verified(right) == "mia"
    for _ in range(3):
        assert passwords.verified(right) == "mia"
        with pytest.raises(Exception, match="requires authentication"):
            passwords.verified(wrong)
    assert b"right" not in repr(vars(passwords)).encode()


def test_a_missing_password_file_is_the_servers_fault_and_its_path_no_clients_business(secured: Edge, file: Path) -> None:
    file.unlink()
    answer = secured("GET", "/v1/containers", role=None, headers=basic("mia", "right"))
    assert error(answer)["title"] == "Internal Server Error"
    assert "htpasswd" not in answer.text


def test_trouble_behind_it_is_not_taken_for_a_wrong_password(secured: Edge) -> None:
    secured.add_container()
    secured.add_host()
    secured.agent.answer = RuntimeError("boom")
    assert secured("GET", "/v1/containers/web/logs", role=None, headers=basic("mia", "right")).status_code == 500


@pytest.mark.parametrize("line", ["mia", "mia:project", "mia::member", ":project:member", "mia:project:"])
def test_a_user_that_is_not_described_whole_stops_the_start(line: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        users([line])


def test_users_are_read_as_they_are_written() -> None:
    assert users(["mia:p1:member, reader"]) == {"mia": User("p1", ("member", "reader"))}
