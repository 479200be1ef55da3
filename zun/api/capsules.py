"""The calls on capsules (REST contract, section 9). A template is the contract's own, or a Kubernetes v1 Pod."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from zun import errors
from zun.api import containers, idempotency, paging, paths, pods, reading, templates
from zun.api.arguments import CreateCapsule, DeleteCapsule, List
from zun.api.call import Answer, Call
from zun.api.grammar import Reader
from zun.api.reading import excerpt
from zun.api.shown import Address
from zun.api.views import Shape
from zun.domain import kinds
from zun.domain.capsule import CapsuleWish, in_order, phase, ready
from zun.domain.container import Container
from zun.domain.lifecycle import Status
from zun.domain.model import Json, Version
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Page, Transaction

PULL_POLICY = "container:create:image_pull_policy"

#: before it, members of the JSON had other names, and some said nothing
RENAMED = Version(1, 32)

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(kinds.NAME_PATTERN[:-1] + r"\Z")


class _Known(msgspec.Struct, frozen=True):
    """What is read off a capsule's containers."""

    status: Status
    reason: str | None
    ready: bool


def _status(row: Sandbox, known: _Known) -> Status:
    """Where it stands, read off its containers."""
    return known.status


def _reason(row: Sandbox, known: _Known) -> str | None:
    """Why it is so, and of which of its containers that is."""
    return known.reason


def _ready(row: Sandbox, known: _Known) -> bool:
    """All its regular containers are ready."""
    return known.ready


def _name(row: Sandbox, known: _Known) -> str | None:
    """The capsule's name."""
    return row.name


def _labels(row: Sandbox, known: _Known) -> dict[str, str]:
    """The capsule's labels."""
    return row.labels


def _policy(row: Sandbox, known: _Known) -> str | None:
    """The name of its restart policy."""
    return row.restart_policy.get("Name")


def _nothing(row: Sandbox, known: _Known) -> list[str]:
    """Always empty."""
    return []


def _no_volumes(row: Sandbox, known: _Known) -> dict[str, str]:
    """Always empty."""
    return {}


def _no_version(row: Sandbox, known: _Known) -> str:
    """Always empty."""
    return ""


_READ = {"status": _status, "status_reason": _reason}

SHAPE = Shape(
    Sandbox,
    name="Capsule",
    computed={**_READ, "ready": _ready},
    since={"ready": templates.MORE},
    types={"addresses": dict[str, list[Address]]},
)
#: up to 1.31 members had other names, and some are constants
OLDER = Shape(
    Sandbox,
    name="Capsule",
    without=("name", "labels", "restart_policy"),
    computed={
        **_READ,
        "meta_name": _name,
        "meta_labels": _labels,
        "restart_policy": _policy,
        "volumes_info": _no_volumes,
        "containers_uuids": _nothing,
        "init_containers_uuids": _nothing,
        "capsule_version": _no_version,
    },
    types={"addresses": dict[str, list[Address]]},
)

# -- which capsule --------------------------------------------------------------------------------


def find(call: Call) -> Sandbox:
    """The capsule that the path names by uuid or name. Raises CapsuleNotFound, SeveralMatches.

    Who may see those of every project finds them by uuid at once, by name where the own project has none of that name.
    """
    asked = call.path["id"]
    named = "uuid" if _UUID.fullmatch(asked.lower()) else "name"
    wanted = asked.lower() if named == "uuid" else asked
    if named == "name" and not (_NAME.match(asked) and len(asked) <= 255):
        raise errors.CapsuleNotFound(id=excerpt(asked, 255))
    own: dict[str, Any] = {"project_id": call.context.project_id}
    scopes: list[dict[str, Any]] = [own, {}]
    if isinstance(call.options, DeleteCapsule) and call.options.all_projects:
        scopes = [{}]
    elif not (call.is_admin and call.parts.policy.allows("capsule:get_one_all_projects", call.context)):
        scopes = [own]
    with call.parts.store.read() as tx:
        for scope in scopes:
            found = tx.find(Sandbox, {**scope, "capsule": True, named: wanted}, Page(limit=2))
            if len(found) > 1:
                raise errors.SeveralMatches(what="capsules", name=asked)
            if found:
                return found[0]
    raise errors.CapsuleNotFound(id=asked)


def _member(call: Call) -> Container:
    """The container of the capsule that the path names by uuid or name. Raises ContainerNotFound, SeveralMatches."""
    asked = call.path["container"]
    with call.parts.store.read() as tx:
        members = tx.find(Container, {"sandbox_uuid": call.row.uuid})
    found = [one for one in members if one.uuid == asked.lower()] or [one for one in members if one.name == asked]
    if len(found) > 1:
        raise errors.SeveralMatches(name=excerpt(asked))
    if not found:
        raise errors.ContainerNotFound(id=excerpt(asked, 255))
    return found[0]


# -- making, looking, deleting --------------------------------------------------------------------


