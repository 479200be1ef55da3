"""What a container's health check says is told when it changes, and forgotten with the life that it spoke of."""

from tests.invariants import check
from zun.domain.container import status_detail
from zun.domain.lifecycle import Health, Status

CHECK = {"test": "test -e /ready", "interval": 1}


def detail(world, container):
    return status_detail(world.container(container.uuid), world.clock.now)


def test_the_words_of_a_check_are_shown_as_they_change(world):
    container = world.create(healthcheck=CHECK)
    assert container.health is Health.STARTING
    assert detail(world, container).endswith(" (health: starting)")
    for health, words in ((Health.HEALTHY, " (healthy)"), (Health.UNHEALTHY, " (unhealthy)")):
        world.engines["one"].feel(container.uuid, health)
        world.settle()
        assert world.container(container.uuid).health is health
        assert detail(world, container).endswith(words)
    assert world.container(container.uuid).incarnation == 1, "it is no other life"
    check(world)


def test_what_was_not_heard_is_seen_by_the_scan(world):
    container = world.create(healthcheck=CHECK)
    world.engines["one"].feel(container.uuid, Health.HEALTHY)
    world.lives["one"].runtime.miss_news()
    world.scans()
    assert world.container(container.uuid).health is Health.HEALTHY


def test_a_check_that_says_the_same_again_causes_no_look(world):
    container = world.create(healthcheck={"test": "true"})
    world.scans()
    looks = world.engines["one"].calls.count(("inspect", container.uuid))
    world.engines["one"].feel(container.uuid, Health.HEALTHY)
    world.settle()
    world.scans()
    assert world.engines["one"].calls.count(("inspect", container.uuid)) == looks


def test_what_does_not_run_has_no_health(world):
    container = world.create(healthcheck={"test": "true"})
    assert container.health is Health.HEALTHY
    stopped = world.do("stop", container)
    assert (stopped.status, stopped.health) == (Status.STOPPED, None)
    world.engines["one"].lose(container.uuid)
    world.scans()
    assert world.container(container.uuid).health is None


def test_without_a_check_there_is_none(world):
    container = world.create()
    assert container.health is None
    assert "health" not in detail(world, container)
