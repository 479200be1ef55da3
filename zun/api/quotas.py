"""What projects may have: quotas and classes of quotas (REST contract, section 15)."""

from __future__ import annotations

import re

import msgspec

from zun import errors
from zun.api.arguments import Usages
from zun.api.call import Call
from zun.domain.model import Json
from zun.domain.quota import RESOURCES, Quota

#: What a project or a class may be called: MySQL does not tell names apart that differ in blanks at their end.
_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,255}\Z")


class Project(msgspec.Struct, frozen=True):
    """The project that a path names, as the policy looks at it. The identity service knows whether there is one."""

    project_id: str
    user_id: str | None = None


def project(call: Call) -> Project:
    """Raises InvalidValue for what can be no project's id."""
    return Project(_named(call, "project"))


def show(call: Call) -> Json:
    """``GET /quotas/{project}``."""
    options: Usages = call.options
    if not options.usages:
        return _limits(call.parts.admin.limits(call.row.project_id))
    limits, used = call.parts.admin.usages(call.row.project_id)
    return {name: {"limit": limit, "in_use": _amount(getattr(used, name))} for name, limit in _limits(limits).items()}


def defaults(call: Call) -> Json:
    """``GET /quotas/{project}/defaults``."""
    return _limits(call.parts.admin.default_limits())


def update(call: Call) -> Json:
    """``PUT /quotas/{project}``: what is not given stays as it is."""
    return _limits(call.parts.admin.limit_project(call.row.project_id, call.given))


def delete(call: Call) -> None:
    """``DELETE /quotas/{project}``: back to the defaults."""
    call.parts.admin.unlimit_project(call.row.project_id)


def show_class(call: Call) -> Json:
    """``GET /quota_classes/{name}``."""
    return _limits(call.parts.admin.class_limits(_named(call, "name")))


def update_class(call: Call) -> Json:
    """``PUT /quota_classes/{name}``: what is not given stays as it is."""
    return _limits(call.parts.admin.limit_class(_named(call, "name"), call.given))


def _named(call: Call, part: str) -> str:
    asked = call.path[part]
    if not _NAME.match(asked):
        raise errors.InvalidValue(field=part, rule="must be 1 to 255 characters, none of them a blank")
    return asked


def _limits(amounts: Quota) -> Json:
    return {name: int(getattr(amounts, name)) for name in RESOURCES}


def _amount(number: float) -> float | int:
    """Parts of cores are shown as such, whole amounts as whole numbers."""
    return int(number) if number == int(number) else round(number, 6)