def create(call: Call) -> Answer:
    """``POST /capsules``."""
    options: CreateCapsule = call.options
    wish = _wish(call, _document(options.template))
    sandbox, members = call.parts.accept.create_capsule(call.connecting, wish, idempotency.key(call, "capsule", wish))
    return Answer(_one(call, sandbox, members), location=f"{call.host_url}/v1/capsules/{sandbox.uuid}")


def _document(template: Any) -> Json:
    """The template, which may be an object, or one as JSON text. Raises SchemaValidationError, InvalidValue."""
    if isinstance(template, str):
        try:
            template = reading.parse(template.encode("utf-8", "surrogatepass"))
        except errors.BadRequest as error:
            if isinstance(error, errors.SchemaValidationError) and error.details["field"] != reading.WHOLE:
                raise
            raise errors.InvalidValue(field="template", rule="must be an object, or one as JSON text") from None
    if not isinstance(template, dict):
        raise errors.SchemaValidationError(field="template", rule="must be an object, or one as JSON text")
    return template


def _wish(call: Call, document: Json) -> CapsuleWish:
    reader = Reader(call.parts.forms.bounds, call.version)
    kind = document.get("kind")
    if kind == pods.KIND:
        wish = pods.wish(document, reader)
        if pods.asks_pull_policy(wish):
            call.require(PULL_POLICY)
        return wish
    if kind not in templates.KINDS:
        words = ", ".join(f"'{each}'" for each in (*templates.KINDS, pods.KIND))
        rule = f"must be one of {words}" if "kind" in document else "is required"
        raise errors.SchemaValidationError(field="kind", rule=rule)
    return templates.wish(document, reader, may_pull=call.parts.policy.allows(PULL_POLICY, call.context))


def index(call: Call) -> Json:
    """``GET /capsules``. ``all_projects`` is for administrators; of others it is not even refused."""
    options: List = call.options
    page = paging.page(call, SHAPE.sortable - _hidden(call))
    where: dict[str, Any] = {"capsule": True, "project_id": call.context.project_id}
    if options.all_projects and call.parts.policy.allows("capsule:get_all_all_projects", call.context):
        del where["project_id"]
    with call.parts.store.read() as tx:
        if page.marker is not None and not tx.count(Sandbox, {**where, "uuid": page.marker}):
            raise errors.MarkerNotFound(id=excerpt(page.marker))
        rows = tx.find(Sandbox, where, page)
        members = _members(tx, rows)
    following = paging.following(call, "capsules", page, [row.uuid for row in rows])
    return {"capsules": [_one(call, row, members.get(row.uuid, [])) for row in rows], "next": following}


def show(call: Call) -> Json:
    """``GET /capsules/{id}``."""
    with call.parts.store.read() as tx:
        members = _members(tx, [call.row])
    return _one(call, call.row, members.get(call.row.uuid, []))


def delete(call: Call) -> None:
    """``DELETE /capsules/{id}``."""
    call.parts.verbs.delete_capsule(call.caller, call.row)


def add(call: Call) -> Answer:
    """``POST /capsules/{id}/containers``."""
    reader = Reader(call.parts.forms.bounds, call.version)
    read = templates.ENTRY.read(dict(call.given), (), reader)
    values = templates.entry(read, reader, may_pull=call.parts.policy.allows(PULL_POLICY, call.context))
    known = {volume["name"] for volume in call.row.volumes}
    values["volume_mounts"] = [mount for mount in values["volume_mounts"] if mount["volume"] in known]
    made = call.parts.accept.add_container(call.caller, call.row, values)
    shown = {**containers.view(call)(made), "image_driver": None, "links": paths.links(call.host_url, "containers", made.uuid)}
    return Answer(shown, location=f"{call.host_url}/v1/containers/{made.uuid}")


def remove(call: Call) -> None:
    """``DELETE /capsules/{id}/containers/{container}``."""
    call.parts.verbs.remove_container(call.caller, call.row, _member(call))


# -- how it is shown ------------------------------------------------------------------------------


def _members(tx: Transaction, rows: Sequence[Sandbox]) -> dict[str, list[Container]]:
    """The containers of each capsule, by its uuid, in order."""
    found: dict[str, list[Container]] = {}
    for one in tx.find(Container, {"sandbox_uuid": tuple(row.uuid for row in rows)}) if rows else ():
        found.setdefault(one.sandbox_uuid, []).append(one)
    return found


def _hidden(call: Call) -> frozenset[str]:
    return frozenset(name for name in SHAPE.admin if not call.parts.policy.allows(f"capsule:get:{name}", call.context))


def _one(call: Call, row: Sandbox, members: Iterable[Container]) -> Json:
    ordered = in_order(list(members))
    status, reason = phase(ordered)
    view = containers.view(call)

    def shown(init: bool) -> list[Json]:
        return [{**view(one), "image_driver": None} for one in ordered if one.init is init]

    shape = SHAPE if call.version >= RENAMED else OLDER
    return {
        **shape.view(_hidden(call), call.version)(row, _Known(status, reason, ready(ordered))),
        "containers": shown(False),
        "init_containers": shown(True),
        "links": paths.links(call.host_url, "capsules", row.uuid),
    }
