"""The forms that lists and objects take in requests (REST contract, section 5). Single values have theirs in ``domain/kinds.py``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from zun.domain import hints
from zun.domain.kinds import MAX_ENTRIES, MAX_TEXT, SCALAR, fixed, word
from zun.domain.model import Bounds, Json, Kind


def _mapping(name: str, value_schema: Json) -> Kind:
    schema: Json = {
        "type": ["object", "null"],
        "maxProperties": MAX_ENTRIES,
        "propertyNames": {"minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000]*$"},
        "additionalProperties": value_schema,
    }

    def load(value: Any, bounds: Bounds) -> dict[str, str]:
        found = {key: word(item) for key, item in (value or {}).items()}
        if any("\0" in item for item in found.values()):
            raise ValueError("must not contain NUL")
        return found

    return fixed(name, schema, load)


def _environment(value: Any, bounds: Bounds) -> dict[str, str]:
    found: dict[str, str] = _PAIRS.load(value, bounds)
    if any("=" in key for key in found):
        raise ValueError("a variable's name must not contain '='")
    return found


def _labels(value: Any, bounds: Bounds) -> dict[str, str]:
    """Engines repeat the labels in every list and all news of a container: one must not make them long for all."""
    found: dict[str, str] = _PAIRS.load(value, bounds)
    if sum(len(key) + len(item) for key, item in found.items()) > MAX_TEXT:
        raise ValueError(f"must not have more than {MAX_TEXT} characters together")
    return found


_PAIRS = _mapping("labels", SCALAR)
LABELS = Kind("labels", _PAIRS.schema, _labels)
ENVIRONMENT = Kind("environment", _mapping("environment", {"type": "string", "maxLength": MAX_TEXT}).schema, _environment)


def _hints(value: Any, bounds: Bounds) -> dict[str, Any]:
    if len(msgspec.json.encode(value)) > MAX_TEXT:
        raise ValueError(f"must not be longer than {MAX_TEXT} bytes altogether")
    hints.check(value or {})
    return value or {}


HINTS = fixed("hints", {"type": ["object", "null"], "maxProperties": MAX_ENTRIES}, _hints)


def _restart_policy(value: Any, bounds: Bounds) -> dict[str, str]:
    if value is None:
        return {}
    count = str(int(value.get("MaximumRetryCount") or 0))
    if value["Name"] in ("always", "unless-stopped") and count != "0":
        raise ValueError(f"MaximumRetryCount cannot be given with '{value['Name']}'")
    return {"Name": value["Name"], "MaximumRetryCount": "0" if value["Name"] == "no" else count}


RESTART_POLICY = fixed(
    "restart policy",
    {
        "type": ["object", "null"],
        "properties": {
            "Name": {"type": "string", "enum": ["no", "always", "on-failure", "unless-stopped"], "description": "when it is started again"},
            "MaximumRetryCount": {
                "description": "how often at most, of `on-failure`; 0 is no limit",
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
                    {"type": "string", "pattern": "^[0-9]+$", "maxLength": 9},
                    {"type": "null"},
                ],
            },
        },
        "required": ["Name"],
        "additionalProperties": False,
    },
    _restart_policy,
)


def _seconds(low: int, high: int = 86_400) -> Json:
    return {"type": ["integer", "null"], "minimum": low, "maximum": high}


def _healthcheck(value: Any, bounds: Bounds) -> dict[str, Any]:
    if not value:
        return {}
    return {("test" if key == "cmd" else key): item for key, item in value.items() if item is not None}


HEALTHCHECK = fixed(
    "health check",
    {
        "type": ["object", "null"],
        "properties": {
            "cmd": {
                "description": "what is run; 0 is well",
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[^\\u0000]*$",
            },
            "interval": {**_seconds(1), "description": "seconds from one check to the next"},
            "retries": {
                "description": "failures in a row after which it is unhealthy",
                "type": ["integer", "null"],
                "minimum": 0,
                "maximum": 1000,
            },
            "timeout": {**_seconds(1), "description": "seconds that one may take"},
        },
        "additionalProperties": False,
    },
    _healthcheck,
)

_ID_OR_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 255}

ID_OR_NAME = fixed("id or name", {**_ID_OR_NAME, "pattern": "^[^\\u0000]*$"})
ADDRESS = fixed(
    "address",
    {"type": "string", "maxLength": 45, "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
)

SECURITY_GROUPS = fixed(
    "security groups",
    {"type": ["array", "null"], "maxItems": MAX_ENTRIES, "items": _ID_OR_NAME},
    lambda value, bounds: list(dict.fromkeys(value or ())),
)
NETS = fixed(
    "networks",
    {
        "type": ["array", "null"],
        "maxItems": 64,
        "items": {
            "type": "object",
            "properties": {
                "network": {**_ID_OR_NAME, "description": "a network, by uuid or name"},
                "port": {**_ID_OR_NAME, "description": "a port, in its place"},
                "v4-fixed-ip": {"description": "the address that it shall have there", "type": "string", "format": "ipv4", "maxLength": 15},
                "v6-fixed-ip": {"description": "the address that it shall have there", "type": "string", "format": "ipv6", "maxLength": 45},
            },
            "additionalProperties": False,
            "oneOf": [{"required": ["network"]}, {"required": ["port"]}],
        },
    },
    lambda value, bounds: value or [],
)


def _mounts(value: Any, bounds: Bounds) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mount in value or ():
        given = {key: item for key, item in mount.items() if item not in (None, "")}
        if mount.get("type") == "bind" and mount.get("source") == "":
            given["source"] = ""  # an empty file
        if ("source" in given) == ("size" in given):
            raise ValueError("each mount needs either 'source' or 'size'")
        if int(given.get("size", 1)) < 1:
            raise ValueError("'size' must be at least 1 GiB")
        given["destination"] = _told(_destination, "destination", given["destination"])
        if any(other["destination"] == given["destination"] for other in found):
            raise ValueError("two mounts cannot have the same 'destination'")
        found.append({"type": "volume", **given})
    return found


def _told(load: Callable[[str], str], name: str, value: str) -> str:
    """What the value means; the rule that it breaks is told with the name of the member."""
    try:
        return load(value)
    except ValueError as error:
        raise ValueError(f"'{name}' {error}") from None


def _destination(path: str) -> str:
    """The plain form of a path in a container where something can be put."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts:
        raise ValueError("must be an absolute path without '..'")
    if not parts or parts[0] in ("proc", "sys"):
        raise ValueError("must be below '/', and neither in '/proc' nor in '/sys'")
    return "/" + "/".join(parts)


