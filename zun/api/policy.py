"""Who may do what: the rules of the operations, read from the routes, and the one place that asks them.

Names are those of the policy contract. The defaults are in the manner of reader, member, manager and admin: reading needs a reader,
changing a member, and who may do more may do less, whether or not the identity service says so by implied roles.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from oslo_config import cfg
from oslo_policy import policy

from zun import errors
from zun.api import context as contexts
from zun.api.context import Context
from zun.api.routes import ROUTES, Who
from zun.domain.container import Container
from zun.domain.model import fields
from zun.domain.sandbox import Sandbox

ADMIN = "context_is_admin"

_PROJECT = "project_id:%(project_id)s"

BASE = (
    policy.RuleDefault(ADMIN, "role:admin", description="Who is an administrator of the whole cloud."),
    policy.RuleDefault(
        "admin_or_owner", f"is_admin:True or {_PROJECT}", description="An administrator, or anybody in the project that owns the thing."
    ),
    policy.RuleDefault("admin_api", f"rule:{ADMIN}", description="Only administrators."),
    policy.RuleDefault("deny_everybody", "!", description="Nobody."),
    policy.RuleDefault(
        "project_reader_or_admin",
        f"rule:{ADMIN} or ((role:reader or role:member or role:manager) and {_PROJECT})",
        description="Who may look at what the project has.",
    ),
    policy.RuleDefault(
        "project_member_or_admin",
        f"rule:{ADMIN} or ((role:member or role:manager) and {_PROJECT})",
        description="Who may change what the project has.",
    ),
    policy.RuleDefault(
        "project_manager_or_admin",
        f"rule:{ADMIN} or (role:manager and {_PROJECT})",
        description="Who manages the project. No default needs it yet; it is here for rules of your own.",
    ),
)

CHECKS: Mapping[Who, str] = {
    Who.READER: "rule:project_reader_or_admin",
    Who.MEMBER: "rule:project_member_or_admin",
    Who.ADMIN: f"rule:{ADMIN}",
    Who.NOBODY: "rule:deny_everybody",
}

#: rules that an operation asks besides its own: name, who, what for, the operation
EXTRA: tuple[tuple[str, Who, str, str, str], ...] = (
    ("container:get_all_all_projects", Who.ADMIN, "List the containers of all projects.", "GET", "/v1/containers"),
    ("container:get_one_all_projects", Who.ADMIN, "Show a container of any project.", "GET", "/v1/containers/{id}"),
    ("container:delete_all_projects", Who.ADMIN, "Delete a container of any project.", "DELETE", "/v1/containers/{id}"),
    ("container:delete_force", Who.ADMIN, "Delete a container whatever its state.", "DELETE", "/v1/containers/{id}"),
    ("registry:get_all_all_projects", Who.ADMIN, "List the registries of all projects.", "GET", "/v1/registries"),
    ("capsule:get_all_all_projects", Who.ADMIN, "List the capsules of all projects.", "GET", "/v1/capsules"),
    ("capsule:get_one_all_projects", Who.ADMIN, "Show a capsule of any project.", "GET", "/v1/capsules/{id}"),
    ("capsule:delete_all_projects", Who.ADMIN, "Delete a capsule of any project.", "DELETE", "/v1/capsules/{id}"),
    (
        "network:attach_external_network",
        Who.ADMIN,
        "Have a container in a network that is external and not shared. Asked where there is Neutron.",
        "POST",
        "/v1/containers",
    ),
    (
        "container:action:events",
        Who.ADMIN,
        "See the tracebacks in the events of an action.",
        "GET",
        "/v1/containers/{id}/container_actions/{request_id}",
    ),
)


def list_rules() -> list[policy.RuleDefault]:
    """Every rule with its default, for the enforcer and for oslopolicy-sample-generator."""
    return [
        *BASE,
        *_of_routes(),
        *_of_fields(),
        *(_documented(name, who, text, [(method, path)]) for name, who, text, method, path in EXTRA),
    ]


def _of_routes() -> Iterable[policy.RuleDefault]:
    found: dict[str, tuple[Who, str, list[tuple[str, str]]]] = {}
    for route in ROUTES:
        if route.rule is not None:
            found.setdefault(route.rule, (route.who, route.doc, []))[2].append((route.method, route.path))
    return [_documented(name, who, doc, operations) for name, (who, doc, operations) in found.items()]


def _of_fields() -> Iterable[policy.RuleDefault]:
    for name, declared in fields(Container).items():
        if declared.field.guard:
            who = Who.NOBODY if name == "privileged" else Who.ADMIN
            asked = declared.field.asked or name
            yield _documented(
                f"container:create:{declared.field.guard}", who, f"Create a container with '{asked}'.", [("POST", "/v1/containers")]
            )
        if declared.field.admin:
            operations = [("GET", "/v1/containers"), ("GET", "/v1/containers/{id}")]
            yield _documented(f"container:get_one:{name}", Who.ADMIN, f"See the field '{name}' and filter by it.", operations)
    for name, declared in fields(Sandbox).items():
        if declared.field.admin:
            operations = [("GET", "/v1/capsules"), ("GET", "/v1/capsules/{id}")]
            yield _documented(f"capsule:get:{name}", Who.ADMIN, f"See the field '{name}' of a capsule.", operations)


def _documented(name: str, who: Who, doc: str, operations: list[tuple[str, str]]) -> policy.RuleDefault:
    return policy.DocumentedRuleDefault(name, CHECKS[who], doc, [{"method": method, "path": path} for method, path in operations])


#: where oslo.policy has its kinds of checks that look at nothing but the caller and the target; those that ask a server are elsewhere
_PURE = "oslo_policy._checks"
#: verdicts that are remembered
_MANY = 10_000
#: Seconds from one look at the policy files to the next: oslo.policy looks for them in a dozen places, a fifth of a small request's time.
LOOK_EVERY = 1.0


class _Enforcer(policy.Enforcer):
    """Looks at the policy files only where it is told to: each look asks the file system for several of them, and so at each ask."""

    looks = True
    #: grows whenever other rules may be in force
    edition = 0

    def load_rules(self, force_reload: bool = False) -> None:
        if self.looks or force_reload:
            super().load_rules(force_reload)

    def set_rules(self, rules: Any, overwrite: bool = True, use_conf: bool = False) -> None:
        self.edition += 1
        super().set_rules(rules, overwrite, use_conf)

    def repeats(self, rule: str) -> bool:
        """Whether the rule always says the same of the same. One that asks another server, or an operator's own kind, need not."""
        return rule in self.rules and self._repeats(self.rules[rule], frozenset())

    def _repeats(self, check: Any, above: frozenset[str]) -> bool:
        if type(check).__module__ != _PURE:
            return False
        if getattr(check, "kind", None) == "rule":
            named = str(check.match)
            return named not in above and named in self.rules and self._repeats(self.rules[named], above | {named})
        below = [*getattr(check, "rules", ()), *([check.rule] if hasattr(check, "rule") else ())]
        return all(self._repeats(each, above) for each in below)


