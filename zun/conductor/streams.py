"""Tickets: given out by the API, taken in for the stream proxies. Implements :class:`zun.interfaces.rpc.Streams`."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from zun import errors
from zun.conductor import events
from zun.conductor.journal import Clock
from zun.domain.container import Container
from zun.domain.stream import StreamKind, Ticket
from zun.interfaces.rpc import Agent, Agents, Grant, Happened
from zun.interfaces.store import Before, Page, Store, Transaction
from zun.interfaces.streams import Door

LOG = logging.getLogger(__name__)

#: commands of one container that wait for their terminals, and followers of its log for theirs; and expired tickets that are removed at a
#: time
WAITING, SWEPT = 64, 200
#: watchers of one project that have been told where their events are, and have not come yet
WATCHERS = 1024


class Streams:
    """Every ticket is good for one stream, once, for ``lifetime`` seconds. Stored is what tells it, and nothing that opens anything."""

    def __init__(self, store: Store, agents: Agents, *, clock: Clock, lifetime: float) -> None:
        self._store = store
        self._agents = agents
        self._clock = clock
        self._lifetime = timedelta(seconds=lifetime)

    # -- for the API -----------------------------------------------------------------------------

    def issue(
        self,
        kind: StreamKind,
        project_id: str,
        *,
        container_uuid: str | None = None,
        exec_id: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """A new ticket's token. A container has one for attaching: an older one is worth nothing then.

        Raises TooManyTickets where many streams of a container wait already, TooManyWatchers where many of a project do.
        """
        token = str(uuid.uuid4())
        ticket = Ticket(
            uuid=str(uuid.uuid4()),
            secret=_digest(token),
            kind=kind,
            project_id=project_id,
            container_uuid=container_uuid,
            exec_id=exec_id,
            expires_at=self._clock() + self._lifetime,
            arguments=dict(arguments or {}),
        )
        self._store.settle(partial(self._issue, ticket=ticket))
        return token

    def _issue(self, tx: Transaction, ticket: Ticket) -> None:
        others = {"kind": ticket.kind, "container_uuid": ticket.container_uuid}
        if ticket.kind is StreamKind.ATTACH:
            for older in tx.find(Ticket, others):
                tx.drop(older)
        elif ticket.kind in (StreamKind.EXEC, StreamKind.LOGS):
            self._remove_expired(tx)
            if tx.count(Ticket, others) >= WAITING:
                raise errors.TooManyTickets(id=ticket.container_uuid, limit=WAITING)
        elif ticket.kind is StreamKind.EVENTS:
            self._remove_expired(tx)
            if tx.count(Ticket, {"kind": ticket.kind, "project_id": ticket.project_id}) >= WATCHERS:
                raise errors.TooManyWatchers(limit=WATCHERS)
        tx.add(ticket)

    # -- for the proxies -------------------------------------------------------------------------

    def redeem(self, token: str, container_uuid: str | None, exec_id: str | None) -> Grant:
        """Give a ticket's token for what it is good for."""
        ticket, container = self._store.settle(partial(self._take, token=token, container_uuid=container_uuid, exec_id=exec_id))
        door = None if container is None else self._door(self._agents.on(container.host or ""), ticket, container)
        return Grant(
            kind=ticket.kind, project_id=ticket.project_id, container_uuid=ticket.container_uuid, door=door, arguments=ticket.arguments
        )

    def events(self, project_id: str, after: int | None, limit: int, filters: dict[str, list[str]]) -> Happened:
        """What happened in a project after a cursor."""
        where = {name: tuple(wanted) for name, wanted in filters.items()}
        with self._store.read() as tx:
            return events.onward(tx, project_id, after, where, limit)

    def _take(self, tx: Transaction, token: str, container_uuid: str | None, exec_id: str | None) -> tuple[Ticket, Container | None]:
        """The ticket, which is gone then. What is not its container's or its command's leaves it as it is."""
        ticket = next(iter(tx.find(Ticket, {"secret": _digest(token)})), None)
        bound = ticket is not None and (ticket.container_uuid, ticket.exec_id) == (container_uuid, exec_id)
        if ticket is None or not bound or ticket.expires_at <= self._clock():
            raise errors.Unauthorized
        container = None if ticket.container_uuid is None else tx.get(Container, ticket.container_uuid)
        if ticket.container_uuid is not None and (container is None or container.host is None):
            raise errors.Unauthorized
        tx.drop(ticket)
        return ticket, container

    def _door(self, agent: Agent, ticket: Ticket, container: Container) -> Door:
        if ticket.kind is StreamKind.ATTACH:
            return agent.open_attach(container.uuid)
        if ticket.kind is StreamKind.EXEC:
            return agent.open_exec(container.uuid, ticket.exec_id or "")
        asked = msgspec.convert(ticket.arguments, Follow)
        return agent.open_follow(container.uuid, asked.stdout, asked.stderr, asked.timestamps, asked.tail, asked.since)

    # -- what nobody has used --------------------------------------------------------------------

    def sweep(self) -> None:
        """Forget the tickets whose time is over."""
        self._store.settle(self._remove_expired)

    def _remove_expired(self, tx: Transaction) -> None:
        for ticket in tx.find(Ticket, {"expires_at": Before(self._clock())}, Page(limit=SWEPT)):
            tx.drop(ticket)


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a ticket for a followed log."""

    stdout: bool = True
    stderr: bool = True
    timestamps: bool = False
    tail: int | None = None
    since: datetime | None = None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
