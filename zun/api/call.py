"""One call of the API, as its handler sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from msgspec.structs import replace

from zun.api import context as contexts
from zun.api.context import Context
from zun.api.derive import Forms
from zun.api.upload import Upload
from zun.conductor.accept import Accept
from zun.conductor.admin import Admin
from zun.conductor.archives import Archives
from zun.conductor.images import HostImages
from zun.conductor.networks import Networks
from zun.conductor.registries import Registries
from zun.conductor.streams import Streams
from zun.conductor.verbs import Verbs
from zun.domain.action import Caller
from zun.domain.model import Json, Version
from zun.interfaces.store import Store


class Rules(Protocol):
    """What handlers ask of the policy; :class:`zun.api.policy.Policy` answers."""

    def is_admin(self, context: Context) -> bool:
        """Whether the caller is an administrator of the whole cloud."""

    def allows(self, rule: str, context: Context, target: Mapping[str, Any] | None = None) -> bool:
        """Whether the caller passes the rule."""

    def require(self, rule: str, context: Context, target: Mapping[str, Any] | None = None) -> None:
        """Raises PolicyNotAuthorized unless the caller passes the rule."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers work with. Sizes in bytes, times in seconds."""

    store: Store
    accept: Accept
    verbs: Verbs
    admin: Admin
    networks: Networks
    registries: Registries
    images: HostImages
    policy: Rules
    forms: Forms
    clock: Callable[[], datetime]
    max_limit: int
    max_body: int
    max_upload: int
    archives: Archives
    service_down_time: int
    streams: Streams
    #: where clients reach the stream proxy; without a base its port on the host that they ask
    proxy_url: str | None
    proxy_port: int
    #: who makes a long list has one of its places
    lists: AbstractContextManager[Any]
    #: the OpenAPI document of a microversion
    describe: Callable[[Version], Json]


@dataclass(slots=True)
class Call:
    """What a request asks for. ``options`` and ``values`` are loaded, ``row`` is the thing that the path names, once they are known."""

    parts: Parts
    version: Version
    context: Context
    #: scheme, host and port that the client used
    host_url: str
    #: the path's own parameters
    path: Mapping[str, str]
    #: the query as it was sent
    query: Mapping[str, str] = field(default_factory=dict)
    #: a struct of ``api/arguments.py``
    options: Any = None
    #: which of the options were given
    given: dict[str, Any] = field(default_factory=dict)
    #: fields of the entity: to make it, to change it, to filter by
    values: dict[str, Any] = field(default_factory=dict)
    #: what the request named, in its own names
    names: frozenset[str] = frozenset()
    row: Any = None
    #: the body of a call that takes a large one
    upload: Upload | None = None
    #: the lifecycle's verb, where the call is one
    verb: str | None = None
    #: the header X-Idempotency-Key
    key: str | None = None
    #: whether the caller wants the answer as text/event-stream, and the header Last-Event-ID
    wants_stream: bool = False
    last_event: str | None = None

    @property
    def caller(self) -> Caller:
        """On whose behalf this is."""
        return contexts.caller(self.context)

    @property
    def connecting(self) -> Caller:
        """The caller, with whether he may have containers in external networks, and his token."""
        allowed = self.parts.policy.allows("network:attach_external_network", self.context)
        return replace(self.caller, external_networks=allowed, token=self.context.auth_token or "")

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an administrator of the whole cloud."""
        return self.parts.policy.is_admin(self.context)

    def require(self, rule: str) -> None:
        """Raises PolicyNotAuthorized unless the caller passes the rule on the thing that the path names, or on his own project."""
        target = None if self.row is None else {name: getattr(self.row, name, None) for name in ("project_id", "user_id")}
        self.parts.policy.require(rule, self.context, target)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that is made as it is sent: JSON, in pieces. It has a ``close``."""

    body: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with more to it than its body."""

    body: Any
    location: str | None = None
    #: where it is not the route's own
    status: int | None = None
