"""Where a service is, with a catalog and a service that are played."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from oslo_config import cfg

from zun import errors
from zun.conf import neutron as options
from zun.drivers.network.rest import RestNeutron
from zun.wiring import services

pytest.importorskip("keystoneauth1")


class Played(ThreadingHTTPServer):
    """Tells its versions, and of no network."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Played

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        links = [{"rel": "self", "href": f"{self.server.url}/v2.0/"}]
        answer = {"networks": []} if "networks" in self.path else {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}
        told = json.dumps(answer).encode()
        self.send_response(503 if self.server.away else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def played() -> Iterator[Played]:
    with Played() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def neutron(catalog: str, told: str | None = None) -> RestNeutron:
    """As a process has it, with what the catalog says and what an operator does."""
    from keystoneauth1 import access, fixture, session
    from keystoneauth1.identity.base import BaseIdentityPlugin

    class Account(BaseIdentityPlugin):
        def get_auth_ref(self, session: Any, **_: Any) -> Any:
            token = fixture.V3Token()
            token.add_service("network").add_standard_endpoints(public=catalog, region="here")
            return access.create(body=token, auth_token="the-services-token")

    conf = cfg.ConfigOpts()
    options.register(conf)
    conf([], default_config_files=[])
    conf.set_override("endpoint_override", told, group=options.GROUP)
    return RestNeutron(services.found(conf, options.GROUP, session.Session(auth=Account(), timeout=5), 2))


@pytest.mark.parametrize("path", ["", "/", "/v2.0", "/v2.0/"])
def test_the_version_is_found_whether_the_catalog_names_it_or_not(played: Played, path: str) -> None:
    assert neutron(played.url + path).networks() == []
    assert played.asked[-1] == "/v2.0/networks"


@pytest.mark.parametrize("path", ["", "/v2.0"])
def test_what_an_operator_tells_goes_before_the_catalog(played: Played, path: str) -> None:
    assert neutron("http://127.0.0.1:1", played.url + path).networks() == []
    assert played.asked[-1] == "/v2.0/networks"


def test_it_is_looked_for_once(played: Played) -> None:
    known = neutron(played.url)
    known.networks()
    before = len(played.asked)
    known.networks()
    assert played.asked[before:] == ["/v2.0/networks"]


def test_a_service_that_is_away_is_found_when_it_is_back(played: Played) -> None:
    known = neutron(played.url)
    played.away = True
    with pytest.raises(errors.NetworkUnavailable):
        known.networks()
    played.away = False
    assert known.networks() == []