_PATH: Json = {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[^\\u0000]*$"}
DESTINATION = fixed("path in a container", _PATH, lambda value, bounds: _destination(value))


_MOUNT: dict[str, Json] = {
    "type": {"type": "string", "enum": ["volume", "bind"], "description": "`volume`, or `bind` for a file with content"},
    "source": {"type": ["string", "null"], "description": "the volume, by uuid or name; of `bind` the content in Base64"},
    "size": {
        "description": "GiB: a new volume, in place of `source`",
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 2**20},
            {"type": "string", "pattern": "^[0-9]*$", "maxLength": 7},
            {"type": "null"},
        ],
    },
    "destination": {**_PATH, "description": "where it is seen in the container"},
}


def _mounts_of(properties: dict[str, Json]) -> Kind:
    one = {"type": "object", "properties": properties, "required": ["destination"], "additionalProperties": False}
    return fixed("mounts", {"type": ["array", "null"], "maxItems": 64, "items": one}, _mounts)


#: as the contract has it, and what it became
OLDER_MOUNTS = _mounts_of(_MOUNT)
MOUNTS = _mounts_of({**_MOUNT, "read_only": {"type": "boolean", "description": "the container cannot write there"}})

_PORT = re.compile("^[0-9]{1,5}(/(tcp|udp))?$")


def _exposed_ports(value: Any, bounds: Bounds) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for port in value or {}:
        if not _PORT.match(port) or not 1 <= int(port.split("/")[0]) <= 65_535:
            raise ValueError("each key must be '<port>', '<port>/tcp' or '<port>/udp'")
        found[port if "/" in port else f"{port}/tcp"] = {}
    return found


EXPOSED_PORTS = fixed(
    "ports",
    {"type": ["object", "null"], "maxProperties": MAX_ENTRIES, "additionalProperties": {"type": ["object", "null"], "maxProperties": 0}},
    _exposed_ports,
)
