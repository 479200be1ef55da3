"""Tickets: one stream, once, for a while, and nothing in the database that opens anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from zun import errors
from zun.conductor.streams import WAITING, WATCHERS, Streams
from zun.db.store import SqlStore
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.stream import StreamKind, Ticket
from zun.interfaces.streams import Door

C = "c" * 36
DOOR = Door(host="127.0.0.1", port=1, token="of the door")


class Agent:
    """Opens whatever it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def open_attach(self, uuid: str) -> Door:
        self.asked.append(("attach", uuid))
        return DOOR

    def open_exec(self, uuid: str, exec_id: str) -> Door:
        self.asked.append(("exec", uuid, exec_id))
        return DOOR

    def open_follow(self, uuid: str, *options: Any) -> Door:
        self.asked.append(("follow", uuid, *options))
        return DOOR


class Desk:
    """Tickets over a real store, with a container on a host, and a clock that a test moves."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.agent, self.now = store, Agent(), datetime(2026, 1, 1)
        self.streams = Streams(store, self, clock=lambda: self.now, lifetime=60)  # type: ignore[arg-type]
        with store.write() as tx:
            owner = {"project_id": "p", "user_id": "u"}
            tx.add(Sandbox(uuid="s", host="one", **owner))
            tx.add(Container(uuid=C, sandbox_uuid="s", name="web", image="busybox", **owner))

    def on(self, host: str) -> Agent:
        assert host == "one"
        return self.agent

    def issue(self, kind: StreamKind = StreamKind.ATTACH, exec_id: str | None = None, **arguments: Any) -> str:
        return self.streams.issue(kind, "p", container_uuid=C, exec_id=exec_id, arguments=arguments)

    def tickets(self) -> list[Ticket]:
        with self.store.read() as tx:
            return tx.find(Ticket)


@pytest.fixture
def desk(sqlite_store: SqlStore) -> Desk:
    return Desk(sqlite_store)


def test_a_ticket_is_good_once(desk: Desk) -> None:
    token = desk.issue()
    grant = desk.streams.redeem(token, C, None)
    assert (grant.kind, grant.project_id, grant.container_uuid, grant.door) == (StreamKind.ATTACH, "p", C, DOOR)
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(token, C, None)
    assert desk.agent.asked == [("attach", C)]
    assert desk.tickets() == []


def test_what_is_stored_opens_nothing(desk: Desk) -> None:
    token = desk.issue()
    assert token not in repr(desk.tickets())
    for stored in (desk.tickets()[0].secret, desk.tickets()[0].uuid):
        with pytest.raises(errors.Unauthorized):
            desk.streams.redeem(stored, C, None)


def test_it_is_worth_nothing_when_its_time_is_over(desk: Desk) -> None:
    token = desk.issue()
    desk.now += timedelta(seconds=60)
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(token, C, None)
    desk.now += timedelta(seconds=1)
    desk.streams.sweep()
    assert desk.tickets() == []


def test_what_is_still_good_is_not_swept(desk: Desk) -> None:
    token = desk.issue()
    desk.now += timedelta(seconds=59)
    desk.streams.sweep()
    desk.streams.redeem(token, C, None)


@pytest.mark.parametrize(("container", "exec_id"), [("d" * 36, "e" * 64), (C, None), (C, "f" * 64), (None, None), ("", "e" * 64)])
def test_it_is_for_one_container_and_one_command(desk: Desk, container: str | None, exec_id: str | None) -> None:
    token = desk.issue(StreamKind.EXEC, "e" * 64)
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(token, container, exec_id)
    desk.streams.redeem(token, C, "e" * 64)
    assert desk.agent.asked == [("exec", C, "e" * 64)]


@pytest.mark.parametrize("token", ["", "x", "\udc80", "' or 1=1 --", "x" * 100_000])
def test_what_is_no_token_is_refused(desk: Desk, token: str) -> None:
    desk.issue()
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(token, C, None)


def test_a_container_has_one_ticket_for_attaching_and_commands_have_their_own(desk: Desk) -> None:
    older, command, newer = desk.issue(), desk.issue(StreamKind.EXEC, "e" * 64), desk.issue()
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(older, C, None)
    desk.streams.redeem(newer, C, None)
    desk.streams.redeem(command, C, "e" * 64)


def test_a_container_that_is_gone_opens_nothing(desk: Desk) -> None:
    token = desk.issue()
    with desk.store.write() as tx:
        row = tx.get(Container, C)
        assert row is not None
        tx.drop(row)
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(token, C, None)


def test_a_container_that_no_host_has_opens_nothing_and_its_ticket_is_kept(desk: Desk) -> None:
    token = desk.issue()
    with desk.store.write() as tx:
        row = tx.get(Sandbox, "s")
        assert row is not None
        tx.save(replace(row, host=None))
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(token, C, None)
    assert (desk.agent.asked, len(desk.tickets())) == ([], 1)


def test_commands_that_wait_are_bounded_and_those_that_waited_in_vain_make_room(desk: Desk) -> None:
    for number in range(WAITING):
        desk.issue(StreamKind.EXEC, f"{number:064x}")
    with pytest.raises(errors.TooManyTickets):
        desk.issue(StreamKind.EXEC, "e" * 64)
    desk.now += timedelta(seconds=61)
    desk.issue(StreamKind.EXEC, "e" * 64)
    assert len(desk.tickets()) == 1


def test_followers_that_have_not_come_yet_are_bounded_too(desk: Desk) -> None:
    for _ in range(WAITING):
        desk.issue(StreamKind.LOGS)
    with pytest.raises(errors.TooManyTickets):
        desk.issue(StreamKind.LOGS)
    desk.issue(StreamKind.EXEC, "e" * 64)
    desk.now += timedelta(seconds=61)
    desk.issue(StreamKind.LOGS)
    assert len(desk.tickets()) == 1


def test_watchers_of_a_project_that_have_not_come_yet_are_bounded_and_another_project_is_not_concerned(desk: Desk) -> None:
    tokens = [desk.streams.issue(StreamKind.EVENTS, "p") for _ in range(WATCHERS)]
    with pytest.raises(errors.TooManyWatchers, match=str(WATCHERS)):
        desk.streams.issue(StreamKind.EVENTS, "p")
    desk.streams.issue(StreamKind.EVENTS, "other")
    desk.streams.redeem(tokens[0], None, None)
    tokens.append(desk.streams.issue(StreamKind.EVENTS, "p"))
    with pytest.raises(errors.TooManyWatchers):
        desk.streams.issue(StreamKind.EVENTS, "p")
    desk.now += timedelta(seconds=61)
    # those that nobody fetched make room, some of them at a time
    desk.streams.issue(StreamKind.EVENTS, "p")
    with pytest.raises(errors.Unauthorized):
        desk.streams.redeem(tokens[1], None, None)


def test_a_followed_log_is_what_was_asked_for(desk: Desk) -> None:
    token = desk.issue(StreamKind.LOGS, tail=7, stderr=False, since="2026-01-01T00:00:00")
    desk.streams.redeem(token, C, None)
    assert desk.agent.asked == [("follow", C, True, False, False, 7, datetime(2026, 1, 1))]


def test_a_ticket_of_a_project_leads_to_no_host(desk: Desk) -> None:
    token = desk.streams.issue(StreamKind.EVENTS, "p", arguments={"after": 3})
    grant = desk.streams.redeem(token, None, None)
    assert (grant.kind, grant.door, grant.arguments) == (StreamKind.EVENTS, None, {"after": 3})
