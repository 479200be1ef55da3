"""Our API on a real Keystone: who is let in, what they may do, what is said when they may not, and when Keystone is away."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cloud import daemons
from cloud.services import keystone
from cloud.world import World

BIN = Path(__file__).parents[2] / ".venv" / "bin"


class Caller:
    """Somebody with a token."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url, self.token = url, token

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"OpenStack-API-Version": "container 1.40"}
        if self.token is not None:
            headers["X-Auth-Token"] = self.token
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)


def session(cloud: World, user: str, **scope: Any) -> Any:
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    account = {**cloud.account(user), **scope}
    return Session(auth=v3.Password(**{name: value for name, value in account.items() if value is not None}))


@pytest.fixture
def anybody(cloud: World) -> Any:
    """Makes callers: by the name of a user, without a token, or with a given one."""

    def make(user: str | None = None, token: str | None = None) -> Caller:
        return Caller(cloud.url("container"), session(cloud, user).get_token() if user else token)

    return make


@pytest.fixture
def container(anybody: Any) -> Iterator[str]:
    """One of the project ``demo``."""
    demo = anybody("demo")
    answer = demo("POST", "/containers", json={"image": "busybox", "command": ["sleep", "1000"]})
    assert answer.status_code == 202, answer.text
    found = str(answer.json()["uuid"])
    yield found
    deadline = time.monotonic() + 120
    # While it is being created it cannot be deleted.
    while demo("DELETE", f"/containers/{found}", params={"stop": "true"}).status_code == 409 and time.monotonic() < deadline:
        time.sleep(0.5)
    while demo("GET", f"/containers/{found}").status_code != 404:
        assert time.monotonic() < deadline, "it is gone again"
        time.sleep(0.5)


def test_the_versions_are_told_to_everybody(anybody):
    assert anybody()("GET", "").status_code == 200


@pytest.mark.parametrize("token", [None, "nonsense", "gAAAAABn" + "x" * 180])
def test_without_a_valid_token_the_answer_says_where_to_get_one(cloud, anybody, token):
    answer = anybody(token=token)("GET", "/containers")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{cloud.url("identity")}"'
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["errors"][0]["code"] == "container.unauthorized"


def test_nobody_becomes_somebody_by_headers(cloud):
    said = {"X-Identity-Status": "Confirmed", "X-User-Id": "me", "X-Project-Id": "mine", "X-Roles": "admin"}
    assert requests.get(f"{cloud.url('container')}/containers", headers=said, timeout=60).status_code == 401


@pytest.mark.parametrize(
    ("user", "method", "path", "status"),
    [
        ("reader", "GET", "/containers", 200),
        ("reader", "POST", "/containers", 403),
        ("reader", "GET", "/services", 403),
        ("demo", "GET", "/containers", 200),
        ("demo", "GET", "/services", 403),
        ("manager", "GET", "/services", 403),
        ("admin", "GET", "/services", 200),
        ("admin", "GET", "/hosts", 200),
    ],
)
def test_roles_decide(anybody, user, method, path, status):
    body = {"json": {"image": "busybox"}} if method == "POST" else {}
    assert anybody(user)(method, path, **body).status_code == status


def test_a_project_sees_its_own(anybody, container):
    assert anybody("reader")("GET", f"/containers/{container}").status_code == 200
    assert anybody("stranger")("GET", f"/containers/{container}").status_code == 404
    assert container not in anybody("stranger")("GET", "/containers").text


@pytest.mark.parametrize(("user", "scope"), [("demo", {}), ("admin", {"system_scope": "all"})], ids=["of nothing", "of the system"])
def test_a_token_without_a_project_owns_nothing(cloud, anybody, user, scope):
    caller = anybody(token=session(cloud, user, project_name=None, project_domain_name=None, **scope).get_token())
    assert caller("POST", "/containers", json={"image": "busybox"}).status_code == 403
    assert caller("GET", "/containers").status_code == 403


def test_an_application_credential_may_list_and_not_delete(cloud, anybody, container):
    """Its access rules name our paths, so these must never change."""
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    owner = session(cloud, "demo")
    user = owner.get_user_id()
    name = f"lists-{uuid.uuid4().hex[:8]}"
    rules = [{"service": "container", "method": "GET", "path": "/v1/containers"}]
    made = owner.post(
        f"{cloud.url('identity')}/users/{user}/application_credentials",
        json={"application_credential": {"name": name, "access_rules": rules}},
    ).json()["application_credential"]
    credential = v3.ApplicationCredential(
        auth_url=cloud.url("identity"), application_credential_id=made["id"], application_credential_secret=made["secret"]
    )
    limited = anybody(token=Session(auth=credential).get_token())
    assert limited("GET", "/containers").status_code == 200
    assert limited("DELETE", f"/containers/{container}").status_code == 401
    assert anybody("demo")("GET", f"/containers/{container}").status_code == 200


@pytest.fixture
def serving_only(cloud: World, admin: Any, demo: Any) -> Iterator[str]:
    """A token of somebody whose only role is that of services."""
    name, password, project = f"serving-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex, demo.current_project_id
    user = admin.identity.create_user(name=name, password=password)
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("service"))
    account = {"username": name, "password": password, "project_name": cloud.account("demo")["project_name"]}
    yield session(cloud, "demo", **account).get_token()
    admin.identity.delete_user(user)


def test_services_pass_on_whom_they_speak_for_and_have_no_rights_by_their_role(cloud, anybody, serving_only):
    demo, stranger = anybody("demo"), anybody("stranger")

    def asked(caller: Caller, service: str | None = None) -> list[int]:
        headers = {"X-Auth-Token": caller.token, "X-Service-Token": service}
        return [requests.get(caller.url + path, headers=headers, timeout=60).status_code for path in ("/containers", "/services")]

    assert asked(anybody(token=serving_only)) == [403, 403]
    # As the user alone is answered, though the sender may be an administrator.
    assert asked(demo) == asked(demo, serving_only) == asked(demo, session(cloud, "zun").get_token()) == [200, 403]
    for nobody in (stranger.token, "nonsense"):
        assert asked(demo, nobody) == [401, 401]


@pytest.mark.parametrize("name", ["container", "application-container"])
def test_the_catalog_leads_to_it_by_either_name_of_its_type(cloud, name):
    assert session(cloud, "demo").get_endpoint(service_type=name) == cloud.url("container")


@pytest.mark.parametrize("command", [("openstack", "appcontainer", "list"), ("openstack", "capsule", "list"), ("zun", "list")])
def test_the_official_clients_get_in(cloud, command):
    account = cloud.account("demo")
    variables = {f"OS_{key.upper()}": value for key, value in account.items()} | {
        "OS_IDENTITY_API_VERSION": "3",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, env=variables, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.whole
def test_without_keystone_those_it_knows_go_on_and_others_are_asked_to_come_again(cloud, anybody):
    known, unknown = anybody("demo"), session(cloud, "demo").get_token()
    assert known("GET", "/containers").status_code == 200
    daemons.stop(cloud.controller, "keystone")
    try:
        answer = anybody(token=unknown)("GET", "/containers")
        assert known("GET", "/containers").status_code == 200
    finally:
        keystone.start(cloud)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (503, "application/json")
    assert int(answer.headers["Retry-After"]) > 0
    assert anybody(token=unknown)("GET", "/containers").status_code == 200
