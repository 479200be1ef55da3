"""The agent's book: every start counts, whoever made it."""

from datetime import datetime

import pytest

from zun.compute.book import Book, looks_as_told, observe
from zun.domain.container import Container
from zun.domain.lifecycle import EngineState
from zun.domain.sandbox import Sandbox
from zun.interfaces.rpc import Charge
from zun.interfaces.runtime import ContainerState, Seen

FIRST, SECOND = datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 13)


def container(**known):
    return Container(**{"uuid": "c", "sandbox_uuid": "s", "project_id": "p", "user_id": "u", "name": "web", "image": "busybox"} | known)


def charge(**known):
    return Charge(sandbox=Sandbox(uuid="s", project_id="p", user_id="u"), containers=[container(**known)])


def state(engine=EngineState.RUNNING, started_at=FIRST, engine_id="e1", **known):
    return ContainerState(uuid="c", sandbox_uuid="s", revision=0, engine_id=engine_id, state=engine, started_at=started_at, **known)


@pytest.fixture
def book():
    made = Book()
    made.take(charge())
    return made


def test_a_first_start_is_the_first_incarnation(book):
    assert observe(book.entry("c"), state()).incarnation == 1


def test_the_same_life_seen_twice_counts_once(book):
    observe(book.entry("c"), state())
    assert observe(book.entry("c"), state(EngineState.EXITED, finished_at=SECOND, exit_code=1)).incarnation == 1


def test_a_restart_by_anybody_counts(book):
    observe(book.entry("c"), state())
    assert observe(book.entry("c"), state(started_at=SECOND)).incarnation == 2


def test_a_new_engine_object_that_never_ran_is_no_new_life(book):
    observe(book.entry("c"), state())
    assert observe(book.entry("c"), state(EngineState.CREATED, started_at=None, engine_id="e2")).incarnation == 1


def test_an_agent_that_lost_its_memory_goes_on_counting_from_the_rows():
    book = Book()
    book.take(charge(incarnation=4, engine_id="e1", started_at=FIRST))
    assert observe(book.entry("c"), state()).incarnation == 4
    assert observe(book.entry("c"), state(started_at=SECOND)).incarnation == 5


def test_a_waiting_restart_is_shown_as_restarting(book):
    book.entry("c").restarting = True
    assert observe(book.entry("c"), state(EngineState.EXITED)).state is EngineState.RESTARTING


def test_what_the_engine_does_not_know_is_missing(book):
    assert observe(book.entry("c"), None).state is EngineState.MISSING


def test_an_exit_code_belongs_to_a_life_that_ended(book):
    assert observe(book.entry("c"), state(exit_code=0)).exit_code is None
    assert observe(book.entry("c"), state(EngineState.EXITED, exit_code=0, finished_at=SECOND)).exit_code == 0


def test_a_scan_looks_closely_only_at_what_differs(book):
    entry = book.entry("c")
    line = Seen(sandbox_uuid="s", container_uuid="c", revision=0, engine_id="e1", state=EngineState.RUNNING)
    assert not looks_as_told(entry, line)
    entry.told = observe(entry, state())
    assert looks_as_told(entry, line)
    assert not looks_as_told(entry, Seen(sandbox_uuid="s", container_uuid="c", revision=1, engine_id="e2", state=EngineState.RUNNING))


def test_what_was_seen_here_outlives_what_a_conductor_says(book):
    observe(book.entry("c"), state())
    book.take(charge(name="renamed"))
    assert (book.entry("c").incarnation, book.entry("c").container.name) == (1, "renamed")


def test_a_sandbox_is_forgotten_with_its_last_container(book):
    book.drop("c")
    assert book.sandboxes() == []
    book.drop("c")