class Policy:
    """Asks the rules; a rule that does not exist denies. The policy files are looked at once in a request, with its first ask, and no more
    than once a second, and read again when they have changed. ``ticks`` tells seconds. Safe for several threads."""

    def __init__(self, conf: cfg.ConfigOpts, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._looked: float | None = None
        self._enforcer = _Enforcer(conf)
        self._enforcer.register_defaults(list_rules())
        # Reading a changed file is not safe beside another thread that asks.
        self._lock = threading.Lock()
        # What rules say that always say the same of the same: to go through them takes a third of a small request.
        self._known: dict[tuple[Any, ...], bool] = {}
        self._repeats: dict[str, bool] = {}
        self._edition = -1

    def is_admin(self, context: Context) -> bool:
        """Whether the caller is an administrator of the whole cloud."""
        return self._verdict(ADMIN, {}, context, is_admin=False)

    def allows(self, rule: str, context: Context, target: Mapping[str, Any] | None = None) -> bool:
        """Whether the caller passes the rule, on ``target``: a thing's project_id and user_id, by default the caller's own."""
        of = dict(target or {"project_id": context.project_id, "user_id": context.user_id})
        return self._verdict(rule, of, context, is_admin=self.is_admin(context))

    def require(self, rule: str, context: Context, target: Mapping[str, Any] | None = None) -> None:
        """Raises PolicyNotAuthorized unless the caller passes the rule."""
        if not self.allows(rule, context, target):
            raise errors.PolicyNotAuthorized(rule=rule)

    def _verdict(self, rule: str, target: dict[str, Any], context: Context, *, is_admin: bool) -> bool:
        key = (rule, *target.values())
        verdict = context.verdicts.get(key)
        if verdict is None:
            verdict = context.verdicts[key] = self._ask(rule, target, context, is_admin=is_admin, first=not context.verdicts)
        return verdict

    def _ask(self, rule: str, target: dict[str, Any], context: Context, *, is_admin: bool, first: bool) -> bool:
        with self._lock:
            if first:
                self._look()
            if not self._is_steady(rule):
                return self._verdict_now(rule, target, context, is_admin=is_admin)
            key = (rule, *target.items(), is_admin, context.who)
            verdict = self._known.get(key)
            if verdict is None:
                if len(self._known) >= _MANY:
                    self._known.clear()
                verdict = self._known[key] = self._verdict_now(rule, target, context, is_admin=is_admin)
            return verdict

    def _is_steady(self, rule: str) -> bool:
        if rule not in self._repeats:
            self._repeats[rule] = self._enforcer.repeats(rule)
        return self._repeats[rule]

    def _look(self) -> None:
        """See whether the files of the policy have changed; nothing that was known before holds then."""
        now = self._ticks()
        if self._looked is not None and now < self._looked + LOOK_EVERY:
            return
        self._enforcer.looks = True
        try:
            self._enforcer.load_rules()
            self._looked = now
        finally:
            self._enforcer.looks = False
            if self._edition != self._enforcer.edition:
                self._edition = self._enforcer.edition
                self._known.clear()
                self._repeats.clear()

    def _verdict_now(self, rule: str, target: dict[str, Any], context: Context, *, is_admin: bool) -> bool:
        credentials = {name: list(each) if isinstance(each, tuple) else each for name, each in zip(contexts.WHO, context.who, strict=True)}
        try:
            return bool(self._enforcer.authorize(rule, target, {**credentials, "is_admin": is_admin}))
        except policy.PolicyNotRegistered:
            return False
