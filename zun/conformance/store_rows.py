"""What is written is what is read."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from zun import errors
from zun.conformance.store_fixtures import MOMENT, Stores, container, host, names, sandbox, service, written
from zun.domain.action import Action, StepEvent
from zun.domain.container import Container
from zun.domain.host import Host
from zun.domain.lifecycle import Desired, Status, Task
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Store


class RowPromises(Stores):
    """What is written is what is read."""

    def test_a_row_gets_its_number_and_times_and_is_read_as_it_was_written(self, store: Store) -> None:
        added = written(store, sandbox(cpu=0.1, memory=2**40, disk=3, runtime="runc"))[0]
        assert added.id > 0
        assert added.created_at is not None
        assert added.created_at == added.updated_at
        assert added.created_at.tzinfo is None
        with store.read() as tx:
            assert tx.get(Sandbox, added.uuid) == added

    def test_ids_grow_in_the_order_of_making_and_are_not_given_twice(self, store: Store) -> None:
        first, second = written(store, sandbox(), sandbox())
        with store.write() as tx:
            tx.drop(second)
        third = written(store, sandbox())[0]
        assert first.id < second.id < third.id

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.get(Sandbox, str(uuid.uuid4())) is None
            assert tx.get(Sandbox, "with a \0 in it") is None

    def test_nested_json_keeps_its_order_types_and_nulls(self, store: Store) -> None:
        hints = {"z": [1, 2.5, None, True, {"deep": ["x", {}]}], "a": "", "\u00e9\U0001f433": "\0 \\ \" '"}
        nets = [{"network": "n", "v4-fixed-ip": "10.0.0.1"}, {"port": "p"}]
        added = written(store, sandbox(hints=hints, nets=nets, addresses={"n": [{"addr": "10.0.0.1", "version": 4}]}))[0]
        with store.read() as tx:
            found = tx.get(Sandbox, added.uuid)
        assert found == added
        assert found is not None
        assert list(found.hints) == list(hints)

    def test_structs_in_lists_come_back_as_structs(self, store: Store, home: Sandbox) -> None:
        event = StepEvent(event="pull", start_time=MOMENT, finish_time=MOMENT + timedelta(microseconds=1), result="Success")
        action = Action(
            uuid=str(uuid.uuid4()),
            action="create",
            sandbox_uuid=home.uuid,
            request_id="req-1",
            project_id="red",
            user_id="ann",
            events=[event, msgspec.structs.replace(event, result="Error", traceback="line 1\nline 2")],
        )
        added = written(store, action)[0]
        with store.read() as tx:
            assert tx.get(Action, added.uuid) == added

    def test_every_kind_of_value_comes_back_as_itself(self, store: Store, home: Sandbox) -> None:
        row = container(
            home,
            hostname=home.hostname,
            host=home.host,
            hints=home.hints,
            security_groups=home.security_groups,
            name="\u5bb9\u5668-\U0001f433-caf\u00e9",
            cpu=0.30000000000000004,
            command=["sh", "-c", "echo \u00fc"],
            environment={"B": "2", "A": "1"},
            tty=True,
            auto_remove=True,
            status=Status.RESTARTING,
            task_state=Task.STARTING,
            desired=Desired.RUNNING,
            exit_code=3_221_225_477,
            error="e" * 100_000,
            started_at=MOMENT,
        )
        added = written(store, row)[0]
        with store.read() as tx:
            found = tx.get(Container, added.uuid)
        assert found == added
        assert found is not None
        assert isinstance(found.status, Status)
        assert isinstance(found.task_state, Task)
        assert found.tty is True
        assert found.privileged is False
        assert found.started_at == MOMENT
        assert found.finished_at is None

    def test_empty_values_are_not_shared_between_rows(self, store: Store, home: Sandbox) -> None:
        written(store, container(home), container(home))
        with store.read() as tx:
            one, other = tx.find(Container)
        assert one.labels is not other.labels
        assert one.command is not other.command

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", "n" * 256),
            ("name", "nul \0 inside"),
            ("name", "half a \ud83d"),
            ("name", None),
            ("memory", 2**63),
            ("cpu", float("nan")),
            ("tty", "yes"),
            ("started_at", datetime.fromisoformat("2026-01-01T00:00:00+01:00")),
        ],
    )
    def test_what_no_column_can_hold_is_refused_by_name(self, store: Store, home: Sandbox, field: str, value: Any) -> None:
        with pytest.raises(errors.InvalidValue, match=f"'{field}'"), store.write() as tx:
            tx.add(container(home, **{field: value}))

    def test_the_longest_text_fits(self, store: Store, home: Sandbox) -> None:
        added = written(store, container(home, name="\U0001f433" * 255))[0]
        with store.read() as tx:
            assert names(tx.find(Container, {"name": added.name})) == [added.name]

    def test_a_second_row_of_the_same_uuid_is_a_duplicate(self, store: Store) -> None:
        first = written(store, sandbox())[0]
        with pytest.raises(errors.Duplicate) as refused, store.write() as tx:
            tx.add(sandbox(uuid=first.uuid))
        assert refused.value.details == {"entity": "Sandbox", "key": "uuid"}

    def test_a_second_host_of_the_same_name_is_a_duplicate(self, store: Store) -> None:
        written(store, host("alpha"))
        with pytest.raises(errors.Duplicate) as refused, store.write() as tx:
            tx.add(host("alpha"))
        assert refused.value.details == {"entity": "Host", "key": "hostname"}

    def test_a_service_is_unique_by_host_and_binary_together(self, store: Store) -> None:
        written(store, service("alpha"), service("beta"), service("alpha", "zun-wsproxy"))
        with pytest.raises(errors.Duplicate) as refused, store.write() as tx:
            tx.add(service("alpha"))
        assert refused.value.details == {"entity": "Service", "key": "host, binary"}

    def test_a_change_that_makes_a_duplicate_is_refused_too(self, store: Store) -> None:
        written(store, host("alpha"))
        beta = written(store, host("beta"))[0]
        with pytest.raises(errors.Duplicate), store.write() as tx:
            tx.save(msgspec.structs.replace(beta, hostname="alpha"))

    def test_names_that_differ_in_case_or_accent_are_different(self, store: Store) -> None:
        written(store, host("alpha"), host("Alpha"), host("\u00e1lpha"))
        with store.read() as tx:
            assert [row.hostname for row in tx.find(Host, {"hostname": "Alpha"})] == ["Alpha"]
