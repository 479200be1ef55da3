"""Cinder by openstacksdk, with a Cinder that is played over HTTP: what is asked, with which tokens, and what becomes of each answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from zun import errors
from zun.drivers.volume.sdk import SdkCinder

pytest.importorskip("openstack")

OURS, THEIRS = "0" * 31 + "1", "0" * 31 + "2"
VOLUME = {
    "id": "v1",
    "name": "data",
    "status": "in-use",
    "multiattach": True,
    "encrypted": False,
    "os-vol-tenant-attr:tenant_id": THEIRS,
    "metadata": {"readonly": "True"},
}


class Played:
    """A Cinder that answers what a test has said, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        #: answers that depend on what is in the query
        self.tell: dict[tuple[str, str], Callable[[Mapping[str, list[str]]], tuple[int, Any]]] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        played = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                path = self.path.partition("?")[0]
                played.asked.append((self.command, self.path, dict(self.headers), body))
                status, answer = played.answers.get((self.command, path), played._discovery(path))
                if (self.command, path) in played.tell:
                    status, answer = played.tell[self.command, path](parse_qs(self.path.partition("?")[2]))
                told = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _discovery(self, path: str) -> tuple[int, Any]:
        if path.rstrip("/") in ("", "/v3", f"/v3/{OURS}"):
            links = [{"rel": "self", "href": f"{self.url}/v3/"}]
            return 200, {"versions": [{"id": "v3.0", "status": "CURRENT", "version": "3.71", "min_version": "3.0", "links": links}]}
        return 404, {"itemNotFound": {"message": "there is none", "code": 404}}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def last(self) -> tuple[str, str, dict[str, str], Any]:
        return self.asked[-1]


@pytest.fixture
def played() -> Iterator[Played]:
    made = Played()
    yield made
    made.stop()


def _cinder(url: str, path: str = "/v3") -> SdkCinder:
    from keystoneauth1 import plugin, service_token, session
    from openstack import connection

    class Account(plugin.BaseAuthPlugin):
        def get_token(self, session: Any, **_: Any) -> str:
            return "the-services-token"

        def get_endpoint(self, session: Any, **_: Any) -> str:
            return url + path

        def get_project_id(self, session: Any, **_: Any) -> str:
            return OURS

    wrapped = service_token.ServiceTokenAuthWrapper(user_auth=Account(), service_auth=Account())
    known = session.Session(auth=wrapped, timeout=5)
    return SdkCinder(
        lambda: connection.Connection(session=known, block_storage_api_version="3", block_storage_endpoint_override=url + path)
    )


@pytest.fixture
def cinder(played: Played) -> SdkCinder:
    return _cinder(played.url)


def test_a_volume_is_read(played: Played, cinder: SdkCinder) -> None:
    played.answers["GET", "/v3/volumes/v1"] = 200, {"volume": VOLUME}
    found = cinder.volume("v1")
    assert found is not None
    assert (found.id, found.name, found.project_id, found.status) == ("v1", "data", THEIRS, "in-use")
    assert (found.multiattach, found.encrypted, found.read_only) == (True, False, True)
    assert cinder.volume("v2") is None


def test_volumes_are_found_by_name_whatever_becomes_of_the_filters(played: Played, cinder: SdkCinder) -> None:
    others = [{**VOLUME, "name": "other"}, {**VOLUME, "os-vol-tenant-attr:tenant_id": OURS}]
    played.answers["GET", "/v3/volumes/detail"] = 200, {"volumes": [VOLUME, *others]}
    assert [each.id for each in cinder.volumes(THEIRS, "data")] == ["v1"]
    assert "all_tenants=1" in played.last()[1] and f"project_id={THEIRS}" in played.last()[1]


def test_every_call_carries_a_service_token(played: Played, cinder: SdkCinder) -> None:
    played.answers["DELETE", "/v3/attachments/a1"] = 200, {"attachments": []}
    cinder.detach("a1")
    headers = played.last()[2]
    assert headers["X-Service-Token"] == headers["X-Auth-Token"] == "the-services-token"
    assert headers["OpenStack-API-Version"] == "volume 3.44"


@pytest.mark.parametrize("path", ["/v3", f"/v3/{OURS}"])
def test_a_volume_is_made_in_its_users_project_with_his_token_and_ours(played: Played, path: str) -> None:
    place = "/v3/volumes" if path == "/v3" else f"/v3/{THEIRS}/volumes"
    played.answers["POST", place] = 202, {"volume": {**VOLUME, "status": "creating"}}
    made = _cinder(played.url, path).make_volume({"name": "data", "size": 1}, THEIRS, "a-users-token")
    assert made.status == "creating"
    _, asked, headers, body = played.last()
    assert (asked, body) == (place, {"volume": {"name": "data", "size": 1}})
    assert (headers["X-Auth-Token"], headers["X-Service-Token"]) == ("a-users-token", "the-services-token")


