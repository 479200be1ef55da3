"""What a stream of events goes on with, and who is told that there is news."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path

import pytest

from zun import errors
from zun.conductor.events import after, onward
from zun.db.migrate import upgrade
from zun.db.store import SqlStore
from zun.domain.event import Event, Kind, What

NOW = datetime(2026, 11, 23)


@pytest.fixture
def store(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/db"
    upgrade(url)
    store = SqlStore(url, clock=lambda: NOW)
    yield store
    store.close()


def tell(store: SqlStore, *projects: str, broken: bool = False) -> None:
    with store.write() as tx:
        for project in projects:
            here = str(uuid.uuid4())
            tx.tell(Event(uuid="", project_id=project, kind=Kind.CONTAINER, what=What.STATUS, resource_uuid=here, sandbox_uuid=here))
        if broken:
            raise KeyError


def test_listeners_are_told_of_commits_and_of_nothing_else(store: SqlStore) -> None:
    told: list[frozenset[str]] = []
    store.listen(told.append)
    tell(store, "a", "b")
    with pytest.raises(KeyError):
        tell(store, "c", broken=True)
    with store.write():
        pass
    assert told == [frozenset({"a", "b"})]


def test_listeners_are_told_when_there_is_something_to_be_found(store: SqlStore) -> None:
    found: list[int] = []

    def look(projects: frozenset[str]) -> None:
        with store.read() as tx:
            found.append(onward(tx, "a", None, {}, 1).cursor)

    store.listen(look)
    tell(store, "a")
    assert found == [1]


def test_without_a_cursor_it_is_now(store: SqlStore) -> None:
    tell(store, "a", "a")
    with store.read() as tx:
        found = onward(tx, "a", None, {}, 10)
    assert (found.events, found.cursor, found.reset) == ([], 2, False)


@pytest.mark.parametrize("cursor", [3, 4, 10**17])
def test_a_cursor_that_no_event_has_had_yet_is_none(store: SqlStore, cursor: int) -> None:
    """It is of another database, or of this one before it was set back: events that will have it would be taken for seen."""
    tell(store, "a", "a")
    with store.read() as tx:
        with pytest.raises(errors.EventsGone):
            after(tx, "a", cursor, {}, 10)
        assert after(tx, "a", 2, {}, 10).events == []
        assert onward(tx, "a", cursor, {}, 10).reset


def test_what_is_gone_is_said_to_be_and_passed_by(store: SqlStore) -> None:
    tell(store, "a", "a")
    with store.read() as tx:
        found = onward(tx, "a", 7, {}, 10)
        assert (found.events, found.cursor, found.reset) == ([], 2, True)
        assert [event.cursor for event in onward(tx, "a", 1, {}, 10).events] == [2]
