"""The same bad luck on a host that is drained and enabled now and then: once all is quiet nothing runs on it, and its restarts end."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule

from tests.conductor.draining import Operator
from tests.properties.test_life import EXAMPLES, Cloud, turns
from zun.domain.drain import LIVING
from zun.domain.host import COMPUTE, DrainState
from zun.drivers.runtime.fake_engine import ALIVE


class DrainedCloud(Cloud):
    """One host that an operator drains and enables."""

    @property
    def operator(self):
        return Operator(self.world)

    @rule(timeout=st.sampled_from([0, 600]), turns=turns)
    def drain(self, timeout, turns):
        self.operator.drain(timeout=timeout, settle=False)
        self._turn(turns)

    @rule(restart=st.booleans(), turns=turns)
    def enable(self, restart, turns):
        self.operator.admin.enable("one", COMPUTE, restart=restart)
        self._turn(turns)

    @rule()
    def round(self):
        self.operator.drains.run()

    @rule()
    def rest(self):
        """The dust settles, and rounds are made as the service makes them; then a drain has done what it is for."""
        super().rest()
        for _ in range(3):
            self.operator.sweep()
        super().rest()
        service, containers = self.operator.service(), self.world.containers()
        if service.drain_state is None:
            return
        assert service.drain_state is DrainState.DRAINING, "what was stopped is not started for ever"
        assert self.operator.left() == 0
        assert not [container for container in containers if container.host == "one" and container.status in LIVING]
        running = {thing.container_uuid for thing in self.engine.things.values() if thing.state in ALIVE} - {None}
        assert not running, f"it runs on a drained host: {[one for one in containers if one.uuid in running]}"


DrainedCloud.TestCase.settings = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestDrain = DrainedCloud.TestCase
