"""The calls on images of hosts (REST contract, section 10), and the one that makes an image of a container."""

from __future__ import annotations

from typing import Any

from zun import errors
from zun.api import container_actions, paging, paths
from zun.api.arguments import Commit, Pull, Search
from zun.api.call import Answer, Call
from zun.api.reading import excerpt
from zun.api.views import Shape
from zun.domain.action import Action
from zun.domain.container import REGISTRIES
from zun.domain.host_image import Image
from zun.domain.model import Json
from zun.interfaces.store import Page

SHAPE = Shape(Image, without=("created_at", "updated_at"))


def find(call: Call) -> Image:
    """The project's image that the path names by uuid. Raises ImageNotFound."""
    asked = call.path["id"]
    with call.parts.store.read() as tx:
        found = tx.find(Image, {"uuid": asked.lower(), "project_id": call.context.project_id})
    if not found:
        raise errors.ImageNotFound(id=excerpt(asked, 255))
    return found[0]


def pull(call: Call) -> Answer:
    """``POST /images``."""
    options: Pull = call.options
    made = call.parts.images.pull(call.caller, call.values["repo"], call.values["host"], options.registry)
    return Answer(_one(call, made), location=f"{call.host_url}/v1/images/{made.uuid}")


def index(call: Call) -> Json:
    """``GET /images``."""
    own = {"project_id": call.context.project_id}
    page = paging.page(call, SHAPE.sortable)
    with call.parts.store.read() as tx:
        if page.marker is not None and not tx.count(Image, {**own, "uuid": page.marker}):
            raise errors.MarkerNotFound(id=excerpt(page.marker))
        rows = tx.find(Image, own, page)
    following = paging.following(call, "images", page, [row.uuid for row in rows])
    return {"images": [_one(call, row) for row in rows], "next": following}


def show(call: Call) -> Json:
    """``GET /images/{id}``."""
    return _one(call, call.row)


def delete(call: Call) -> None:
    """``DELETE /images/{id}``."""
    call.parts.images.delete(call.caller, call.row)


def search(call: Call) -> list[Json]:
    """``GET /images/{name}/search``; the name may have slashes."""
    options: Search = call.options
    term = call.path["id"].replace("%2F", "/")
    found = call.parts.images.search(call.caller, options.image_driver or REGISTRIES, term, options.exact_match)
    return [
        each.record
        or {
            "name": each.name,
            "description": each.description,
            "metadata": {"is_official": each.is_official, "star_count": each.star_count},
        }
        for each in found
    ]


def commit(call: Call) -> Json:
    """``POST /containers/{id}/commit``."""
    options: Commit = call.options
    return {"uuid": call.parts.images.commit(call.caller, call.row, options.repository, options.tag).uuid}


# -- what was done to them ------------------------------------------------------------------------


def actions(call: Call) -> Json:
    """``GET /images/{id}/image_actions``: the newest first."""
    with call.parts.store.read() as tx:
        rows = tx.find(Action, {"image_uuid": call.row.uuid}, Page(limit=call.parts.max_limit, descending=True))
    return {"imageActions": [_action(call, row) for row in rows]}


def action(call: Call) -> Json:
    """``GET /images/{id}/image_actions/{request_id}``. Raises ActionNotFound."""
    asked = call.path["request_id"]
    with call.parts.store.read() as tx:
        rows = tx.find(Action, {"image_uuid": call.row.uuid, "request_id": asked}, Page(limit=1, descending=True))
    if not rows:
        raise errors.ActionNotFound(id=excerpt(asked))
    return {**_action(call, rows[0]), "events": container_actions.events(call, rows[0])}


def _action(call: Call, row: Action) -> Json:
    shown: dict[str, Any] = container_actions.SHAPE.view(version=call.version)(row, None)
    return {**shown, "image_uuid": row.image_uuid}


def _one(call: Call, row: Image) -> Json:
    return {**SHAPE.view(version=call.version)(row, None), "links": paths.links(call.host_url, "images", row.uuid)}
