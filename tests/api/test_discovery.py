"""What clients learn before they know anything (REST contract, section 1)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oslo_config import cfg

from tests.api.edge import CALLERS, Edge, error, raw
from zun.api.app import pipeline
from zun.api.auth import BasicAuth
from zun.db.store import SqlStore

#: a member, in the form of WSGI
MEMBER = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in CALLERS["member"].items()}
V1 = {
    "id": "v1",
    "links": [{"href": "http://cloud.example:9517/v1/", "rel": "self"}],
    "status": "CURRENT",
    "max_version": "1.41",
    "min_version": "1.1",
}


def test_the_root_tells_the_versions_and_has_none_itself(edge: Edge) -> None:
    answer = edge("GET", "/", role=None)
    assert answer.status_code == 200
    assert answer.json["name"] == "OpenStack Zun API"
    assert isinstance(answer.json["description"], str)
    assert answer.json["versions"] == [V1]
    assert answer.json["default_version"] == V1
    assert not [name for name in answer.headers if name.startswith("openstack-api")]
    assert "vary" not in answer.headers


def test_the_root_does_not_mind_a_version_that_makes_no_sense(edge: Edge) -> None:
    assert edge("GET", "/", role=None, headers={"OpenStack-API-Version": "nonsense"}).status_code == 200


@pytest.mark.parametrize("path", ["/v1", "/v1/", "//v1//", "/v1.json"])
def test_v1_tells_its_resources(edge: Edge, path: str) -> None:
    answer = edge("GET", path, role=None)
    assert answer.status_code == 200
    assert answer.headers["openstack-api-version"] == "container 1.1"
    document = answer.json
    assert document["id"] == "v1"
    assert document["media_types"] == [{"base": "application/json", "type": "application/vnd.openstack.zun.v1+json"}]
    assert [(link["rel"], link.get("type")) for link in document["links"]] == [("self", None), ("describedby", "text/html")]
    resources = "services containers images networks hosts capsules availability_zones quotas quota_classes registries".split()
    assert set(document) == {"id", "media_types", "links", *resources}
    assert all([link["rel"] for link in document[name]] == ["self", "bookmark"] for name in resources)


@pytest.mark.parametrize("path", ["/v1/containers", "/containers", "//containers/", "/v1//containers//"])
def test_paths_may_lack_their_version_and_have_slashes_to_spare(edge: Edge, path: str) -> None:
    assert edge("GET", path).json == {"containers": [], "next": None}


@pytest.mark.parametrize("path", ["/v2/containers", "/v1/v1/containers", "/v1/container", "/v1/containers/x/y/z/w", "/v1/../etc/passwd"])
def test_a_path_that_is_none_is_404(edge: Edge, path: str) -> None:
    found = error(edge("GET", path))
    assert (found["status"], found["code"], found["title"]) == (404, "container.", "Not Found")


@pytest.mark.parametrize("name", ["web.json", "web.txt", "index.html", "run.py", "a.b.c"])
def test_names_that_look_like_files_are_names(edge: Edge, name: str) -> None:
    edge.add_container(name)
    assert edge("GET", f"/v1/containers/{name}").json["name"] == name


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/containers", "/v1/containers/web", "/v1/containers/web/start", "/v1/services"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE"])
def test_methods_that_are_not_in_the_table_are_405(edge: Edge, method: str, path: str) -> None:
    answer = edge(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "POST", "PATCH", "DELETE"}
    if method != "HEAD":
        assert error(answer)["title"] == "Method Not Allowed"


def test_a_method_that_nobody_knows_is_405_too(edge: Edge) -> None:
    status, headers, _ = raw(edge.app, "GET", "/v1/containers", REQUEST_METHOD="FOO")
    assert (status, headers["allow"]) == ("405 Method Not Allowed", "POST, GET")


@pytest.mark.parametrize("host", ["a b", "<script>", "evil.example/x?y#z", "h\xf6st", "@", "host:port", "host:123456", "[::1", "a," * 10])
def test_a_host_that_is_none_is_400_and_in_no_link(edge: Edge, host: str) -> None:
    for path in ("/", "/v1", "/v1/containers"):
        status, _, body = raw(edge.app, "GET", path, HTTP_HOST=host)
        assert status == "400 Bad Request"
        assert host.encode() not in body


@pytest.mark.parametrize("host", ["zun", "zun.example:9517", "127.0.0.1:80", "[::1]:80", "my_zun"])
def test_the_host_that_was_asked_is_in_the_links(edge: Edge, host: str) -> None:
    _, _, body = raw(edge.app, "GET", "/", HTTP_HOST=host)
    assert f'"http://{host}/v1/"'.encode() in body


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/json", 200), ("*/*", 200), ("text/html, */*;q=0.1", 200), ("text/html", 406), ("application/xml", 406), ("%%", 406)],
)
def test_who_does_not_take_json_gets_406(edge: Edge, accept: str, status: int) -> None:
    answer = edge("GET", "/v1/containers", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert error(answer)["code"] == "container."


def test_the_healthcheck_needs_no_token(edge: Edge) -> None:
    answer = edge("GET", "/healthcheck", role=None)
    assert (answer.status_code, answer.text) == (200, "OK")


def test_the_healthcheck_is_503_while_the_operators_file_is_there(sqlite_store: SqlStore, tmp_path: Path) -> None:
    config, file = tmp_path / "zun.conf", tmp_path / "away"
    config.write_text(f"[healthcheck]\nbackends = disable_by_file\ndisable_by_file_path = {file}\n")
    edge = Edge(sqlite_store, tmp_path, ["--config-file", str(config)])
    assert edge("GET", "/healthcheck", role=None).status_code == 200
    file.touch()
    assert edge("GET", "/healthcheck", role=None).status_code == 503


def test_a_browser_may_ask_before_it_sends(sqlite_store: SqlStore, tmp_path: Path) -> None:
    config = tmp_path / "zun.conf"
    config.write_text("[cors]\nallowed_origin = https://dashboard.example\n")
    edge = Edge(sqlite_store, tmp_path, ["--config-file", str(config)])
    app = pipeline(lambda environ, start: [], edge.conf, lambda app: BasicAuth(app, edge.conf))
    allowed = []
    for origin in ("https://dashboard.example", "https://evil.example"):
        status, headers, _ = raw(app, "OPTIONS", "/v1/containers", HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET")
        assert status.startswith("200")
        allowed.append(headers.get("access-control-allow-origin"))
    assert allowed == ["https://dashboard.example", None]


def test_a_browser_of_whom_nobody_has_said_anything_is_told_of_no_permission(edge: Edge) -> None:
    status, headers, _ = raw(edge.app, "GET", "/v1/", HTTP_ORIGIN="https://dashboard.example")
    assert status.startswith("200")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("text", ["[cors]\nmax_age = long\n", "[oslo_middleware]\nenable_proxy_headers_parsing = perhaps\n"])
def test_what_is_wrong_in_the_configuration_of_the_middleware_is_said_at_the_start(
    sqlite_store: SqlStore, tmp_path: Path, text: str
) -> None:
    config = tmp_path / "zun.conf"
    config.write_text(text)
    with pytest.raises((cfg.Error, ValueError)):
        Edge(sqlite_store, tmp_path, ["--config-file", str(config)])


def test_who_is_behind_a_proxy_is_told_the_addresses_that_clients_know(sqlite_store: SqlStore, tmp_path: Path) -> None:
    config = tmp_path / "zun.conf"
    config.write_text("[oslo_middleware]\nenable_proxy_headers_parsing = true\n")
    for arguments, known in (["--config-file", str(config)], "https://cloud.example/"), ([], "http://localhost/"):
        edge = Edge(sqlite_store, tmp_path, arguments)
        _, _, body = raw(edge.app, "GET", "/", HTTP_HOST="localhost", HTTP_FORWARDED="proto=https;host=cloud.example")
        assert json.loads(body)["versions"][0]["links"][0]["href"].startswith(known)


def test_what_the_environment_says_of_the_middleware_holds(sqlite_store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_OSLO_MIDDLEWARE__ENABLE_PROXY_HEADERS_PARSING", "true")
    edge = Edge(sqlite_store, tmp_path, [])
    _, _, body = raw(edge.app, "GET", "/", HTTP_HOST="localhost", HTTP_FORWARDED="proto=https;host=cloud.example")
    assert json.loads(body)["versions"][0]["links"][0]["href"].startswith("https://cloud.example/")


def test_every_answer_has_a_request_id_of_its_own(edge: Edge) -> None:
    paths = ("/", "/v1", "/v1/containers", "/v1/nothing", "/healthcheck", "/v1/containers/nothing")
    ids = [edge("GET", path).headers["x-openstack-request-id"] for path in paths]
    assert len(set(ids)) == len(paths)
    assert all(each.startswith("req-") for each in ids)


@pytest.mark.parametrize("path", ["/containers", "/v1/containers", "/v1/containers/"])
def test_behind_a_path_of_the_web_server_all_is_found_and_addresses_say_nothing_of_it(edge: Edge, path: str) -> None:
    edge.add_container("one")
    edge.add_container("two")
    status, _, body = raw(edge.app, "GET", path, SCRIPT_NAME="/container", QUERY_STRING="limit=1", HTTP_HOST="cloud.example", **MEMBER)
    assert status.startswith("200")
    # Clients drop the host and a leading /v1, and put the rest behind the endpoint of the catalog.
    assert json.loads(body)["next"].startswith("http://cloud.example/v1/containers?")
