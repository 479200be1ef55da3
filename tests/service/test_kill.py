"""SIGKILL of the whole service at every step, then a restart: what was accepted is done, and nothing is left that no row knows."""

import pytest

from zun.compute.verbs import SAGAS


def points(verb):
    return [f"{step.name}:{moment}" for step in SAGAS[verb] for moment in ("before", "after")]


@pytest.fixture
def aio(mortal):
    return mortal


@pytest.mark.parametrize("point", points("create"))
def test_a_create_outlives_the_service(aio, point):
    aio.die_at(point)
    uuid = aio.create()
    aio.wait_for_death()
    aio.start()
    aio.wait(uuid, "Running")
    aio.assert_nothing_leaked()


@pytest.mark.parametrize("point", points("stop"))
def test_a_stop_outlives_the_service(aio, point):
    uuid = aio.create()
    aio.wait(uuid, "Running")
    aio.die_at(point)
    assert aio.post(f"/containers/{uuid}/stop", params={"timeout": 0}).status_code == 202
    aio.wait_for_death()
    aio.start()
    aio.wait(uuid, "Stopped")
    aio.assert_nothing_leaked()


@pytest.mark.parametrize("point", points("delete"))
def test_a_deletion_outlives_the_service(aio, point):
    uuid = aio.create()
    aio.wait(uuid, "Running")
    aio.die_at(point)
    assert aio.post(f"/containers/{uuid}/kill").status_code == 202
    aio.wait(uuid, "Stopped")
    assert aio.delete(f"/containers/{uuid}").status_code == 204
    aio.wait_for_death()
    aio.start()
    aio.wait_gone(uuid)
    aio.assert_nothing_leaked()


def test_a_create_that_must_fail_fails_after_the_restart_too_and_leaves_nothing(aio):
    aio.die_at("start_container:before")
    uuid = aio.create("no-such-program")
    aio.wait_for_death()
    aio.start()
    assert "no-such-program" in aio.wait(uuid, "Error")["status_reason"]
    aio.assert_nothing_leaked()


def test_what_was_accepted_and_not_begun_is_done_after_a_restart(aio):
    uuids = [aio.create() for _ in range(6)]
    aio.kill()
    aio.start()
    for uuid in uuids:
        aio.wait(uuid, "Running")
    aio.assert_nothing_leaked()