@pytest.mark.parametrize("status", [403, 413])
def test_a_quota_that_is_used_up_is_told_in_cinders_words(played: Played, cinder: SdkCinder, status: int) -> None:
    played.answers["POST", "/v3/volumes"] = status, {"overLimit": {"message": "VolumeLimitExceeded", "code": status}}
    with pytest.raises(errors.NewVolumeForbidden, match="No volume of 1 GiB can be made: VolumeLimitExceeded"):
        cinder.make_volume({"name": "data", "size": 1}, THEIRS, "a-users-token")


def test_a_mark_is_written_and_taken_out(played: Played, cinder: SdkCinder) -> None:
    played.answers["POST", "/v3/volumes/v1/metadata"] = 200, {"metadata": {"mark": "on"}}
    cinder.mark("v1", "mark", "on")
    assert played.last()[3] == {"metadata": {"mark": "on"}}
    played.answers["DELETE", "/v3/volumes/v1/metadata/mark"] = 200, {}
    cinder.unmark("v1", "mark")
    cinder.unmark("v1", "none")


def test_attaching_and_what_belongs_to_it(played: Played, cinder: SdkCinder) -> None:
    connection = {"driver_volume_type": "iscsi", "auth_password": "hidden"}
    told = {"id": "a1", "volume_id": "v1", "instance": "c1", "connection_info": connection}
    played.answers["POST", "/v3/attachments"] = 200, {"attachment": told}
    attachment = cinder.attach("v1", "c1", {"host": "one", "mode": "rw"})
    assert attachment.connection == connection
    assert "hidden" not in repr(attachment)
    wanted = {"volume_uuid": "v1", "instance_uuid": "c1", "connector": {"host": "one", "mode": "rw"}}
    assert played.last()[3] == {"attachment": wanted}
    played.answers["PUT", "/v3/attachments/a1"] = 200, {"attachment": told}
    assert cinder.refresh("a1", {"host": "one"}).connection == connection
    played.answers["POST", "/v3/attachments/a1/action"] = 204, {}
    cinder.complete("a1")
    assert played.last()[3] == {"os-complete": {}}
    played.answers["GET", "/v3/attachments"] = 200, {"attachments": [told, {**told, "id": "a2", "instance": "c2"}]}
    assert [each.id for each in cinder.attachments("c1")] == ["a1"]


def test_attachments_that_were_begun_are_asked_for_page_by_page(played: Played, cinder: SdkCinder) -> None:
    """Cinder tells of so many at a time, and of no next page; and one that does not know the filter tells of all."""
    known = [{"id": f"a{number}", "volume_id": "v1", "instance": f"c{number}", "status": "attaching"} for number in range(5)]
    known.insert(2, {"id": "done", "volume_id": "v1", "instance": "c9", "status": "attached"})

    def page(query: Mapping[str, list[str]]) -> list[dict[str, str]]:
        begin = [each["id"] for each in known].index(query["marker"][0]) + 1 if "marker" in query else 0
        return known[begin : begin + 2] if query["attach_status"] == ["attaching"] else []

    played.tell["GET", "/v3/attachments"] = lambda query: (200, {"attachments": page(query)})
    assert [each.instance for each in cinder.begun()] == [f"c{number}" for number in range(5)]
    assert all("all_tenants=1" in asked for method, asked, _, _ in played.asked if asked.startswith("/v3/attachments"))
    played.tell["GET", "/v3/attachments"] = lambda query: (200, {"attachments": known})
    assert [each.instance for each in cinder.begun()] == [f"c{number}" for number in range(5)]


def test_gone_already_is_as_good(cinder: SdkCinder) -> None:
    cinder.detach("a1")
    cinder.delete_volume("v1")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_an_answer_that_says_nothing_may_be_asked_for_again(played: Played, cinder: SdkCinder, status: int) -> None:
    played.answers["GET", "/v3/volumes/v1"] = status, {"computeFault": {"message": "something", "code": status}}
    with pytest.raises(errors.VolumesUnavailable):
        cinder.volume("v1")


def test_an_answer_that_says_no_is_one(played: Played, cinder: SdkCinder) -> None:
    played.answers["POST", "/v3/attachments"] = 400, {"badRequest": {"message": "Invalid volume: status must be available", "code": 400}}
    with pytest.raises(errors.VolumesRefused, match="status must be available"):
        cinder.attach("v1", "c1", {})


def test_nobody_there_is_unavailable_and_the_address_is_not_told(played: Played) -> None:
    played.stop()
    with pytest.raises(errors.VolumesUnavailable) as caught:
        _cinder(played.url).volume("v1")
    assert "127.0.0.1" not in str(caught.value)
