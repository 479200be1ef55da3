"""Which of the cloud's two hosts a container gets."""

from __future__ import annotations

import pytest

from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.networks import host_of, operator, zun

__all__ = ["operator", "zun"]

_NONE = "There are not enough hosts available. "


def test_beside_another_one_apart_from_it_and_nowhere(cloud: World, zun: Zun, operator: Zun) -> None:
    with zun.running() as one:
        beside, apart = {"same_host": one["uuid"]}, {"different_host": [one["uuid"]]}
        with zun.running(hints=beside) as same, zun.running(hints=apart) as other:
            assert host_of(operator, same) == host_of(operator, one)
            assert host_of(operator, other) not in (host_of(operator, one), None)
            for hints, reason in (
                ({"different_host": [one["uuid"], other["uuid"]]}, "The different_host filter left none of 2."),
                ({"label:disk": "ssd"}, "The label filter left none of 2."),
                ({"architecture": "s390x"}, "The image architecture filter left none of 2."),
            ):
                made = zun.create(hints=hints).json()["uuid"]
                shown = zun.settle(made)
                assert (shown["status"], shown["status_reason"]) == ("Error", _NONE + reason)
                zun.delete(made)
    refused = operator.create(hints={"same_host": "web"})
    assert refused.status_code == 400


@pytest.mark.whole
def test_containers_are_spread(zun: Zun, operator: Zun) -> None:
    with zun.running() as one, zun.running() as other:
        assert host_of(operator, one) != host_of(operator, other)
