"""Verbs on a living container: accepted by its status, done later; or answered by its host while the caller waits."""

import pytest
from msgspec.structs import replace

from tests.invariants import check
from tests.world import DOWN_TIME, ME
from zun import errors
from zun.conductor.accept import Defaults
from zun.domain.action import ActionState
from zun.domain.host import Service
from zun.domain.lifecycle import Desired, Status, Task
from zun.domain.quota import Quota
from zun.drivers.runtime.fake_engine import Program

LOOKS = {"stdout": True, "stderr": True, "timestamps": False, "tail": None, "since": None}


# --- accepted now, done later ----------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["unpause", "start"])
def test_a_verb_out_of_place_is_a_conflict_and_writes_nothing(world, verb):
    container = world.create()
    before = (world.rows(), world.container(container.uuid))
    with pytest.raises(errors.InvalidStateException, match=f"Cannot {verb} container {container.uuid} in Running state"):
        world.do(verb, container)
    assert (world.rows(), world.container(container.uuid)) == before


def test_a_deletion_out_of_place_calls_itself_delete(world):
    container = world.create()
    with pytest.raises(errors.InvalidStateException, match="Cannot delete container"):
        world.delete(container)


def test_a_verb_on_what_is_gone_is_a_404(world):
    container = world.create()
    world.delete(container, stop=True)
    with pytest.raises(errors.ContainerNotFound):
        world.verbs.accept(ME, container, "stop", {})


def test_only_what_is_stored_decides_not_what_the_caller_has_read(world):
    container = world.create()
    world.do("stop", container)
    with pytest.raises(errors.InvalidStateException):
        world.verbs.accept(ME, container, "pause", {})


def test_a_refused_rebuild_leaves_the_revision_alone(world):
    container = world.do("pause", world.create())
    with pytest.raises(errors.InvalidStateException):
        world.do("rebuild", container)
    assert world.container(container.uuid).revision == 0


def test_verbs_are_done_in_the_order_in_which_they_were_accepted(world):
    container = world.create()
    for verb in ("stop", "kill", "pause"):
        world.do(verb, container, settle=False)
    world.settle()
    assert [action.action for action in world.actions(container)] == ["create", "stop", "kill", "pause"]
    assert [action.message for action in world.actions(container)] == [None, None, "Error", "Error"]
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


@pytest.mark.parametrize("fails", [False, True])
def test_a_verb_that_ends_before_a_rebuild_does_not_hide_it(world, fails):
    container = world.create()
    if fails:
        world.engines["one"].fail("kill", errors.EngineError(reason="no"))
    world.do("kill", container, settle=False)
    world.do("rebuild", container, settle=False)
    shown = set()
    world.fault = lambda point: shown.add(world.container(container.uuid).status) if point.startswith("remove_old") else None
    world.settle()
    assert shown == {Status.REBUILDING}
    assert world.container(container.uuid).status is Status.CREATED, "it was to stay ended"
    check(world)


@pytest.mark.parametrize(
    ("signal", "desired"),
    [(None, Desired.STOPPED), ("KILL", Desired.STOPPED), ("TERM", Desired.STOPPED), ("HUP", Desired.RUNNING), ("USR1", Desired.RUNNING)],
)
def test_a_signal_that_ends_is_a_wish_that_it_stays_ended(world, signal, desired):
    container = world.do("kill", world.create(), settle=False, **({"signal": signal} if signal else {}))
    assert container.desired is desired


def test_a_signal_that_a_container_survives_leaves_it_running(world):
    world.engines["one"].programs[("deaf",)] = Program(heeds_term=None)
    container = world.do("kill", world.create(command=["deaf"]), signal="HUP")
    assert container.status is Status.RUNNING
    check(world)


# --- delete -----------------------------------------------------------------------------------------


def test_without_a_host_a_deletion_is_done_at_once(world):
    container = world.create(image="nosuch")
    assert container.host is None
    assert world.delete(container, settle=False) is None
    assert not any(world.rows().values())


def test_a_container_that_waits_for_a_host_can_be_deleted_by_force(world):
    container = world.create(settle=False)
    world.delete(container, force=True, settle=False)
    assert not any(world.rows().values())
    world.settle()
    assert not world.engines["one"].things


