"""Neutron by openstacksdk, with a Neutron that is played over HTTP: questions about many devices, and changes that change nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from zun import errors
from zun.drivers.network.ports import Ports, group_name
from zun.drivers.network.sdk import SdkNeutron

pytest.importorskip("openstack")

MARKS = {"zun_own": True, "zun_interface": "eth0"}


class Played:
    """A Neutron with ports and security groups, which are found by what a query names, once or several times."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {"ports": [], "security_groups": []}
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        #: what somebody else writes on a port, after each of its changes
        self.meddlers: list[dict[str, Any]] = []
        played = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                played.asked.append((self.command, self.path))
                target = urlsplit(self.path)
                if target.path.startswith("/ports/"):
                    one = next((row for row in played.rows["ports"] if row["id"] == target.path.rpartition("/")[2]), None)
                    self._answer(404 if one is None else 200, {"port": one})
                    return
                kind = target.path.rpartition("/")[2].replace("-", "_")
                if kind not in played.rows:
                    links = [{"rel": "self", "href": played.url}]
                    self._answer(200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})
                    return
                where = {name: values for name, values in parse_qs(target.query).items() if name != "fields"}
                found = [row for row in played.rows[kind] if all(row.get(name) in values for name, values in where.items())]
                self._answer(played.status, {kind: found})

            def do_PUT(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["port"]
                played.asked.append((self.command, json.dumps(told)))
                (row,) = [row for row in played.rows["ports"] if row["id"] == self.path.rpartition("/")[2]]
                if self.headers["If-Match"] != f"revision_number={row['revision_number']}":
                    self._answer(412, {"NeutronError": {"type": "RevisionNumberConstraintFailed", "message": "changed", "detail": ""}})
                    return
                options = {
                    each["opt_name"]: each["opt_value"] for each in [*row.get("extra_dhcp_opts", []), *told.pop("extra_dhcp_opts", [])]
                }
                row["extra_dhcp_opts"] = [{"opt_name": name, "opt_value": value} for name, value in options.items() if value is not None]
                row.update(told, revision_number=row["revision_number"] + 1)
                answer = dict(row)
                if played.meddlers:
                    row.update(played.meddlers.pop(0), revision_number=row["revision_number"] + 1)
                self._answer(200, {"port": answer})

            def do_DELETE(self) -> None:
                played.asked.append((self.command, self.path))
                for rows in played.rows.values():
                    rows[:] = [row for row in rows if row["id"] != self.path.rpartition("/")[2]]
                self._answer(204, None)

            def _answer(self, status: int, answer: Any) -> None:
                told = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def port(self, device: str, **profile: Any) -> str:
        uuid = f"port-{len(self.rows['ports'])}"
        self.rows["ports"].append(
            {"id": uuid, "device_id": device, "binding:profile": profile, "device_owner": "compute:zun", "network_id": "net"}
            | {"revision_number": 1}
        )
        return uuid

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def played() -> Iterator[Played]:
    made = Played()
    yield made
    made.stop()


@pytest.fixture
def neutron(played: Played) -> SdkNeutron:
    from keystoneauth1 import plugin, session
    from openstack import connection

    class Account(plugin.BaseAuthPlugin):
        def get_token(self, session: Any, **_: Any) -> str:
            return "the-services-token"

        def get_endpoint(self, session: Any, **_: Any) -> str:
            return played.url

    known = session.Session(auth=Account(), timeout=5)
    return SdkNeutron(lambda: connection.Connection(session=known, network_endpoint_override=played.url))


@pytest.fixture
def ports(neutron: SdkNeutron) -> Ports:
    return Ports(neutron, host="here")


def test_one_question_is_about_all_of_them(played: Played, ports: Ports) -> None:
    devices = [f"00000000-0000-4000-8000-{number:012}" for number in range(50)]
    played.port(devices[7], **MARKS)
    played.port(devices[8])
    played.rows["security_groups"].append({"id": "group", "name": group_name(devices[9]), "project_id": "p"})
    assert ports.left(devices) == [devices[7], devices[9]]
    asked = [path for _, path in played.asked if path.partition("?")[2]]
    assert [urlsplit(path).path for path in asked] == ["/ports", "/security-groups"]
    assert parse_qs(urlsplit(asked[0]).query)["device_id"] == devices
    assert max(map(len, asked)) < 4000, "what a web server takes of a line"


def test_what_is_left_is_given_back(played: Played, ports: Ports) -> None:
    gone = "00000000-0000-4000-8000-000000000001"
    ours, others = played.port(gone, **MARKS), played.port(gone)
    for port in ports.of(gone):
        ports.release(port)
    assert [row["id"] for row in played.rows["ports"]] == [others]
    assert [path for method, path in played.asked if method == "DELETE"] == [f"/ports/{ours}"]


BOOTFILE = [{"opt_name": "bootfile-name", "opt_value": "his own"}]


@pytest.mark.parametrize("description", ["", "mine", "m" * 255, "m" * 254 + " "])
@pytest.mark.parametrize("options", [[], BOOTFILE], ids=["", "with options"])
def test_agents_are_told_of_a_change_of_which_nothing_remains(
    played: Played, neutron: SdkNeutron, description: str, options: list[dict[str, str]]
) -> None:
    """The switch's of any, and DHCP's of one that concerns it."""
    port = played.port("00000000-0000-4000-8000-000000000001", **MARKS)
    played.rows["ports"][0].update(description=description, extra_dhcp_opts=options)
    neutron.remind(port)
    change, back = (json.loads(text) for method, text in played.asked if method == "PUT")
    assert change["description"] != back["description"] == description
    assert bool(change["extra_dhcp_opts"]) == (not options)
    assert len(change["description"]) <= 255, "what Neutron takes"
    assert (played.rows["ports"][0]["description"], played.rows["ports"][0]["extra_dhcp_opts"]) == (description, options)


@pytest.mark.parametrize("what", [{"description": "his own"}, {"description": "his own", "extra_dhcp_opts": BOOTFILE}])
def test_what_a_user_writes_meanwhile_is_not_taken_back(played: Played, neutron: SdkNeutron, what: dict[str, Any]) -> None:
    port = played.port("00000000-0000-4000-8000-000000000001", **MARKS)
    played.meddlers = [what]
    neutron.remind(port)
    left = played.rows["ports"][0]
    assert (left["description"], left["extra_dhcp_opts"]) == ("his own", what.get("extra_dhcp_opts", []))


def test_an_agent_may_be_quicker_than_the_change_back(played: Played, neutron: SdkNeutron) -> None:
    port = played.port("00000000-0000-4000-8000-000000000001", **MARKS)
    played.rows["ports"][0]["description"] = "mine"
    played.meddlers = [{"status": "ACTIVE"}]
    neutron.remind(port)
    assert (played.rows["ports"][0]["description"], played.rows["ports"][0]["status"]) == ("mine", "ACTIVE")


def test_of_a_port_that_is_gone_nobody_is_reminded(played: Played, neutron: SdkNeutron) -> None:
    neutron.remind("port-of-nobody")
    assert {method for method, _ in played.asked} == {"GET"}


@pytest.mark.parametrize("status", [500, 503])
def test_who_is_not_answered_knows_nothing(played: Played, ports: Ports, status: int) -> None:
    played.status = status
    with pytest.raises(errors.NetworkUnavailable):
        ports.left(["00000000-0000-4000-8000-000000000001"])
