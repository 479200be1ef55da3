"""Whatever happens, in whatever order: random wishes, deaths, restarts and losses, and what must hold nevertheless.

The agents are driven without threads and the clock by hand, so a failure can be replayed. By default the same examples are tried every
time; ZUN_EXAMPLES=1000 tries as many new ones.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.hands import Killed
from tests.invariants import check
from tests.moves import Recorder, legal
from tests.world import DOWN_TIME, ME, World
from zun import errors
from zun.compute.cores import Cores
from zun.domain.lifecycle import EngineState, Status
from zun.drivers.runtime.fake import FakeRuntime
from zun.drivers.runtime.fake_engine import ALIVE, Program

EXAMPLES = int(os.environ.get("ZUN_EXAMPLES", "0"))

VERBS = ("start", "stop", "reboot", "kill", "pause", "unpause", "rebuild")
POLICIES = ({}, {"Name": "no"}, {"Name": "always"}, {"Name": "on-failure", "MaximumRetryCount": "2"})
CALLS = ("hello", "heartbeat", "claim", "finish", "observe", "unknown")
DISTURBANCES = ("unheard", "unanswered", "twice")
ENGINE_CALLS = (
    "inspect",
    "start",
    "stop",
    "ensure_sandbox",
    "ensure_container",
    "remove",
    "remove_sandbox",
    "scan",
    "pause",
    "kill",
    "update",
    "execute",
)
#: refusals that a client may meet; anything else is a fault of ours
REFUSALS = (
    errors.InvalidStateException,
    errors.ContainerNotFound,
    errors.OverQuota,
    errors.InsufficientCapacity,
    errors.HostNotUp,
    errors.InCapsule,
    errors.LastOfCapsule,
    errors.CapsuleNotFound,
    errors.NotOffered,
    errors.HostDraining,
    errors.InvalidValue,
    errors.CoresNotSettled,
)
#: asked often enough to matter, and so seldom that a world with it comes to rest
PROBES = {
    "startup": {"period": 100, "failure_threshold": 2, "exec": ["up"]},
    "liveness": {"period": 100, "failure_threshold": 1, "exec": ["alive"]},
    "readiness": {"period": 100, "failure_threshold": 1, "tcp": {"port": 9}},
}
#: of four cores two are given away
CORES = Cores(dedicated=[1, 2], shared=[0, 3], online=[0, 1, 2, 3])
AWAY = (errors.ServiceUnavailable, errors.LimitsRefused, errors.NoSuchObject, errors.NotRunning)

which = st.integers(0, 3)
seldom = st.sampled_from([False, False, False, True])
#: how far everybody gets with what was just asked for
turns = st.integers(0, 3)


class Cloud(RuleBasedStateMachine):
    """One host, a few containers, and bad luck."""

    @initialize(seed=st.integers(0, 1000), policies=st.lists(st.sampled_from(POLICIES), max_size=2), heal=st.booleans())
    def begin(self, seed, policies, heal):
        self.folder = Path(tempfile.mkdtemp(prefix="zun-life-"))
        self.recorder = Recorder()
        self.world = World(self.folder, chance=random.Random(seed), wrap=self.recorder.wrap, cores={"one": CORES})
        self.engine = self.world.engines["one"]
        self.uuids = [self.world.create(restart_policy=policy, auto_heal=heal).uuid for policy in policies]

    def teardown(self):
        if hasattr(self, "world"):
            try:
                self.rest()
            finally:
                self.world.stop()
                shutil.rmtree(self.folder)

    # -- what users wish -------------------------------------------------------------------------

    @precondition(lambda self: len(self.uuids) < 4)
    @rule(
        run=st.booleans(),
        policy=st.sampled_from(POLICIES),
        remove=st.booleans(),
        heal=st.booleans(),
        image=st.sampled_from(["busybox"] * 4 + ["no"]),
        own=st.sampled_from([0, 0, 1.0, 2.0]),
        turns=turns,
    )
    def create(self, run, policy, remove, heal, image, own, turns):
        plain = policy.get("Name", "no") == "no"
        asked = {"restart_policy": policy, "auto_remove": remove and plain, "auto_heal": heal, "image": image}
        asked |= {"cpu_policy": "dedicated", "cpu": own} if own else {}
        self.uuids.append(self.world.create(run=run, settle=False, **asked).uuid)
        self._turn(turns)

    @precondition(lambda self: len(self.uuids) < 4)
    @rule(policy=st.sampled_from(POLICIES), init=st.booleans(), turns=turns)
    def create_capsule(self, policy, init, turns):
        first = {"init": init, "restart_policy": policy}
        self.uuids += [one.uuid for one in self.world.create_capsule(first, {"restart_policy": policy}, settle=False)]
        self._turn(turns)

    @precondition(lambda self: len(self.uuids) < 4)
    @rule(policy=st.sampled_from(POLICIES), turns=turns)
    def create_probed(self, policy, turns):
        probed = {"restart_policy": policy, "probes": PROBES}
        self.uuids += [one.uuid for one in self.world.create_capsule(probed, settle=False)]
        self._turn(turns)

    @rule(command=st.sampled_from(["up", "alive"]), answer=st.sampled_from([0, 0, 1, None]))
    def probes_are_answered(self, command, answer):
        self.engine.programs[(command,)] = Program(ends=answer)

    @precondition(lambda self: self.uuids)
    @rule(which=which, turns=turns)
    def delete_capsule(self, which, turns):
        self._wish(which, lambda container: self.world.verbs.delete_capsule(ME, self.world.sandbox(container)))
        self._turn(turns)

    @precondition(lambda self: self.uuids)
    @rule(which=which, leaves=st.booleans(), turns=turns)
    def one_joins_or_leaves(self, which, leaves, turns):
        def wish(container):
            sandbox = self.world.sandbox(container)
            if leaves:
                self.world.verbs.remove_container(ME, sandbox, container)
            else:
                self.uuids.append(self.world.accept.add_container(ME, sandbox, {"image": "busybox", "cpu": 0.1, "memory": 16}).uuid)

        self._wish(which, wish)
        self._turn(turns)

    @precondition(lambda self: self.uuids)
    @rule(which=which, verb=st.sampled_from(VERBS), turns=turns)
    def verb(self, which, verb, turns):
        self._wish(which, lambda container: self.world.verbs.accept(ME, container, verb, {}))
        self._turn(turns)

    @precondition(lambda self: self.uuids)
    @rule(which=which, force=st.booleans(), stop=st.booleans(), turns=turns)
    def delete(self, which, force, stop, turns):
        self._wish(which, lambda container: self.world.verbs.delete(ME, container, force=force, stop=stop))
        self._turn(turns)

    @precondition(lambda self: self.uuids)
    @rule(which=which, cpu=st.sampled_from([0.1, 1.0, 2.0, 4.0, 100.0]), memory=st.sampled_from([16, 64, 4000]))
    def update(self, which, cpu, memory):
        self._wish(which, lambda container: self.world.verbs.update(ME, container, {"cpu": cpu, "memory": memory}), allowed=AWAY)

    @precondition(lambda self: self.uuids)
    @rule(which=which, cpu=st.sampled_from([0.3, 1.0, 2.0, 100.0]), memory=st.sampled_from([32, 128]), turns=turns)
    def resize(self, which, cpu, memory, turns):
        self._wish(which, lambda container: self.world.verbs.resize(ME, container, {"cpu": cpu, "memory": memory}))
        self._turn(turns)

    def _wish(self, which, ask, allowed=()):
        uuid = self.uuids[which % len(self.uuids)]
        before = self.world.container(uuid)
        if before is None:
            return
        try:
            ask(before)
        except REFUSALS:
            assert self.world.container(uuid) == before, "a refusal has written something"
        except allowed:
            pass

    # -- what happens to containers and their engine -----------------------------------------------

    @precondition(lambda self: self.uuids)
    @rule(which=which, code=st.sampled_from([0, 1, 137]), missed=st.booleans())
    def dies(self, which, code, missed):
        self.dies_of(self.uuids[which % len(self.uuids)], code)
        if missed:
            self._miss_news()

    def dies_of(self, uuid, code):
        if any(thing.spec.uuid == uuid and thing.state in ALIVE for thing in self.engine.things.values()):
            self.engine.die(uuid, code)

    @precondition(lambda self: self.uuids)
    @rule(which=which, missed=st.booleans())
    def is_lost(self, which, missed):
        self.engine.lose(self.uuids[which % len(self.uuids)])
        if missed:
            self._miss_news()

    @precondition(lambda self: self.uuids)
    @rule(which=which, lost=seldom)
    def sandbox_dies(self, which, lost):
        container = self.world.container(self.uuids[which % len(self.uuids)])
        for thing in list(self.engine.things.values()):
            if container and thing.spec.uuid == container.sandbox_uuid and thing.state is EngineState.RUNNING:
                self.engine.lose(thing.spec.uuid) if lost else self.engine.die(thing.spec.uuid, 1)

    @precondition(lambda self: self.uuids)
    @rule(which=which, verb=st.sampled_from(["pause", "unpause", "start", "stop"]))
    def somebody_meddles(self, which, verb):
        with contextlib.suppress(errors.ZunError):
            getattr(FakeRuntime(self.engine), verb)(self.uuids[which % len(self.uuids)])

    @rule(containers_end=st.booleans(), turns=turns, stays=seldom)
    def engine_stops(self, containers_end, turns, stays):
        self.engine.stop(containers_end=containers_end)
        self._turn(turns)
        if not stays:
            self.engine.start()

    @rule(call=st.sampled_from(ENGINE_CALLS), after=st.booleans(), away=st.booleans())
    def engine_call_fails(self, call, after, away):
        error = errors.EngineUnavailable(reason="reset by peer") if away else errors.EngineError(reason="no")
        self.engine.fail(call, error, after=after)

    def _miss_news(self):
        for life in self.world.lives.values():
            life.runtime.miss_news()

    # -- what happens to us ------------------------------------------------------------------------

    @rule(turns=turns)
    def agent_restarts(self, turns):
        if "one" in self.world.lives:
            self.world.kill()
        self.world.begin()
        self._turn(turns)

    @rule(stays=seldom)
    def agent_dies_while_the_engine_goes_on(self, stays):
        if "one" in self.world.lives:
            self.world.kill()
        for uuid in self.uuids[:1]:
            self.dies_of(uuid, 1)
        if not stays:
            self.world.begin()

    @precondition(lambda self: self.uuids)
    @rule(steps=st.integers(1, 8), death=st.booleans(), which=which, verb=st.sampled_from(VERBS), turns=turns)
    def something_breaks_in_the_middle_of_work(self, steps, death, which, verb, turns):
        left = [steps]  # of the fault points that are reached before it breaks

        def fault(point):
            left[0] -= 1
            if left[0] == 0:
                raise Killed if death else errors.EngineError(reason=f"ordered at {point}")

        self.world.fault = fault
        self.verb(which, verb, turns)

    @rule()
    def conductor_restarts(self):
        self.world.begin_conductor()

    @rule(mute=seldom)
    def pokes_are_lost(self, mute):
        self.world.mute = mute

    @rule(call=st.sampled_from(CALLS), how=st.sampled_from(DISTURBANCES))
    def a_message_is_disturbed(self, call, how):
        for life in self.world.lives.values():
            life.wire.disturb(call, how)

    # -- time --------------------------------------------------------------------------------------

    @rule()
    def placer(self):
        self.world.place.run()

    @rule(pulse=st.sampled_from(["agent-claims", "agent-heartbeat", "agent-scan", "agent-events", "outbox"]))
    def pulse(self, pulse):
        for life in self.world.lives.values():
            life.beat(pulse)

    @rule(tasks=st.integers(1, 3))
    def lanes(self, tasks):
        for life in list(self.world.lives.values()):
            try:
                for _ in range(tasks):
                    life.lanes.run_one()
            except Killed:
                self.world.restart()

    @rule(turns=st.integers(1, 4))
    def everybody_works(self, turns):
        self._turn(turns)

    def _turn(self, turns):
        for _ in range(turns):
            self.world.turn()

    @rule(seconds=st.sampled_from([1, 10, DOWN_TIME + 1]), heard=st.booleans())
    def time_passes(self, seconds, heard):
        self.world.clock.pass_time(seconds)
        if heard:
            self.world.heartbeats()
        self.world.sweep.run()

    @rule(seconds=st.sampled_from([-3600, -1, 3600]))
    def clock_is_set(self, seconds):
        self.world.clock.step(seconds)

    @invariant()
    def nobody_is_on_the_cores_of_another(self):
        """At any moment: of containers that are known, whatever else is left in the engine."""
        users = {}
        for thing in self.engine.things.values() if hasattr(self, "engine") else ():
            assert set(thing.cpuset) <= set(CORES.shared) or not set(thing.cpuset) & set(CORES.shared)
            for core in set(thing.cpuset) & set(CORES.dedicated):
                users.setdefault(core, set()).add(thing.container_uuid)
        if any(len(who) > 1 for who in users.values()):
            known = {container.uuid for container in self.world.containers()}
            assert not [core for core, who in users.items() if len(who & known) > 1], f"cores of two containers: {users}"

    @rule()
    def rest(self):
        """The dust settles; then everything must hold."""
        world = self.world
        world.fault, world.mute = (lambda point: None), False
        self.engine.start()
        self.engine.forgive()
        for command in ("up", "alive"):
            self.engine.programs[(command,)] = Program(ends=0)
        if "one" not in world.lives:
            world.begin()
        for life in world.lives.values():
            life.wire.calm()
        world.settle()
        world.heartbeats()
        world.scans()
        check(world)
        illegal = self.recorder.moves - legal()
        assert not illegal, f"moves that no table knows: {illegal}"
        assert not self.recorder.backwards, "an incarnation has decreased"
        self.uuids = [uuid for uuid in self.uuids if world.container(uuid) is not None]
        for container in world.containers():
            assert container.status is not Status.DELETING


Cloud.TestCase.settings = settings(
    max_examples=EXAMPLES or 150,
    stateful_step_count=40,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestLife = Cloud.TestCase
