"""Whose pages may open a stream in a browser (REST contract, section 17)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

#: the schemes of pages by the scheme that the proxy is reached with
_FITTING: Mapping[str, frozenset[str]] = {"ws": frozenset({"http", "ws"}), "wss": frozenset({"https", "wss"})}


def allowed(headers: Mapping[str, str], scheme: str, hosts: Collection[str]) -> bool:
    """Whether a request with these headers may open a stream of a proxy that is reached with ``scheme`` (ws or wss).

    Without an Origin it is no browser's. With one, its host must be the request's own or one of ``hosts``, and its scheme, or the one
    that something in front of the proxy has seen, must fit.
    """
    origin = headers.get("Origin")
    if origin is None:
        return True
    try:
        page, asked = urlsplit(origin), urlsplit(f"//{headers.get('Host', '')}")
        host, own = page.hostname, asked.hostname
    except ValueError:
        return False
    if not host:
        return False
    seen = headers.get("X-Forwarded-Proto", page.scheme).strip().lower()
    return seen in _FITTING[scheme] and (host == own or host in {each.strip().lower() for each in hosts})
