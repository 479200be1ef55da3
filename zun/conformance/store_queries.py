"""Conditions, order, pages, sums."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from zun import errors
from zun.conformance.store_fixtures import MOMENT, Stores, container, names, sandbox, written
from zun.domain.action import Action, ActionState
from zun.domain.container import Container
from zun.domain.lifecycle import Status, Task
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import ROWS, Before, Page, Store, Transaction


class QueryPromises(Stores):
    """Conditions, order, pages, sums."""

    def test_conditions(self, store: Store, home: Sandbox) -> None:
        rows = [
            container(home, name="one", tty=True, started_at=MOMENT, status=Status.RUNNING),
            container(home, name="two", started_at=MOMENT + timedelta(microseconds=1), task_state=Task.STOPPING, status=Status.RUNNING),
            container(home, name="Two", memory=64),
            container(home, name="six\U0001f433", exit_code=0),
        ]
        written(store, *rows)
        expected: list[tuple[dict[str, Any], list[str]]] = [
            ({}, ["one", "two", "Two", "six\U0001f433"]),
            ({"name": "two"}, ["two"]),
            ({"name": "six\U0001f433"}, ["six\U0001f433"]),
            ({"name": "nothing\0"}, []),
            ({"name": "n" * 300}, []),
            ({"tty": True}, ["one"]),
            ({"memory": 64}, ["Two"]),
            ({"status": Status.RUNNING}, ["one", "two"]),
            ({"status": "Running", "tty": False}, ["two"]),
            ({"task_state": None}, ["one", "Two", "six\U0001f433"]),
            ({"exit_code": 0}, ["six\U0001f433"]),
            ({"name": ("one", "Two", "three")}, ["one", "Two"]),
            ({"status": (Status.RUNNING, Status.ERROR)}, ["one", "two"]),
            ({"name": ()}, []),
            ({"task_state": (None, Task.STOPPING)}, ["one", "two", "Two", "six\U0001f433"]),
            ({"task_state": (None,), "tty": True}, ["one"]),
            ({"started_at": Before(MOMENT)}, []),
            ({"started_at": Before(MOMENT + timedelta(microseconds=1))}, ["one"]),
            ({"uuid": rows[1].uuid}, ["two"]),
        ]
        with store.read() as tx:
            for where, found in expected:
                assert names(tx.find(Container, where)) == found, where
                assert tx.count(Container, where) == len(found), where

    def test_fields_of_the_owner_are_read_filtered_sorted_and_summed_by(self, store: Store, home: Sandbox) -> None:
        other = written(store, sandbox(host="Beta"))[0]
        nowhere = written(store, sandbox())[0]
        written(store, container(home, name="a"), container(other, name="b"), container(nowhere, name="c"), container(home, name="d"))
        with store.read() as tx:
            first = tx.find(Container, {"name": "a"})[0]
            assert (first.host, first.hostname, first.hints, first.security_groups) == ("alpha", "inside", {"a": 1}, ["sg"])
            assert names(tx.find(Container, {"host": "alpha"})) == ["a", "d"]
            assert names(tx.find(Container, {"host": (None, "Beta")})) == ["b", "c"]
            assert tx.count(Container, {"host": "alpha"}) == 2
            assert names(tx.find(Container, page=Page(sort_key="host"))) == ["c", "b", "a", "d"]
            assert names(tx.find(Container, page=Page(sort_key="host", descending=True))) == ["d", "a", "b", "c"]
            sums = tx.total(Container, ("memory",), by="host")
        assert sums == {"alpha": {"memory": 1024}, "Beta": {"memory": 512}, None: {"memory": 512}}

    def test_fields_of_the_owner_are_not_written_by_what_it_owns(self, store: Store, home: Sandbox) -> None:
        row = written(store, container(home))[0]
        with store.write() as tx:
            tx.save(msgspec.structs.replace(row, host="elsewhere", name="renamed"))
        with store.read() as tx:
            found = tx.get(Container, row.uuid)
        assert found is not None
        assert (found.name, found.host) == ("renamed", "alpha")

    def test_pages_go_over_ties_and_nulls_without_overlap_or_gap(self, store: Store, home: Sandbox) -> None:
        values = [None, "b", "a", None, "B", "a", "\u00e4", None, "a", "b"]
        written(store, *(container(home, name=str(place), task_state=None, workdir=value) for place, value in enumerate(values)))
        up = ["0", "3", "7", "4", "2", "5", "8", "1", "9", "6"]
        for descending, expected in ((False, up), (True, up[::-1])):
            with store.read() as tx:
                assert names(tx.find(Container, page=Page(sort_key="workdir", descending=descending))) == expected
                for size in (1, 2, 3, 10):
                    assert names(self._paged(tx, size, "workdir", descending)) == expected

    @pytest.mark.parametrize("key", ["id", "uuid", "name", "cpu", "memory", "tty", "status", "created_at", "started_at", "host", "labels"])
    def test_pages_of_any_key_make_the_whole_list(self, store: Store, key: str) -> None:
        homes = written(store, sandbox(host="alpha"), sandbox(), sandbox(host="beta"))
        written(
            store,
            *(
                container(
                    homes[place % 3],
                    name=f"n{place % 4}",
                    cpu=0.1 * (place % 3),
                    memory=place % 2 + 4,
                    tty=place % 3 == 0,
                    status=list(Status)[place % 5],
                    started_at=None if place % 4 == 0 else MOMENT + timedelta(microseconds=place % 3),
                    labels={"k": str(place % 2)},
                )
                for place in range(12)
            ),
        )
        for descending in (False, True):
            with store.read() as tx:
                whole = tx.find(Container, page=Page(sort_key=key, descending=descending))
                assert len(whole) == 12
                assert self._paged(tx, 5, key, descending) == whole

    def _paged(self, tx: Transaction, size: int, key: str, descending: bool) -> list[Container]:
        found: list[Container] = []
        while True:
            marker = found[-1].uuid if found else None
            part = tx.find(Container, page=Page(limit=size, marker=marker, sort_key=key, descending=descending))
            if not part:
                return found
            found += part

    def test_a_marker_counts_even_where_the_conditions_leave_it_out(self, store: Store, home: Sandbox) -> None:
        rows = written(store, container(home, name="a"), container(home, name="b"), container(home, name="a"))
        with store.read() as tx:
            found = tx.find(Container, {"name": "a"}, Page(marker=rows[1].uuid))
        assert [row.id for row in found] == [rows[2].id]

    def test_an_unknown_marker_is_not_found(self, store: Store) -> None:
        with store.read() as tx:
            for marker in (str(uuid.uuid4()), "no uuid at all", "\0"):
                with pytest.raises(errors.MarkerNotFound):
                    tx.find(Container, page=Page(marker=marker))

    def test_an_unknown_sort_key_is_invalid(self, store: Store) -> None:
        with store.read() as tx, pytest.raises(errors.InvalidValue) as refused:
            tx.find(Container, page=Page(sort_key="uuid; DROP TABLE containers"))
        assert refused.value.details["field"] == "sort_key"

    def test_an_unknown_condition_is_invalid(self, store: Store) -> None:
        with store.read() as tx, pytest.raises(errors.InvalidValue) as refused:
            tx.count(Container, {"colour": "red"})
        assert refused.value.details["field"] == "colour"

    @pytest.mark.parametrize("opened", ["look", "read", "write"])
    def test_rows_one_after_the_other_are_those_found_at_once(self, store: Store, home: Sandbox, opened: str) -> None:
        written(store, *[container(home, name=f"c{number}", tty=number % 2 == 0) for number in range(120)])
        pages = [Page(), Page(sort_key="name", descending=True), Page(limit=7), Page(limit=0)]
        with getattr(store, opened)() as tx:
            for where in ({}, {"tty": True}, {"name": "nothing\0"}, {"name": ("c1", "c119")}):
                for page in pages:
                    assert list(tx.each(Container, where, page)) == tx.find(Container, where, page)

    def test_whoever_has_seen_enough_asks_for_something_else(self, store: Store, home: Sandbox) -> None:
        written(store, *[container(home, name=f"c{number}") for number in range(120)])
        with store.read() as tx:
            rows = tx.each(Container)
            assert next(rows).name == "c0"
            rows.close()
            assert tx.count(Container) == 120

    def test_no_limit_and_a_limit_of_nothing(self, store: Store) -> None:
        written(store, sandbox(), sandbox())
        with store.read() as tx:
            assert len(tx.find(Sandbox)) == 2
            assert tx.find(Sandbox, page=Page(limit=0)) == []

    def test_sums(self, store: Store) -> None:
        written(
            store,
            sandbox(host="alpha", cpu=0.5, memory=2**40, project_id="red"),
            sandbox(host="alpha", cpu=0.25, memory=2**40, project_id="blue"),
            sandbox(cpu=1.0, memory=1, project_id="red"),
        )
        with store.read() as tx:
            assert tx.total(Sandbox, ("cpu", "memory")) == {None: {"cpu": 1.75, "memory": 2**41 + 1}}
            assert tx.total(Sandbox, ("cpu",), {"project_id": "red"}) == {None: {"cpu": 1.5}}
            assert tx.total(Sandbox, ("cpu",), by="host") == {"alpha": {"cpu": 0.75}, None: {"cpu": 1.0}}
            assert tx.total(Sandbox, ("cpu",), {"project_id": "green"}) == {None: {"cpu": 0}}
            assert tx.total(Sandbox, ("cpu",), {"project_id": "green"}, by="host") == {}
            assert isinstance(tx.total(Sandbox, ("memory",))[None]["memory"], float)
            assert tx.total(Sandbox, ("cpu", ROWS), by="host") == {"alpha": {"cpu": 0.75, ROWS: 2}, None: {"cpu": 1.0, ROWS: 1}}
            assert tx.total(Sandbox, (ROWS,), {"project_id": "green"}) == {None: {ROWS: 0}}

    def test_sums_by_a_word_or_a_truth_have_the_domains_keys(self, store: Store, home: Sandbox) -> None:
        written(store, container(home, status=Status.RUNNING, tty=True), container(home, status=Status.ERROR))
        with store.read() as tx:
            by_status = tx.total(Container, ("memory",), by="status")
            by_tty = tx.total(Container, ("memory",), by="tty")
        assert {type(status) for status in by_status} == {Status}
        assert by_status == {Status.RUNNING: {"memory": 512}, Status.ERROR: {"memory": 512}}
        assert by_tty == {True: {"memory": 512}, False: {"memory": 512}}

    def test_what_is_no_number_has_no_sum(self, store: Store) -> None:
        with store.read() as tx, pytest.raises(errors.InvalidValue):
            tx.total(Sandbox, ("host",))

    def test_states_of_actions_can_be_asked_for_together(self, store: Store, home: Sandbox) -> None:
        start: dict[str, Any] = {"action": "stop", "sandbox_uuid": home.uuid, "request_id": "r", "project_id": "red", "user_id": "ann"}
        written(store, *(Action(uuid=str(uuid.uuid4()), state=state, **start) for state in ActionState))
        with store.read() as tx:
            found = tx.find(Action, {"state": (ActionState.QUEUED, ActionState.DONE), "host": None})
        assert [row.state for row in found] == [ActionState.QUEUED, ActionState.DONE]
