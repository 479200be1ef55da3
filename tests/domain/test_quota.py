"""Limits, and what is beyond them."""

from __future__ import annotations

import pytest

from zun import errors
from zun.domain.quota import RESOURCES, UNLIMITED, ClassLimit, ProjectLimit, Quota, check, override

SOME = Quota(containers=2, cpu=2, memory=100, disk=10)


def row(resource: str, hard_limit: int) -> ProjectLimit:
    return ProjectLimit(uuid=resource, project_id="p", resource=resource, hard_limit=hard_limit)


def test_a_row_takes_the_place_of_the_limit_of_its_resource_alone() -> None:
    assert override(SOME, [row("cpu", 5), row("disk", UNLIMITED)]) == Quota(containers=2, cpu=5, memory=100, disk=-1)
    assert override(SOME, [ClassLimit(uuid="c", class_name="default", resource="cpu", hard_limit=0)]).cpu == 0
    assert override(SOME, []) == SOME


def test_a_row_of_a_resource_that_is_counted_no_more_says_nothing() -> None:
    assert override(SOME, [row("gpus", 5)]) == SOME


@pytest.mark.parametrize("name", RESOURCES)
def test_up_to_the_limit_and_no_further(name: str) -> None:
    limits, in_use = Quota(**{name: 3}), Quota(**{name: 2})
    check(limits, in_use, Quota(**{name: 1}))
    with pytest.raises(errors.OverQuota, match=f"{name}: requested 2, in use 2, limit 3"):
        check(limits, in_use, Quota(**{name: 2}))


def test_tenths_of_cores_add_up() -> None:
    check(Quota(cpu=1), Quota(cpu=0.1 + 0.2), Quota(cpu=0.7))


def test_who_is_over_his_limit_may_give_back_and_ask_for_what_is_left_of_other_things() -> None:
    check(Quota(cpu=1, memory=10), Quota(cpu=5, memory=5), Quota(cpu=-1, memory=5))
    check(Quota(cpu=1), Quota(cpu=5), Quota())
