"""The calls on containers (REST contract, sections 5 to 7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zun import errors
from zun.api import idempotency, paging, paths, streams
from zun.api.arguments import Delete, Execute, List, Logs, Rename, Show, Top
from zun.api.call import Answer, Call
from zun.api.reading import excerpt
from zun.api.shown import Address, HealthCheck
from zun.api.views import Shape
from zun.domain import kinds
from zun.domain.container import Container, status_detail
from zun.domain.lifecycle import Status
from zun.domain.model import Json, Version
from zun.interfaces.store import Page

SHAPE = Shape(
    Container,
    computed={"status_detail": status_detail},
    # of a container of a capsule there is no image driver to be told
    types={"image_driver": str | None, "addresses": dict[str, list[Address]], "healthcheck": HealthCheck},
)

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(kinds.NAME_PATTERN[:-1] + r"\Z")

#: from 1.20 to 1.35 a terminal is what an interactive container has, and cannot be asked for by itself
_TTY_FOLLOWS = (Version(1, 20), Version(1, 35))
_NO_CLASH = Version(1, 20)

MIB = 2**20


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command: its output and exit code, or how to reach its stream."""

    output: Annotated[str | None, Meta(description="what it wrote, of one that was waited for")]
    exit_code: Annotated[int | None, Meta(description="of one that was waited for")]
    exec_id: Annotated[str | None, Meta(description="of one with a terminal: its name")]
    proxy_url: Annotated[str | None, Meta(description="of one with a terminal: where that is")]


