"""How long work waits for an engine that does not answer."""

import pytest

from tests.life import PACE
from zun import errors
from zun.domain.lifecycle import Status

AWAY = errors.EngineUnavailable(reason="Connection refused")


@pytest.mark.parametrize(("tries", "status"), [(3, Status.RUNNING), (1000, Status.ERROR)])
def test_the_wait_begins_when_the_engine_goes_not_when_the_work_began(world, tries, status):
    """A pull may take long by itself."""
    world.engines["one"].fail("ensure_container", AWAY, times=tries)
    slow = iter([PACE.engine_wait + 1])
    world.fault = lambda point: world.clock.pass_time(next(slow, 0)) if point == "pull_image:after" else None
    container = world.create()
    assert world.container(container.uuid).status is status
