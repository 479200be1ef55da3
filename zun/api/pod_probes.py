"""The probes of a Pod: their members, Kubernetes' rules for them and its defaults, and what they are to a host."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from zun.api.grammar import Leaf, Many, Member, wrong
from zun.api.manifests import all_refused, manifest, whole
from zun.api.reading import Place
from zun.api.wishes import TEXTS
from zun.domain import kinds
from zun.domain.kinds import fixed, text
from zun.domain.model import Bounds, Json
from zun.domain.probe import HttpGet, Kind, Probe, Probes, TcpSocket

_DAY, _HOUR, _MOST = 86_400, 3_600, 1_000
_LONGEST_PATH, _LONGEST_VALUE, _MOST_HEADERS = 2_048, 4_096, 32

_PORT = fixed(
    "port",
    {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65_535}, {"type": "string", "minLength": 1, "maxLength": 15}]},
)


def _host(value: str, bounds: Bounds) -> str | None:
    """An address; None asks the capsule itself, as an empty one does in Kubernetes."""
    if value == "":
        return None
    if value == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("must be an address or 'localhost': the names of a capsule's network are not resolved by its host") from None


_HOST = Member(
    Leaf(fixed("host", {"type": "string", "maxLength": 45, "pattern": "^[^%]*$"}, _host)),
    "an address, or `localhost`; asked from inside the capsule; the capsule's own address unless said",
)
_WHERE = Member(Leaf(_PORT), "a number, or the name of a port of the container", required=True)

_HEADER = manifest(
    {
        "name": Member(Leaf(text("header", 1, 255, "^[-!#$%&'*+.^_`|~A-Za-z0-9]+$")), "its name", required=True),
        "value": Member(Leaf(text("value", 0, _LONGEST_VALUE, "^[^\\u0000\\r\\n]*$")), "its value", required=True),
    }
)
_HTTP = manifest(
    {
        "port": _WHERE,
        "path": Member(Leaf(text("path", 0, _LONGEST_PATH, "^[\\u0021-\\u007e]*$")), "`/` unless said"),
        "scheme": Member(Leaf(kinds.choice("scheme", "HTTP", "HTTPS")), "`HTTP` unless said; of `HTTPS` the certificate is not looked at"),
        "host": _HOST,
        "httpHeaders": Member(Many(_HEADER, _MOST_HEADERS), "headers of the request"),
    }
)

_EXEC = manifest({"command": Member(Leaf(TEXTS), "`$(NAME)` stands for a variable of `env`", required=True)})

PROBE = manifest(
    {
        "exec": Member(_EXEC, "a command that ends with 0"),
        "httpGet": Member(_HTTP, "a request that is answered with 200 to 399"),
        "tcpSocket": Member(manifest({"port": _WHERE, "host": _HOST}), "a connection that is accepted"),
        "initialDelaySeconds": Member(whole(0, _DAY), "0 unless said"),
        "periodSeconds": Member(whole(0, _DAY), "10 unless said"),
        "timeoutSeconds": Member(whole(0, _HOUR), "1 unless said"),
        "successThreshold": Member(whole(0, _MOST), "1 unless said, and for all but readiness probes"),
        "failureThreshold": Member(whole(0, _MOST), "3 unless said"),
        "terminationGracePeriodSeconds": Member(whole(1, _DAY), "for a container that this probe ends; not for readiness probes"),
        **all_refused("grpc", "probes are of the kinds exec, httpGet and tcpSocket."),
    }
)

#: members of a container, and what they are for
MEMBERS: Mapping[str, Kind] = {f"{kind.value}Probe": kind for kind in Kind}

_TIMES = {
    "initialDelaySeconds": "initial_delay",
    "periodSeconds": "period",
    "timeoutSeconds": "timeout",
    "successThreshold": "success_threshold",
    "failureThreshold": "failure_threshold",
    "terminationGracePeriodSeconds": "grace",
}
_WAYS = ("exec", "httpGet", "tcpSocket")

Expand = Callable[[str, Place], str]


def of(container: Json, place: Place, ports: list[Json], expand: Expand) -> Json:
    """The probes of a container of a Pod, in the form of its row; empty where it has none. ``expand`` puts in its variables.

    Raises InvalidValue.
    """
    numbers = {port["name"]: port["containerPort"] for port in ports if "name" in port}
    found = {
        kind.value: _probe(container[member], kind, (*place, member), numbers, expand)
        for member, kind in MEMBERS.items()
        if member in container
    }
    shown: Json = msgspec.to_builtins(Probes(**found))
    return shown


def _probe(read: Json, kind: Kind, place: Place, ports: Mapping[str, int], expand: Expand) -> Probe:
    ways = [way for way in _WAYS if way in read]
    if len(ways) != 1:
        raise wrong(place, "must have exactly one of 'exec', 'httpGet' and 'tcpSocket'")
    # As in Kubernetes, 0 is as good as unsaid.
    times: dict[str, Any] = {key: read[member] for member, key in _TIMES.items() if read.get(member)}
    if kind is not Kind.READINESS and times.get("success_threshold", 1) != 1:
        raise wrong((*place, "successThreshold"), f"must be 1 for {kind.value} probes")
    if kind is Kind.READINESS and "grace" in times:
        raise wrong((*place, "terminationGracePeriodSeconds"), "cannot be given for readiness probes, which end nothing")
    asked, within = read[ways[0]], (*place, ways[0])
    if "exec" in read:
        return Probe(**times, exec=_command(asked["command"], (*within, "command"), expand))
    port = _numbered(asked["port"], (*within, "port"), ports)
    if "tcpSocket" in read:
        return Probe(**times, tcp=TcpSocket(port=port, host=asked.get("host")))
    path = asked.get("path") or "/"
    request = HttpGet(
        port=port,
        path=path if path.startswith("/") else f"/{path}",
        scheme=asked.get("scheme", "HTTP").lower(),
        host=asked.get("host"),
        headers=[(header["name"], header["value"]) for header in asked.get("httpHeaders", [])],
    )
    return Probe(**times, http=request)


def _command(words: list[str], place: Place, expand: Expand) -> list[str]:
    if not words:
        raise wrong(place, "must have at least one word")
    return [expand(word, (*place, index)) for index, word in enumerate(words)]


def _numbered(port: int | str, place: Place, ports: Mapping[str, int]) -> int:
    if isinstance(port, int):
        return port
    if port not in ports:
        raise wrong(place, "is the name of no port of the container")
    return ports[port]
