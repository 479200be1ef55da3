"""Hosts chosen by where others are: a container beside another one, or apart from it, if they are of one project."""

import pytest
from msgspec.structs import replace

from tests.invariants import check
from tests.world import ME
from zun.domain.lifecycle import Status
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Rules

NOBODY = "00000000-0000-4000-8000-000000000000"
STRANGER = replace(ME, user_id="stranger", project_id="theirs")


@pytest.fixture
def cloud(make_world):
    return make_world(hosts=("one", "two", "three"))


def on(cloud, host, **asked):
    """A container on this host."""
    container = cloud.create(requested_host=host, **asked)
    assert container.host == host
    return container


def hinted(cloud, **hints):
    return cloud.create(hints=hints)


def test_beside_another_one(cloud):
    there = on(cloud, "two")
    assert [hinted(cloud, same_host=there.uuid).host for _ in range(3)] == ["two"] * 3
    check(cloud)


def test_beside_any_of_several(cloud):
    there = [on(cloud, "two"), on(cloud, "three")]
    assert {hinted(cloud, same_host=[one.uuid for one in there]).host for _ in range(4)} == {"two", "three"}


def test_apart_from_each_of_several(cloud):
    there = [on(cloud, "one").uuid, on(cloud, "three").uuid.upper()]
    assert [hinted(cloud, different_host=there).host for _ in range(3)] == ["two"] * 3


def test_beside_one_and_apart_from_another(cloud):
    beside, apart = on(cloud, "one"), on(cloud, "one")
    reason = hinted(cloud, same_host=beside.uuid, different_host=apart.uuid).status_reason
    assert reason == "There are not enough hosts available. The different_host filter left none of 1 that other filters had left of 3."


def test_every_replica_on_a_host_of_its_own_until_there_are_no_more(cloud):
    replicas = []
    for _ in range(4):
        replicas.append(hinted(cloud, different_host=[one.uuid for one in replicas]))
    assert {one.host for one in replicas[:3]} == {"one", "two", "three"}
    assert replicas[3].status is Status.ERROR
    assert replicas[3].status_reason == "There are not enough hosts available. The different_host filter left none of 3."


def test_beside_a_capsule_or_one_of_its_containers(cloud):
    (member,) = cloud.create_capsule({}, requested_host="three")
    assert hinted(cloud, same_host=member.sandbox_uuid).host == "three"
    assert hinted(cloud, same_host=member.uuid).host == "three"
    assert hinted(cloud, different_host=[member.uuid]).host != "three"


def test_who_is_unknown_is_nowhere(cloud):
    assert hinted(cloud, different_host=NOBODY).status is Status.RUNNING
    alone = hinted(cloud, same_host=NOBODY)
    assert alone.status_reason == "There are not enough hosts available. The same_host filter left none of 3."
    assert hinted(cloud, same_host=[NOBODY, on(cloud, "two").uuid]).host == "two"


def test_who_is_somebody_elses_is_as_good_as_unknown(cloud):
    theirs = on(cloud, "one", caller=STRANGER)
    assert "same_host filter" in hinted(cloud, same_host=theirs.uuid).status_reason
    # all hosts but one are full of ours: were it apart from theirs, there would be none
    assert cloud.create(requested_host="one", hints={"different_host": theirs.uuid}).host == "one"


def test_the_sandbox_of_a_container_that_is_no_capsule_is_nobodys_to_name(cloud):
    assert "same_host filter" in hinted(cloud, same_host=on(cloud, "one").sandbox_uuid).status_reason


def test_who_has_no_host_is_nowhere(cloud):
    lost = cloud.create(availability_zone="mars")
    assert "same_host filter" in hinted(cloud, same_host=lost.uuid).status_reason
    assert hinted(cloud, different_host=lost.uuid).status is Status.RUNNING


def test_who_was_asked_for_first_is_placed_first(cloud):
    first = cloud.create(settle=False)
    beside, apart = (cloud.create(settle=False, hints={name: first.uuid}) for name in ("same_host", "different_host"))
    cloud.settle()
    first, beside, apart = (cloud.container(one.uuid) for one in (first, beside, apart))
    assert beside.host == first.host != apart.host


def test_an_image_for_other_processors_than_any_host_has(cloud):
    reason = hinted(cloud, architecture="aarch64").status_reason
    assert reason == "There are not enough hosts available. The image architecture filter left none of 3."
    assert hinted(cloud, architecture=["x86_64", "i686"]).status is Status.RUNNING


def test_hints_that_were_stored_before_they_had_a_form_do_no_harm(cloud):
    waiting = cloud.create(settle=False)
    with cloud.store.write() as tx:
        tx.save(replace(tx.get(Sandbox, waiting.sandbox_uuid), hints={"different_host": {"a": [1]}, "group": []}))
    cloud.settle()
    assert cloud.container(waiting.uuid).status is Status.RUNNING


def test_containers_are_spread_over_hosts_that_have_the_same(cloud):
    hosts = [cloud.create().host for _ in range(6)]
    assert sorted(hosts) == sorted(["one", "two", "three"] * 2)


def test_containers_are_packed_where_the_operator_says_so(make_world):
    cloud = make_world(hosts=("one", "two"), rules=Rules(weights={"ram": -1.0, "cpu": -1.0, "sandbox": -1.0}))
    assert len({cloud.create().host for _ in range(4)}) == 1