def test_a_deletion_overtakes_what_is_queued(world):
    container = world.create()
    world.mute = True
    for verb in ("stop", "pause"):
        world.do(verb, container, settle=False)
    world.delete(container, stop=True, settle=False)
    queued = [(action.action, action.state, action.message) for action in world.actions(container)][1:]
    assert queued == [
        ("stop", ActionState.DONE, "Error"),
        ("pause", ActionState.DONE, "Error"),
        ("delete", ActionState.QUEUED, None),
    ]
    world.mute = False
    world.settle()
    assert world.container(container.uuid) is None
    assert ("pause", container.uuid) not in world.engines["one"].calls
    check(world)


def test_a_deletion_cancels_what_a_host_has_in_hand(world):
    container = world.create(settle=False)

    def meanwhile(point):
        if point == "ensure_sandbox:after":
            world.delete(container, force=True, settle=False)
            world.lives["one"].beat("agent-claims")

    world.fault = meanwhile
    world.settle()
    assert world.container(container.uuid) is None
    assert ("ensure_container", container.uuid) not in world.engines["one"].calls, "the rest of the creation was given up"
    check(world)
    assert not world.engines["one"].things


def test_a_second_deletion_does_not_disturb_the_first(world):
    container = world.create()
    shown = []

    def meanwhile(point):
        if point == "stop_container:after":
            world.delete(container, force=True, settle=False)
            world.lives["one"].beat("agent-claims")
        shown.append(world.container(container.uuid).status)

    world.fault = meanwhile
    world.delete(container, stop=True)
    assert world.container(container.uuid) is None
    assert set(shown) == {Status.DELETING}
    check(world)


def test_a_deletion_that_fails_is_an_error_and_can_be_asked_for_again(world):
    container = world.do("stop", world.create())
    world.engines["one"].fail("remove", errors.EngineError(reason="device or resource busy"))
    container = world.delete(container)
    assert (container.status, container.status_reason) == (Status.ERROR, "The container engine refused: device or resource busy")
    assert world.delete(container) is None
    check(world)


def test_a_deletion_by_force_forgets_what_the_engine_will_not_remove_and_the_scan_removes_it_later(world):
    container = world.create()
    world.engines["one"].fail("remove", errors.EngineError(reason="busy"), times=2)
    world.engines["one"].fail("remove_sandbox", errors.EngineError(reason="busy"), times=1)
    assert world.delete(container, force=True) is None
    assert world.engines["one"].things
    world.scans()
    assert not world.engines["one"].things


def test_deleting_shows_its_task(world):
    container = world.delete(world.create(), stop=True, settle=False) or None
    assert (container.status, container.task_state) == (Status.DELETING, Task.DELETING)


# --- update -----------------------------------------------------------------------------------------


def test_new_limits_are_claimed_and_set(world):
    container = world.create(cpu=0.5, memory=64)
    changed = world.verbs.update(ME, container, {"name": "new", "cpu": 1.0, "memory": 128, "auto_heal": None})
    assert (changed.name, changed.cpu, changed.memory) == ("new", 1.0, 128)
    assert (world.sandbox(container).cpu, world.sandbox(container).memory) == (1.0, 128)
    made = next(thing for thing in world.engines["one"].things.values() if thing.container_uuid == container.uuid)
    assert (made.cpu, made.memory) == (1.0, 128)
    check(world)


@pytest.mark.parametrize("error", [errors.EngineError(reason="no"), errors.EngineUnavailable(reason="gone")], ids=["refused", "away"])
def test_limits_that_the_host_does_not_set_are_given_back(world, error):
    container = world.create(cpu=0.5, memory=64)
    world.engines["one"].fail("update", error)
    with pytest.raises((errors.LimitsRefused, errors.EngineUnavailable)):
        world.verbs.update(ME, container, {"name": "new", "cpu": 1.0, "memory": 32})
    world.settle()
    assert (world.container(container.uuid).cpu, world.container(container.uuid).memory) == (0.5, 64)
    check(world)


