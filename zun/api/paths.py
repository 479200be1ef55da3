"""The one form of a request's path, and of the addresses that answers point to (REST contract, section 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

ROOT = "/"
V1 = "/v1"

OPENAPI = "/openapi.json"

#: what is the same at every microversion, or says itself which one it is about
UNVERSIONED = frozenset({ROOT, OPENAPI})

#: what anybody may read without saying who he is
PUBLIC = frozenset({ROOT, V1, OPENAPI})

#: a name, an IPv4 or IPv6 address, and perhaps a port; a client's word for us, which we write into addresses
_HOST = re.compile(r"([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")


def is_host(netloc: str) -> bool:
    """Whether the text is a host, with or without a port."""
    return len(netloc) <= 300 and _HOST.fullmatch(netloc) is not None


def normal(path: str) -> str:
    """The path without empty segments, with its version in front: ``//containers//x/`` is ``/v1/containers/x``."""
    segments = [segment for segment in path.split("/") if segment]
    if segments in ([], [".json"]):
        return ROOT
    if segments == ["v1.json"]:
        return V1
    if segments == ["openapi.json"]:
        return OPENAPI
    if segments[0] != "v1":
        segments.insert(0, "v1")
    if segments[1:2] == ["images"] and segments[-1] == "search" and len(segments) > 4:
        # The name of an image has slashes of its own.
        segments[2:-1] = ["%2F".join(segments[2:-1])]
    return "/" + "/".join(segments)


def links(host_url: str, collection: str, uuid: str) -> list[dict[str, str]]:
    """The two links of a resource's JSON."""
    return [
        {"href": f"{host_url}/v1/{collection}/{uuid}", "rel": "self"},
        {"href": f"{host_url}/{collection}/{uuid}", "rel": "bookmark"},
    ]


def listing(host_url: str, collection: str, parameters: Mapping[str, Any]) -> str:
    """The address of a part of a list."""
    return f"{host_url}/v1/{collection}?{urlencode(parameters)}"


def is_public(environ: Mapping[str, Any]) -> bool:
    """Whether the request's path may be read by anybody."""
    return normal(environ.get("PATH_INFO", "")) in PUBLIC
