"""The networks of containers (REST contract, sections 7 and 14)."""

from __future__ import annotations

from typing import Any

from zun import errors
from zun.api.arguments import Attach, Detach
from zun.api.call import Call
from zun.api.reading import excerpt
from zun.domain.model import Json, Version

#: from here on the list of a container's networks is one of ports, and no more one of addresses
_BY_PORT = Version(1, 18)


def attach(call: Call) -> None:
    """``POST /containers/{id}/network_attach``."""
    options: Attach = call.options
    if options.network is not None and options.port is not None:
        raise errors.InvalidValue(field="port", rule="cannot be combined with 'network'")
    _change(call)


def detach(call: Call) -> None:
    """``POST /containers/{id}/network_detach``."""
    options: Detach = call.options
    if (options.network is None) == (options.port is None):
        raise errors.InvalidValue(field="network", rule="must be given, or 'port' in its place, and not both")
    _change(call)


def change_group(call: Call) -> None:
    """``POST /containers/{id}/add_security_group`` and ``remove_security_group``."""
    _change(call)


def _change(call: Call) -> None:
    call.parts.networks.change(call.connecting, call.row, call.verb or "", call.given)


def of_container(call: Call) -> Json:
    """``GET /containers/{id}/network_list``."""
    listed = by_port if call.version >= _BY_PORT else by_address
    return {"networks": listed(call.row.addresses)}


def by_address(addresses: dict[str, list[dict[str, Any]]]) -> list[Json]:
    """An item for each address."""
    return [{"net_id": net, "port_id": each["port"], **_address(each)} for net, found in addresses.items() for each in found]


def by_port(addresses: dict[str, list[dict[str, Any]]]) -> list[Json]:
    """An item for each port, with all its addresses."""
    ports: dict[tuple[str, str | None], list[Json]] = {}
    for net, found in addresses.items():
        for each in found:
            ports.setdefault((net, each["port"]), []).append(_address(each))
    return [{"net_id": net, "port_id": port, "fixed_ips": fixed_ips} for (net, port), fixed_ips in ports.items()]


def _address(each: Json) -> Json:
    return {"subnet_id": each["subnet_id"], "version": each["version"], "ip_address": each["addr"]}


def create(call: Call) -> Json:
    """``POST /networks``."""
    return call.parts.networks.create(call.caller, call.given)


def delete(call: Call) -> None:
    """``DELETE /networks/{id}``."""
    call.parts.networks.delete(excerpt(call.path["id"], 255))