def test_giving_back_leaves_what_somebody_else_has_changed_since(world):
    container = world.create(cpu=0.5, memory=64)

    class Meanwhile:
        """A host whose refusal takes so long that another update comes in between."""

        def __init__(self, real):
            self.real, self.first = real, True

        def on(self, host):
            return self

        def look(self):
            pass

        def update(self, uuid, *asked):
            if not self.first:
                return self.real.on("one").update(uuid, *asked)
            self.first = False
            world.verbs.update(ME, container, {"memory": 100})
            raise errors.EngineError(reason="no")

    world.agents = Meanwhile(world.agents)
    world.begin_conductor()
    with pytest.raises(errors.LimitsRefused):
        world.verbs.update(ME, container, {"cpu": 1.0, "memory": 96})
    assert (world.container(container.uuid).cpu, world.container(container.uuid).memory) == (0.5, 100)
    world.settle()
    check(world)


def test_an_update_beyond_quota_or_room_changes_nothing(make_world):
    world = make_world(defaults=Defaults(quota=Quota(containers=9, cpu=3, memory=9000, disk=9)))
    container = world.create(cpu=0.5, memory=64)
    before = world.container(container.uuid)
    with pytest.raises(errors.OverQuota):
        world.verbs.update(ME, container, {"cpu": 3.1})
    with pytest.raises(errors.InsufficientCapacity):
        world.verbs.update(ME, container, {"memory": 8000})
    assert world.container(container.uuid) == before
    check(world)


def test_a_new_name_meets_the_scope_of_names(make_world):
    world = make_world(defaults=Defaults(unique_name_scope="project"))
    world.create(name="taken")
    container = world.create(name="mine")
    with pytest.raises(errors.NameInUse):
        world.verbs.update(ME, container, {"name": "TAKEN"})
    assert world.verbs.update(ME, container, {"name": "Mine"}).name == "Mine"


def test_an_update_in_the_wrong_state_is_a_conflict(world):
    container = world.create(image="nosuch")
    with pytest.raises(errors.InvalidStateException, match="Cannot update"):
        world.verbs.update(ME, container, {"cpu": 1.0})


# --- answered at once -------------------------------------------------------------------------------


def test_questions_are_answered_by_the_host(world):
    world.engines["one"].programs[("hello",)] = Program(writes=((1, b"hello\n"),), ends=0)
    world.engines["one"].programs[("serve",)] = Program(writes=((1, b"serving\n"),))
    container = world.create(command=["serve"])
    assert world.verbs.logs(container, **LOOKS) == b"serving\n"
    assert world.verbs.execute(container, ["hello"]).output == b"hello\n"
    assert world.verbs.top(container, None).processes
    assert world.verbs.stats(container).memory_limit == 16 << 20


@pytest.mark.parametrize("question", ["execute", "top", "stats"])
def test_questions_to_what_does_not_run_are_conflicts(world, question):
    container = world.do("stop", world.create())
    arguments = {"execute": (["true"],), "top": (None,), "stats": ()}[question]
    with pytest.raises(errors.InvalidStateException, match=f"Cannot {question}"):
        getattr(world.verbs, question)(container, *arguments)


def test_a_container_that_never_reached_a_host_has_no_log(world):
    assert world.verbs.logs(world.create(image="nosuch"), **LOOKS) == b""


def test_a_host_that_is_not_up_is_a_conflict_that_names_it(world):
    container = world.create()
    world.clock.pass_time(DOWN_TIME + 1)
    with pytest.raises(errors.HostNotUp, match="Host one is not up, so it cannot execute"):
        world.verbs.execute(container, ["true"])
    assert errors.HostNotUp.status == 409


def test_an_operator_may_say_that_a_host_is_down(world):
    container = world.create()
    with world.store.write() as tx:
        service = tx.find(Service)[0]
        tx.save(replace(service, forced_down=True))
    with pytest.raises(errors.HostNotUp):
        world.verbs.top(container, None)


def test_an_agent_that_does_not_answer_is_a_503(world):
    container = world.create()
    world.kill("one")
    with pytest.raises(errors.RpcUnavailable):
        world.verbs.stats(container)
    assert errors.RpcUnavailable.status == 503
