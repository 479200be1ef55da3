"""How a field becomes a column."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from zun.db.rows import Shape
from zun.db.tables import OWNERS, TABLES, Form, form
from zun.domain.action import StepEvent
from zun.domain.container import Container
from zun.domain.lifecycle import Status
from zun.domain.model import Entity, fields


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str, Form(str, False)),
        (str | None, Form(str, True)),
        (int, Form(int, False)),
        (bool, Form(bool, False)),
        (float | None, Form(float, True)),
        (datetime | None, Form(datetime, True)),
        (Status, Form(Status, False)),
        (Status | None, Form(Status, True)),
        (list[str], Form(None, False)),
        (dict[str, Any] | None, Form(None, True)),
        (list[StepEvent], Form(None, False)),
        (int | str, Form(None, False)),
    ],
)
def test_scalars_have_columns_of_their_own_and_the_rest_is_json(hint: Any, expected: Form) -> None:
    assert form(hint) == expected


@pytest.mark.parametrize("entity", TABLES)
def test_every_field_is_a_column_of_its_table_or_of_its_owners(entity: type[Entity]) -> None:
    own = {name for name, declared in fields(entity).items() if declared.field.of is None}
    assert set(TABLES[entity].columns.keys()) == own
    for declared in fields(entity).values():
        if declared.field.of is not None:
            owner = OWNERS[declared.field.of]
            assert fields(owner)[declared.name].type == declared.type, "what is only read must have its owner's type"


def test_what_an_entity_asks_for_is_read_from_no_more_tables_than_it_needs() -> None:
    shape = Shape(Container)
    assert shape.source(("name", "status")) is shape.table
    assert shape.source(("name", "host")) is shape.joined


@pytest.mark.parametrize("entity", TABLES)
def test_names_have_no_zero_which_separates_them_in_the_names_of_constraints(entity: type[Entity]) -> None:
    assert not [name for name in (TABLES[entity].name, *TABLES[entity].columns.keys()) if "0" in name]


@pytest.mark.parametrize("entity", TABLES)
def test_a_key_that_an_index_must_hold_has_a_length(entity: type[Entity]) -> None:
    for declared in fields(entity).values():
        if (declared.field.index or declared.field.unique) and declared.field.of is None and form(declared.type).base is str:
            assert declared.field.length is not None
            assert declared.field.length * 4 <= 3072, "InnoDB's longest key"