class ProcessTable(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The processes of a container, as ``ps`` shows them."""

    titles: Annotated[list[str], Meta(description="of the columns")]
    processes: Annotated[list[list[str]], Meta(description="a line each, by columns")]


# -- which container ------------------------------------------------------------------------------


def find(call: Call) -> Container:
    """The container that the path names by uuid or name. Raises ContainerNotFound, SeveralMatches.

    An administrator finds those of every project: by uuid at once, by name where the own project has none of that name.
    """
    asked = call.path["id"]
    named = "uuid" if _UUID.fullmatch(asked.lower()) else "name"
    wanted = asked.lower() if named == "uuid" else asked
    if named == "name" and not (_NAME.match(asked) and len(asked) <= 255):
        raise errors.ContainerNotFound(id=excerpt(asked, 255))
    own = {"project_id": call.context.project_id}
    everywhere: list[dict[str, Any]] = [{}] if isinstance(call.options, Show | Delete) and call.options.all_projects else [own, {}]
    with call.parts.store.look() as tx:
        for scope in everywhere if call.is_admin else [own]:
            # A name is a plain container's: names in capsules are chosen for the capsule, and many capsules have the same.
            plain = {} if named == "uuid" else {"capsule": False}
            found = tx.find(Container, {**scope, **plain, named: wanted}, Page(limit=2))
            if len(found) > 1:
                raise errors.SeveralMatches(name=asked)
            if found:
                return found[0]
    raise errors.ContainerNotFound(id=asked)


# -- making, looking, changing --------------------------------------------------------------------


def create(call: Call) -> Answer:
    """``POST /containers``."""
    asked = dict(call.values)
    if "interactive" in asked and _TTY_FOLLOWS[0] <= call.version <= _TTY_FOLLOWS[1]:
        asked["tty"] = asked["interactive"]
    if call.version >= _NO_CLASH and {"exposed_ports", "security_groups"} <= call.names:
        raise errors.InvalidValue(field="exposed_ports", rule="cannot be combined with 'security_groups'")
    if call.options.registry is not None:
        asked["registry"] = call.options.registry
    key = idempotency.key(call, "container", [call.options.run, asked])
    made = call.parts.accept.create(call.connecting, asked, call.options.run, key)
    return Answer(_one(call, made), location=f"{call.host_url}/v1/containers/{made.uuid}")


def index(call: Call) -> Json:
    """``GET /containers``."""
    options: List = call.options
    hidden = _hidden(call)
    for name in sorted(hidden & {*call.values, options.sort_key}):
        call.require(f"container:get_one:{name}")
    own: dict[str, Any] = {} if options.all_projects else {"project_id": call.context.project_id}
    page = paging.page(call, SHAPE.sortable)
    if own and call.values.get("project_id", own["project_id"]) != own["project_id"]:
        return {"containers": [], "next": None}
    # What comes after a marker is several questions, of one moment.
    opened = call.parts.store.look if page.marker is None else call.parts.store.read
    with opened() as tx:
        # The place of a marker in the order would tell of somebody else's container.
        if page.marker is not None and not tx.count(Container, {**own, "uuid": page.marker}):
            raise errors.MarkerNotFound(id=excerpt(page.marker))
        now, view, items = call.parts.clock(), SHAPE.view(hidden, call.version), paging.Items()
        # A thousand rows are megabytes: they come in parts, and not for every thread at once.
        with call.parts.lists:
            for row in tx.each(Container, {**own, **call.values, "capsule": False}, page):
                items.add(row.uuid, view(row, now))
    return {"containers": items.text(), "next": paging.following(call, "containers", page, items.markers)}


def show(call: Call) -> Json:
    """``GET /containers/{id}``."""
    return _one(call, call.row)


def update(call: Call) -> Json:
    """``PATCH /containers/{id}``."""
    return _one(call, call.parts.verbs.update(call.caller, call.row, call.values))


def resize(call: Call) -> Json:
    """``POST /containers/{id}/resize_container``: the answer shows the container as it was."""
    return _one(call, call.parts.verbs.resize(call.caller, call.row, call.values))


def rename(call: Call) -> Json:
    """``POST /containers/{id}/rename``."""
    options: Rename = call.options
    return _one(call, call.parts.verbs.rename(call.caller, call.row, options.name))


def delete(call: Call) -> None:
    """``DELETE /containers/{id}``. Ending what runs is a stop, and needs the right to stop."""
    options: Delete = call.options
    if options.force:
        call.require("container:delete_force")
    if options.stop and call.row.status is Status.RUNNING:
        call.require("container:stop")
    call.parts.verbs.delete(call.caller, call.row, force=options.force, stop=options.stop)


# -- verbs ----------------------------------------------------------------------------------------


def act(call: Call) -> None:
    """Every verb that is accepted now and done later."""
    call.parts.verbs.accept(call.caller, call.row, call.verb or "", call.given)


def logs(call: Call) -> str | Answer:
    """``GET /containers/{id}/logs``: the whole at once, or where it is followed."""
    options: Logs = call.options
    if options.follow and call.row.host is not None:
        return streams.follow(call)
    written = call.parts.verbs.logs(
        call.row,
        stdout=options.stdout,
        stderr=options.stderr,
        timestamps=options.timestamps,
        tail=options.tail,
        since=options.since,
    )
    return written.decode("utf-8", "replace")


def execute(call: Call) -> Json:
    """``POST /containers/{id}/execute``."""
    options: Execute = call.options
    if not options.command:
        raise errors.InvalidValue(field="command", rule="must have at least one word")
    if options.interactive or not options.run:
        return streams.execute(call)
    result = call.parts.verbs.execute(call.row, options.command)
    return {"output": result.output.decode("utf-8", "replace"), "exit_code": result.exit_code, "exec_id": None, "proxy_url": None}


def top(call: Call) -> Json:
    """``GET /containers/{id}/top``."""
    options: Top = call.options
    try:
        found = call.parts.verbs.top(call.row, options.ps_args)
    except errors.EngineError:
        if options.ps_args is None:
            raise
        raise errors.InvalidValue(field="ps_args", rule="is nothing that ps can do with the processes of a container") from None
    return {"Titles": found.titles, "Processes": found.processes}


def stats(call: Call) -> Json:
    """``GET /containers/{id}/stats``."""
    used = call.parts.verbs.stats(call.row)
    share = used.memory_used / used.memory_limit * 100 if used.memory_limit else 0.0
    return {
        "CONTAINER": call.row.name,
        "CPU %": float(used.cpu_percent),
        "MEM USAGE(MiB)": round(used.memory_used / MIB, 2),
        "MEM LIMIT(MiB)": round(used.memory_limit / MIB, 2),
        "MEM %": round(share, 2),
        "BLOCK I/O(B)": f"{used.block_read}/{used.block_written}",
        "NET I/O(B)": f"{used.net_received}/{used.net_sent}",
    }


# -- how it is shown ------------------------------------------------------------------------------


def _hidden(call: Call) -> frozenset[str]:
    """The fields that the caller may not see."""
    return frozenset(name for name in SHAPE.admin if not call.parts.policy.allows(f"container:get_one:{name}", call.context))


def view(call: Call) -> Callable[[Container], Json]:
    """What makes the JSON of a container, as the caller may see it, without links."""
    now, made = call.parts.clock(), SHAPE.view(_hidden(call), call.version)
    return lambda row: made(row, now)


def _one(call: Call, row: Container) -> Json:
    return {**view(call)(row), "links": paths.links(call.host_url, "containers", row.uuid)}
