"""The calls on private registries (REST contract, section 16)."""

from __future__ import annotations

import re
from typing import Any

from zun import errors
from zun.api import paging, paths
from zun.api.arguments import List
from zun.api.call import Answer, Call
from zun.api.reading import excerpt
from zun.api.views import Shape
from zun.conductor.registries import named
from zun.domain import kinds
from zun.domain.model import Json
from zun.domain.registry import Registry

SHAPE = Shape(Registry, without=("created_at", "updated_at"))

_NAME = re.compile(kinds.NAME_PATTERN[:-1] + r"\Z")


def find(call: Call) -> Registry:
    """The project's registry that the path names by uuid or name. Raises RegistryNotFound, SeveralRegistries.

    Those of another project nobody finds, an administrator neither: what he could see of them the list shows him.
    """
    asked = call.path["id"]
    if not (_NAME.match(asked) and len(asked) <= 255):
        raise errors.RegistryNotFound(id=excerpt(asked, 255))
    with call.parts.store.read() as tx:
        return named(tx, call.context.project_id or "", asked)


def create(call: Call) -> Answer:
    """``POST /registries``."""
    made = call.parts.registries.create(call.caller, call.values)
    return Answer(_one(call, made), location=f"{call.host_url}/v1/registries/{made.uuid}")


def index(call: Call) -> Json:
    """``GET /registries``."""
    options: List = call.options
    own: dict[str, Any] = {} if options.all_projects else {"project_id": call.context.project_id}
    page = paging.page(call, SHAPE.sortable - {"password"})
    if own and call.values.get("project_id", own["project_id"]) != own["project_id"]:
        return {"registries": [], "next": None}
    with call.parts.store.read() as tx:
        # The place of a marker in the order would tell of somebody else's registry.
        if page.marker is not None and not tx.count(Registry, {**own, "uuid": page.marker}):
            raise errors.MarkerNotFound(id=excerpt(page.marker))
        rows = tx.find(Registry, {**own, **call.values}, page)
    view = SHAPE.view(version=call.version)
    following = paging.following(call, "registries", page, [row.uuid for row in rows])
    return {"registries": [view(row, None) for row in rows], "next": following}


def show(call: Call) -> Json:
    """``GET /registries/{id}``."""
    return _one(call, call.row)


def update(call: Call) -> Json:
    """``PATCH /registries/{id}``."""
    return _one(call, call.parts.registries.update(call.row, call.values))


def delete(call: Call) -> None:
    """``DELETE /registries/{id}``."""
    call.parts.registries.delete(call.row)


def _one(call: Call, row: Registry) -> Json:
    shown = SHAPE.view(version=call.version)(row, None)
    return {"registry": {**shown, "links": paths.links(call.host_url, "registries", row.uuid)}}
