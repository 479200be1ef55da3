"""The probes of a Pod: what they become, with Kubernetes' rules and defaults."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zun import errors
from zun.api import pods
from zun.api.grammar import Reader
from zun.domain import probe
from zun.domain.model import Bounds, Version

PORTS = [{"name": "http", "containerPort": 8080}, {"name": "https", "containerPort": 8443}]


def read(**container: Any) -> probe.Probes | None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop"},
        "spec": {"containers": [{"name": "web", "image": "busybox", "ports": PORTS, **container}]},
    }
    stored = pods.wish(manifest, Reader(Bounds(), Version(1, 40))).containers[0]["probes"]
    return probe.load(msgspec.json.decode(msgspec.json.encode(stored)))


def refusal(**container: Any) -> str:
    with pytest.raises(errors.BadRequest) as found:
        read(**container)
    return str(found.value)


def test_a_container_without_probes_has_none() -> None:
    assert read() is None
    assert read(livenessProbe=None) is None


def test_what_is_not_said_is_as_in_kubernetes() -> None:
    found = read(
        livenessProbe={"tcpSocket": {"port": 80}}, readinessProbe={"httpGet": {"port": 80}, "periodSeconds": 0, "timeoutSeconds": 0}
    )
    assert found is not None and found.liveness is not None and found.readiness is not None
    for each in (found.liveness, found.readiness):
        times = (each.initial_delay, each.period, each.timeout, each.success_threshold, each.failure_threshold, each.grace)
        assert times == (0, 10, 1, 1, 3, None)
    assert found.readiness.http == probe.HttpGet(port=80, path="/", scheme="http", host=None, headers=[])
    assert found.liveness.tcp == probe.TcpSocket(port=80)


def test_what_is_said_is_kept() -> None:
    times = {"initialDelaySeconds": 3, "periodSeconds": 4, "timeoutSeconds": 2, "failureThreshold": 5}
    headers = [{"name": "Host", "value": "shop.example"}, {"name": "X-A", "value": "b c"}]
    found = read(
        startupProbe={"httpGet": {"port": "https", "path": "up?deep=1", "scheme": "HTTPS", "httpHeaders": headers}, **times},
        livenessProbe={"exec": {"command": ["test", "-e", "/tmp/up"]}, "terminationGracePeriodSeconds": 7},
        readinessProbe={"tcpSocket": {"port": 53, "host": "localhost"}, "successThreshold": 2},
    )
    assert found == probe.Probes(
        startup=probe.Probe(
            initial_delay=3,
            period=4,
            timeout=2,
            failure_threshold=5,
            http=probe.HttpGet(port=8443, path="/up?deep=1", scheme="https", headers=[("Host", "shop.example"), ("X-A", "b c")]),
        ),
        liveness=probe.Probe(grace=7, exec=["test", "-e", "/tmp/up"]),
        readiness=probe.Probe(success_threshold=2, tcp=probe.TcpSocket(port=53, host="127.0.0.1")),
    )


def test_a_command_may_refer_to_variables() -> None:
    found = read(env=[{"name": "PLACE", "value": "/tmp/up"}], livenessProbe={"exec": {"command": ["test", "-e", "$(PLACE)", "$(NO)"]}})
    assert found is not None and found.liveness is not None
    assert found.liveness.exec == ["test", "-e", "/tmp/up", "$(NO)"]


@pytest.mark.parametrize(("host", "asked"), [("", None), ("10.0.0.5", "10.0.0.5"), ("FD00::1", "fd00::1")])
def test_a_host_is_an_address(host: str, asked: str | None) -> None:
    found = read(livenessProbe={"httpGet": {"port": 80, "host": host}})
    assert found is not None and found.liveness is not None and found.liveness.http is not None
    assert found.liveness.http.host == asked


TCP = {"tcpSocket": {"port": 80}}
#: what a probe says, the field that the refusal names, its rule
WRONG = [
    ("livenessProbe", {}, "livenessProbe", "exactly one of"),
    ("livenessProbe", {"periodSeconds": 5}, "livenessProbe", "exactly one of"),
    ("livenessProbe", {**TCP, "exec": {"command": ["true"]}}, "livenessProbe", "exactly one of"),
    ("livenessProbe", {"exec": {}}, "livenessProbe.exec.command", "is required"),
    ("livenessProbe", {"exec": {"command": []}}, "livenessProbe.exec.command", "at least one word"),
    ("livenessProbe", {"exec": {"command": "true"}}, "livenessProbe.exec.command", "must be a list"),
    ("livenessProbe", {"tcpSocket": {}}, "livenessProbe.tcpSocket.port", "is required"),
    ("livenessProbe", {"tcpSocket": {"port": 0}}, "livenessProbe.tcpSocket.port", ""),
    ("livenessProbe", {"tcpSocket": {"port": 65536}}, "livenessProbe.tcpSocket.port", ""),
    ("livenessProbe", {"tcpSocket": {"port": "ftp"}}, "livenessProbe.tcpSocket.port", "is the name of no port"),
    ("livenessProbe", {"httpGet": {"port": 80, "host": "metadata.internal"}}, "livenessProbe.httpGet.host", "must be an address"),
    ("livenessProbe", {"httpGet": {"port": 80, "host": "fe80::1%eth0"}}, "livenessProbe.httpGet.host", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "scheme": "http"}}, "livenessProbe.httpGet.scheme", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "path": "/a b"}}, "livenessProbe.httpGet.path", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "path": "/\r\nX: y"}}, "livenessProbe.httpGet.path", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "path": "/\n"}}, "livenessProbe.httpGet.path", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "path": "/" * 3000}}, "livenessProbe.httpGet.path", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "httpHeaders": [{"name": "A\r\nB", "value": ""}]}}, "httpHeaders[0].name", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "httpHeaders": [{"name": "A\n", "value": ""}]}}, "httpHeaders[0].name", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "httpHeaders": [{"name": "A", "value": "b\r\nC: d"}]}}, "httpHeaders[0].value", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "httpHeaders": [{"name": "A", "value": "b\n"}]}}, "httpHeaders[0].value", ""),
    ("livenessProbe", {"httpGet": {"port": 80, "httpHeaders": [{"name": "A"}] * 33}}, "livenessProbe.httpGet.httpHeaders", ""),
    ("livenessProbe", {**TCP, "initialDelaySeconds": -1}, "livenessProbe.initialDelaySeconds", "at least 0"),
    ("livenessProbe", {**TCP, "periodSeconds": -1}, "livenessProbe.periodSeconds", "at least 0"),
    ("livenessProbe", {**TCP, "periodSeconds": 1.5}, "livenessProbe.periodSeconds", "must be an integer"),
    ("livenessProbe", {**TCP, "timeoutSeconds": 3601}, "livenessProbe.timeoutSeconds", "at most 3600"),
    ("livenessProbe", {**TCP, "failureThreshold": "3"}, "livenessProbe.failureThreshold", "must be an integer"),
    ("livenessProbe", {**TCP, "successThreshold": 2}, "livenessProbe.successThreshold", "must be 1"),
    ("startupProbe", {**TCP, "successThreshold": 2}, "startupProbe.successThreshold", "must be 1"),
    ("livenessProbe", {**TCP, "terminationGracePeriodSeconds": 0}, "livenessProbe.terminationGracePeriodSeconds", "at least 1"),
    ("readinessProbe", {**TCP, "terminationGracePeriodSeconds": 5}, "readinessProbe.terminationGracePeriodSeconds", "cannot be given"),
    ("readinessProbe", {"grpc": {"port": 80}}, "readinessProbe.grpc", "cannot be honoured"),
    ("readinessProbe", {**TCP, "periods": 1}, "readinessProbe.periods", "is no member"),
    ("readinessProbe", "true", "readinessProbe", ""),
]


@pytest.mark.parametrize(("member", "said", "field", "rule"), WRONG, ids=lambda each: str(each)[:50])
def test_what_breaks_a_rule_is_refused_by_its_name(member: str, said: Any, field: str, rule: str) -> None:
    words = refusal(**{member: said})
    assert f"{field}'" in words
    assert rule in words
