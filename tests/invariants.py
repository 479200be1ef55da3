"""What must hold in a world that has come to rest, whatever happened before."""

from __future__ import annotations

from collections import Counter

from tests.world import World
from zun.conductor.allowance import usage
from zun.domain import lifecycle
from zun.domain.action import OPEN, Action
from zun.domain.capsule import needs, phase
from zun.domain.container import Container
from zun.domain.event import Event, Kind, What
from zun.domain.host_image import Image
from zun.domain.lifecycle import EngineState, Status
from zun.domain.resources import NAMES
from zun.domain.sandbox import Sandbox

#: what a settled status says of the engine; Error says nothing, and Stopped may never have begun
SHOWN = {
    Status.CREATED: {EngineState.CREATED},
    Status.RUNNING: {EngineState.RUNNING},
    Status.PAUSED: {EngineState.PAUSED},
    Status.STOPPED: {EngineState.EXITED},
    Status.DEAD: {EngineState.DEAD},
}


def check(world: World) -> None:
    """Every invariant of a world at rest."""
    with world.store.read() as tx:
        containers, sandboxes, unfinished = tx.find(Container), tx.find(Sandbox), tx.find(Action, {"state": OPEN})
        placed = tx.total(Sandbox, NAMES, by="host")
        in_use = {project: usage(tx, project) for project in {container.project_id for container in containers}}
    assert not [(action.action, action.state, action.attempts) for action in unfinished], "an accepted action never ended"
    for container in containers:
        assert container.status not in (lifecycle.UNDER_WAY | {Status.RESTARTING, Status.UNKNOWN}), f"stuck: {container}"
        assert container.task_state is None, f"busy for ever: {container}"
    _engines(world, containers, sandboxes)
    _events(world, containers, sandboxes)
    _books(containers, sandboxes, placed, in_use)
    _cores(world, containers, sandboxes)
    for life in world.lives.values():
        assert not life.lanes.faults, life.lanes.faults


def _events(world: World, containers: list[Container], sandboxes: list[Sandbox]) -> None:
    """Who has followed the events knows what there is, and how it is."""
    with world.store.read() as tx:
        happened, images = tx.find(Event), tx.find(Image)
    for project in {event.project_id for event in happened}:
        numbers = [event.cursor for event in happened if event.project_id == project]
        assert numbers == list(range(1, len(numbers) + 1)), "events are out of order, or some are missing"
    # An action that failed gives its own reason.
    last = {event.resource_uuid: event for event in happened if event.what is not What.FAILED}
    known = {uuid: event for uuid, event in last.items() if event.what is not What.DELETED}
    there = {Kind.CONTAINER: containers, Kind.CAPSULE: [sandbox for sandbox in sandboxes if sandbox.capsule], Kind.IMAGE: images}
    for kind, rows in there.items():
        said = {uuid for uuid, event in known.items() if event.kind is kind}
        assert said == {row.uuid for row in rows}, f"what the events say is there is not what is there: {kind}"
    for capsule in there[Kind.CAPSULE]:
        shown = phase([container for container in containers if container.sandbox_uuid == capsule.uuid])
        assert (known[capsule.uuid].status, known[capsule.uuid].reason) == shown, capsule
    for image in images:
        assert (known[image.uuid].status, known[image.uuid].reason) == (image.status, image.status_reason), image
    for container in containers:
        event = known[container.uuid]
        told = (event.status, event.task_state, event.reason, event.exit_code, event.restart_count)
        assert told == (container.status, container.task_state, container.status_reason, container.exit_code, container.restart_count)


def _engines(world: World, containers: list[Container], sandboxes: list[Sandbox]) -> None:
    """No engine object without a row on that host, and every settled status is the engine's."""
    homes = {sandbox.uuid: sandbox.host for sandbox in sandboxes}
    known = {container.uuid: container for container in containers}
    for host, engine in world.engines.items():
        for thing in engine.things.values():
            assert homes.get(thing.sandbox_uuid) == host, f"nobody's, on {host}: {thing.spec}"
            assert thing.container_uuid is None or thing.container_uuid in known, f"nobody's, on {host}: {thing.spec}"
        for uuid, number in Counter(thing.spec.uuid for thing in engine.things.values()).items():
            assert number == 1, f"{uuid} is there {number} times"
    limits = {thing.spec.uuid: (thing.cpu, thing.memory) for engine in world.engines.values() for thing in engine.things.values()}
    for container in containers:
        made = (container.cpu, container.memory)
        assert limits.get(container.uuid, made) == made, f"the engine has other limits than the row: {container}"
        if container.status in SHOWN:
            assert container.host is not None, f"on no host: {container}"
            states = {thing.state for thing in world.engines[container.host].things.values() if thing.container_uuid == container.uuid}
            assert states == SHOWN[container.status], f"the engine shows {states} of {container}"
            assert container.engine_id in world.engines[container.host].things, container


def _books(containers: list[Container], sandboxes: list[Sandbox], placed: dict, in_use: dict) -> None:
    """The sums of quota and inventory are those of the rows, each sandbox has its container, and nothing is negative."""
    for sandbox in sandboxes:
        inside = [container for container in containers if container.sandbox_uuid == sandbox.uuid]
        assert inside, f"an empty sandbox: {sandbox}"
        for name in NAMES:
            assert round(getattr(needs(inside), name), 6) == round(getattr(sandbox, name), 6)
    for host, sums in placed.items():
        there = [sandbox for sandbox in sandboxes if sandbox.host == host]
        for name in NAMES:
            assert round(sums[name], 6) == round(sum(getattr(sandbox, name) for sandbox in there), 6) >= 0
    for project, quota in in_use.items():
        mine = [container for container in containers if container.project_id == project]
        assert quota.containers == len(mine)
        for name in ("cpu", "memory", "disk"):
            assert round(getattr(quota, name), 6) == round(sum(getattr(container, name) for container in mine), 6) >= 0


def _cores(world: World, containers: list[Container], sandboxes: list[Sandbox]) -> None:
    """Who asked for cores of his own has as many, nobody else has one of them, and every engine object runs where it may."""
    for sandbox in sandboxes:
        assert len(sandbox.cpuset) == len(set(sandbox.cpuset)) == (sandbox.pcpu if sandbox.host else 0), sandbox
    given = Counter((sandbox.host, core) for sandbox in sandboxes for core in sandbox.cpuset)
    assert not [core for core, number in given.items() if number > 1], "one core is in two sandboxes"
    homes = {sandbox.uuid: sandbox for sandbox in sandboxes}
    known = {container.uuid: container for container in containers}
    for host, engine in world.engines.items():
        cores = world.lives[host].cores if host in world.lives else None
        for thing in engine.things.values():
            if cores is None or thing.container_uuid is None:
                continue
            allowed = cores.of(known[thing.container_uuid], homes[thing.sandbox_uuid])
            assert set(thing.cpuset) == set(allowed), f"{thing.spec} is on {thing.cpuset}, and may be on {allowed}"
