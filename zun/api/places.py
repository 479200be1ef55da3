"""Where containers run: hosts, the services on them, availability zones (REST contract, sections 11 to 13)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from zun import errors
from zun.api import paging, paths
from zun.api.arguments import Disable, Drain, Enable, ForceDown, OneService
from zun.api.call import Call
from zun.api.reading import excerpt
from zun.api.views import Shape, exact_time
from zun.conductor import drain as drains
from zun.domain import drain as drain_of_host
from zun.domain import kinds
from zun.domain.host import DEFAULT_ZONE, Host, Service, is_up
from zun.domain.model import Json, Version
from zun.domain.resources import NAMES, Resources
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Transaction


def _memory_used(row: Host, used: Resources) -> int:
    """MiB that sandboxes take of it."""
    return used.memory


def _cpu_used(row: Host, used: Resources) -> float:
    """Cores that sandboxes take of it."""
    return round(used.cpu + used.pcpu, 6)


def _disk_used(row: Host, used: Resources) -> int:
    """GiB that sandboxes take of it."""
    return used.disk


@dataclass(frozen=True, slots=True)
class _Known:
    """What is to be said of a service besides its row: whether it is up, and how many containers its drain has still to deal with."""

    up: bool
    left: int


def _number(row: Service, known: _Known) -> int:
    """Its number."""
    return row.id


def _state(row: Service, known: _Known) -> str:
    """`up` or `down`."""
    return "up" if known.up else "down"


def _drain_state(row: Service, known: _Known) -> Literal["draining", "drained", "restarting"] | None:
    """How far its drain has come; null where it is not drained."""
    return drain_of_host.shown(row.drain_state, known.left)


def _drain_left(row: Service, known: _Known) -> int:
    """Containers that its drain has still to deal with."""
    return known.left


#: the microversion from which on hosts can be drained
_DRAINS = Version(1, 41)

HOST = Shape(
    Host,
    without=("created_at", "updated_at"),
    computed={"mem_used": _memory_used, "cpu_used": _cpu_used, "disk_used": _disk_used},
)
SERVICE = Shape(
    Service,
    without=("uuid",),
    computed={"id": _number, "state": _state, "drain_state": _drain_state, "drain_left": _drain_left},
    since={"drain_state": _DRAINS, "drain_left": _DRAINS},
    time=exact_time,
)

_HOST = re.compile(kinds.HOST_PATTERN[:-1] + r"\Z")


def hosts(call: Call) -> Json:
    """``GET /hosts``."""
    page = paging.page(call, HOST.sortable, default="hostname")
    with call.parts.store.read() as tx:
        rows = tx.find(Host, {}, page)
        used = _used(tx)
    items = [_host(call, row, used.get(row.hostname, Resources())) for row in rows]
    return {"hosts": items, "next": paging.following(call, "hosts", page, [row.uuid for row in rows])}


def host(call: Call) -> Json:
    """``GET /hosts/{id}``, by uuid or host name. Raises HostNotFound."""
    asked = call.path["id"]
    if not (_HOST.match(asked) and len(asked) <= 255):
        raise errors.HostNotFound(id=excerpt(asked, 255))
    with call.parts.store.read() as tx:
        found = tx.find(Host, {"hostname": asked}) or tx.find(Host, {"uuid": asked.lower()})
        if not found:
            raise errors.HostNotFound(id=asked)
        used = _used(tx, host=found[0].hostname)
    return _host(call, found[0], used.get(found[0].hostname, Resources()))


def _host(call: Call, row: Host, used: Resources) -> Json:
    return {**HOST.view(version=call.version)(row, used), "links": paths.links(call.host_url, "hosts", row.uuid)}


def _used(tx: Transaction, **where: Any) -> dict[str, Resources]:
    """What is taken of each host by its sandboxes."""
    sums = tx.total(Sandbox, NAMES, where, by="host")
    return {
        name: Resources(
            cpu=round(float(each["cpu"] or 0), 6),
            memory=int(each["memory"] or 0),
            disk=int(each["disk"] or 0),
            pcpu=int(each["pcpu"] or 0),
        )
        for name, each in sums.items()
        if name is not None
    }


def services(call: Call) -> Json:
    """``GET /services``: all of them, in no parts."""
    with call.parts.store.read() as tx:
        rows = [(row, drains.count(tx, row)) for row in tx.find(Service)]
    now, view = call.parts.clock(), SERVICE.view(version=call.version)
    return {"services": [view(row, _Known(is_up(row, now, call.parts.service_down_time), left)) for row, left in rows]}


def enable(call: Call) -> Json:
    """``PUT /services/enable``."""
    options: Enable = call.options
    return _told_of_drain(call, call.parts.admin.enable(options.host, options.binary, restart=options.restart))


def disable(call: Call) -> Json:
    """``PUT /services/disable``."""
    options: Disable = call.options
    return _told(call.parts.admin.disable(options.host, options.binary, options.disabled_reason), "disabled", "disabled_reason")


def drain(call: Call) -> Json:
    """``PUT /services/drain``: what is accepted, and how many containers are still to be stopped."""
    options: Drain = call.options
    return _told_of_drain(call, call.parts.admin.drain(options.host, options.binary, options.timeout, options.disabled_reason))


def force_down(call: Call) -> Json:
    """``PUT /services/force_down``."""
    options: ForceDown = call.options
    return _told(call.parts.admin.force_down(options.host, options.binary, options.forced_down), "forced_down")


def forget(call: Call) -> None:
    """``DELETE /services``."""
    options: OneService = call.options
    call.parts.admin.forget(options.host, options.binary)


def _told(row: Service, *names: str) -> Json:
    return {"service": {name: getattr(row, name) for name in ("host", "binary", *names)}}


def _told_of_drain(call: Call, row: Service) -> Json:
    told = _told(row, "disabled", "disabled_reason")
    if call.version < _DRAINS:
        return told
    with call.parts.store.read() as tx:
        known = _Known(up=True, left=drains.count(tx, row))
    more = {"drain_state": _drain_state(row, known), "drain_deadline": exact_time(row.drain_deadline), "drain_left": known.left}
    return {"service": {**told["service"], **more}}


def zones(call: Call) -> Json:
    """``GET /availability_zones``: those that some service is in. They have no uuid: the marker is a zone's name."""
    page = paging.page(call, ("availability_zone",), default="availability_zone")
    with call.parts.store.read() as tx:
        names = sorted({row.availability_zone or DEFAULT_ZONE for row in tx.find(Service)}, reverse=page.descending)
    if page.marker is not None:
        if page.marker not in names:
            raise errors.MarkerNotFound(id=excerpt(page.marker))
        names = names[names.index(page.marker) + 1 :]
    names = names[: page.limit]
    following = paging.following(call, "availability_zones", page, names)
    return {"availability_zones": [{"availability_zone": name} for name in names], "next": following}
