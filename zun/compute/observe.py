"""Seeing: events for speed, scans for truth, one function for both. And what follows at once, without any control plane: restarts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from zun import errors
from zun.compute import book
from zun.compute.book import Book, Entry
from zun.compute.cores import Cores, keep
from zun.compute.create import sandbox_spec
from zun.compute.lanes import Lanes
from zun.compute.outbox import Outbox
from zun.domain import restart
from zun.domain.lifecycle import Desired, EngineState, Observation
from zun.domain.sandbox import Sandbox, device_of
from zun.interfaces.network import Network
from zun.interfaces.rpc import Conductor, SandboxFacts
from zun.interfaces.runtime import ContainerState, EngineEvent, Runtime, SandboxState, Seen
from zun.interfaces.volumes import Volumes

LOG = logging.getLogger(__name__)

#: Seconds that a container that begins again waits for its network: nobody can give up this wait, its deletion neither.
PATIENCE = 60.0


class Watch:
    """Looks at the containers in the agent's charge, tells what it sees, and restarts those whose policy says so."""

    def __init__(
        self,
        runtime: Runtime,
        conductor: Conductor,
        *,
        host: str,
        known: Book,
        lanes: Lanes,
        outbox: Outbox,
        network: Network,
        volumes: Volumes,
        remount: bool = True,
        cores: Cores | None = None,
        notice: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        """``notice`` is called with every container that was looked at, in its sandbox's lane."""
        self._runtime = runtime
        self._conductor = conductor
        self._host = host
        self._book = known
        self._lanes = lanes
        self._outbox = outbox
        self._network = network
        self._volumes = volumes
        self._remount = remount
        self._cores = cores or Cores()
        self._notice = notice
        self._lock = threading.Lock()
        #: containers that will be looked at because of news, and are not yet
        self._awaited: set[str] = set()
        #: containers that could not be looked at, or not be helped: the next scan tries again
        self._again: set[str] = set()

    # -- news: the event stream ------------------------------------------------------------------

    def listen(self) -> None:
        """Follow the engine's events until they break off, or the runtime is closed.

        The scan comes when they have begun to flow: what happened before is seen by it, and what happens after is heard. Where it cannot
        be done, both are tried again.
        """
        try:
            stream = self._runtime.events()
            self._scan()
            self._see_to_wires()
            self._see_to_volumes()
            for event in stream:
                self._heard(event)
        except errors.ZunError as error:
            LOG.warning("the engine's events broke off: %s", error)

    def _heard(self, event: EngineEvent) -> None:
        entries = self._book.entries(event.sandbox_uuid)
        for entry in entries:
            uuid = entry.container.uuid
            if event.container_uuid in (None, uuid) and self._await(uuid):
                self._lanes.put(event.sandbox_uuid, partial(self._look_at_news, uuid))

    def _await(self, container_uuid: str) -> bool:
        """Whether a look is needed: one that has not begun will see this news too."""
        with self._lock:
            waits = container_uuid in self._awaited
            self._awaited.add(container_uuid)
        return not waits

    def _look_at_news(self, container_uuid: str) -> None:
        with self._lock:
            self._awaited.discard(container_uuid)
        self.look(container_uuid)

    # -- truth: the scan -------------------------------------------------------------------------

    def scan(self) -> None:
        """Compare everything of ours in the engine with what was told, look closely at what differs, and remove what is nobody's."""
        try:
            self._scan()
        except errors.ZunError as error:
            LOG.warning("the scan could not be done: %s", error)

    def _scan(self) -> None:
        charges = set(self._book.sandboxes())
        seen = self._runtime.scan()
        newest: dict[str, Seen] = {}
        for line in seen:
            if line.container_uuid and (line.container_uuid not in newest or line.revision > newest[line.container_uuid].revision):
                newest[line.container_uuid] = line
        running = {line.sandbox_uuid for line in seen if line.container_uuid is None and line.state is EngineState.RUNNING}
        with self._lock:
            again, self._again = self._again, set()
        for entry in self._book.entries():
            uuid, sandbox = entry.container.uuid, entry.container.sandbox_uuid
            found = newest.get(uuid)
            alive = found is not None and found.state in (EngineState.RUNNING, EngineState.PAUSED)
            if found is None or not book.looks_as_told(entry, found) or (alive and sandbox not in running) or uuid in again:
                self._lanes.put(sandbox, partial(self.look, uuid))
        self._scan_leavings("volumes", self._volumes.left, self._volumes.clean)
        self._scan_leavings("wires", self._network.here, self._network.clean)
        strangers = sorted({line.sandbox_uuid for line in seen} - charges)
        if strangers:
            for sandbox in self._conductor.unknown(self._host, strangers):
                inside = {line.container_uuid for line in seen if line.sandbox_uuid == sandbox and line.container_uuid}
                self._lanes.put(sandbox, partial(self._remove_stranger, sandbox, {sandbox, *inside}))

        self._scan_insides(charges, newest.values())

    def _scan_insides(self, charges: set[str], newest: Iterable[Seen]) -> None:
        """Remove what is nobody's in a sandbox that is somebody's: left by a container whose deletion was forced, or by a lost database."""
        inside = {line.container_uuid: line.sandbox_uuid for line in newest if line.container_uuid and line.sandbox_uuid in charges}
        strange = sorted(uuid for uuid in inside if self._book.entry(uuid) is None)
        if strange:
            for container in self._conductor.unknown_containers(self._host, strange):
                self._lanes.put(inside[container], partial(self._remove_strange_container, container))

    def _scan_leavings(self, what: str, here: Callable[[], list[str]], clean: Callable[[str], None]) -> None:
        """Take off what was somebody's of whom no row knows: what a forced deletion, or one while this host was down, has left."""
        try:
            strange = [owner for owner in here() if self._is_strange(owner)]
        except (errors.ZunError, OSError) as error:
            LOG.warning("what %s are here cannot be seen: %s", what, error)
            return
        if strange:
            nobodys = set(self._conductor.unknown(self._host, strange)) & set(self._conductor.unknown_containers(self._host, strange))
            for owner in sorted(nobodys):
                self._lanes.put(owner, partial(self._clean, what, owner, clean))

    def _is_strange(self, owner: str) -> bool:
        return self._book.entry(owner) is None and self._book.sandbox(owner) is None

    def _clean(self, what: str, owner: str, clean: Callable[[str], None]) -> None:
        if not self._is_strange(owner):
            return
        LOG.warning("%s of %s are here and no row knows it: taken off", what, owner)
        try:
            clean(owner)
        except errors.ZunError as error:
            LOG.warning("the %s of %s are taken off later: %s", what, owner, error)

    def _remove_strange_container(self, container_uuid: str) -> None:
        if self._book.entry(container_uuid) is None:
            LOG.warning("container %s carries our mark and no row knows it: removed", container_uuid)
            self._runtime.remove(container_uuid)

    def _remove_stranger(self, sandbox_uuid: str, devices: set[str]) -> None:
        """``devices`` are what it may be known by to the network."""
        if self._book.sandbox(sandbox_uuid) is not None:
            return
        LOG.warning("sandbox %s carries our mark and no row knows it: removed", sandbox_uuid)
        for device in sorted(devices):
            self._network.clean(device)
        self._runtime.remove_sandbox(sandbox_uuid)

    def _see_to_wires(self) -> None:
        """What was lost of the sandboxes' wires in an earlier life of the agent, or of the engine, is put in again."""
        if self._network.attachment == "none":
            for sandbox in self._book.sandboxes():
                self._lanes.put(sandbox, partial(self._restore_wires, sandbox))

    def _restore_wires(self, sandbox_uuid: str) -> None:
        sandbox, entries = self._book.sandbox(sandbox_uuid), self._book.entries(sandbox_uuid)
        if sandbox is None or sandbox.engine_id is None or not entries:
            return
        try:
            state = self._runtime.sandbox(sandbox_uuid)
            if state is not None and state.running:
                self._give_network(sandbox, entries[0], state)
        except errors.ZunError as error:
            LOG.warning("the wires of sandbox %s could not be looked after: %s", sandbox_uuid, error)

    def _see_to_volumes(self) -> None:
        """Volumes that were lost with the host's last life are put back, for containers that run."""
        for entry in self._book.entries():
            sandbox = self._book.sandbox(entry.container.sandbox_uuid)
            uses = entry.container.mounts or (sandbox is not None and sandbox.volumes)
            if self._remount and uses and entry.desired is Desired.RUNNING:
                self._lanes.put(entry.container.sandbox_uuid, partial(self._put_back, entry.container.uuid))

    def _put_back(self, container_uuid: str) -> None:
        entry = self._book.entry(container_uuid)
        if entry is None:
            return
        try:
            self._have_volumes(entry)
        except (errors.ZunError, OSError) as error:
            LOG.warning("the volumes of container %s could not be put back: %s", container_uuid, error)

    # -- one function for both -------------------------------------------------------------------

    def look(self, container_uuid: str) -> None:
        """Look at one container (in its sandbox's lane), do what follows at once, and tell what is new."""
        entry = self._book.entry(container_uuid)
        if entry is None:
            return
        try:
            state = self._runtime.inspect(container_uuid)
            if state is not None and state.state in (EngineState.RUNNING, EngineState.PAUSED) and self._lost_its_sandbox(state):
                self._rejoin(entry)
                state = self._runtime.inspect(container_uuid)
        except errors.ZunError as error:
            LOG.warning("container %s could not be looked at: %s", container_uuid, error)
            with self._lock:
                self._again.add(container_uuid)
            return
        if state is not None:
            keep(self._runtime, self._cores, entry.container, state)
        if state is not None and book.is_down(entry, state) and not entry.restarting:
            self._ended(entry, None if state.state is EngineState.CREATED else state.exit_code, state.started_at, state.finished_at)
        self._tell(entry, book.observe(entry, state))

    def _tell(self, entry: Entry, observation: Observation) -> None:
        if observation != entry.told:
            entry.told = observation
            self._outbox.put(observation)
        self._notice(entry)

    def look_again(self, containers: Iterable[str]) -> None:
        """Tell of these containers even what was told before: a conductor has asked."""
        for uuid in containers:
            entry = self._book.entry(uuid)
            if entry is not None:
                self._lanes.put(entry.container.sandbox_uuid, partial(self._look_anew, uuid))

    def _look_anew(self, container_uuid: str) -> None:
        entry = self._book.entry(container_uuid)
        if entry is not None:
            entry.told = None
            self.look(container_uuid)

    def after_work(self, container_uuid: str) -> None:
        """What follows at once (in the sandbox's lane) from what work has left behind: its restart, or a closer look."""
        entry = self._book.entry(container_uuid)
        if entry is None:
            return
        told = entry.told
        if told is None:
            self.look(container_uuid)
        elif told.state is EngineState.EXITED and not entry.restarting:
            self._ended(entry, told.exit_code, told.started_at, told.finished_at)
            if entry.restarting:
                self._tell(entry, replace(told, state=EngineState.RESTARTING))
        else:
            self._notice(entry)

    # -- restarts --------------------------------------------------------------------------------

    def _ended(self, entry: Entry, exit_code: int | None, started: datetime | None, finished: datetime | None) -> None:
        container = entry.container
        # What a probe has ended has failed, however it ended.
        code = None if entry.condemned else exit_code
        if not restart.wanted(container.restart_policy, entry.desired, code, entry.restart_count):
            return
        lived = (finished - started).total_seconds() if started and finished else 0.0
        # The length of a life counts once: a start that fails after a long life is followed by ever longer waits, too.
        long = lived >= restart.LIFE_THAT_COUNTS and started != entry.counted
        entry.quick_deaths = 0 if long else entry.quick_deaths + 1
        entry.counted = started
        entry.restarting = True
        wait = restart.wait(max(0, entry.quick_deaths - 1))
        LOG.info("container %s ended with %s; its policy restarts it in %.1f s", container.uuid, exit_code, wait)
        self._lanes.put(container.sandbox_uuid, partial(self._restart, container.uuid), after=wait)

    def _restart(self, container_uuid: str) -> None:
        entry = self._book.entry(container_uuid)
        if entry is None or not entry.restarting:
            return
        entry.restarting, entry.refusal = False, None
        try:
            state = self._runtime.inspect(container_uuid)
            if entry.desired is Desired.RUNNING and state is not None and state.state in (EngineState.EXITED, EngineState.CREATED):
                entry.restart_count += 1
                self._raise_sandbox(entry)
                self._runtime.start(container_uuid)
        except errors.EngineUnavailable:
            # The scan that follows the engine's return sees the container ended, and begins anew.
            return
        except errors.ZunError as error:
            LOG.warning("container %s could not be restarted: %s", container_uuid, error)
            entry.refusal = f"It could not be restarted: {error}"
        self.look(container_uuid)

    def _lost_its_sandbox(self, state: ContainerState) -> bool:
        """Whether its sandbox does not run, or runs anew: raised for another container, or by an agent that died before it came here."""
        sandbox = self._runtime.sandbox(state.sandbox_uuid)
        if sandbox is None or not sandbox.running:
            return True
        return None not in (state.network, sandbox.network) and state.network != sandbox.network

    def _rejoin(self, entry: Entry) -> None:
        """A container whose sandbox died runs without a network: raise the sandbox, and restart the container in it."""
        LOG.warning("sandbox %s has died under container %s: both are restarted", entry.container.sandbox_uuid, entry.container.uuid)
        self._raise_sandbox(entry)
        self._runtime.stop(entry.container.uuid)
        self._runtime.start(entry.container.uuid)

    def _raise_sandbox(self, entry: Entry) -> None:
        sandbox = self._book.sandbox(entry.container.sandbox_uuid)
        if sandbox is None:
            return
        self._have_volumes(entry)
        self._give_network(sandbox, entry, self._runtime.ensure_sandbox(sandbox_spec(sandbox, self._network.attachment)))

    def _have_volumes(self, entry: Entry) -> None:
        """What was mounted went with the host's last life: it must be there again before anybody writes at its place."""
        sandbox = self._book.sandbox(entry.container.sandbox_uuid)
        if entry.container.mounts:
            self._volumes.attach(entry.container)
        if sandbox is not None and sandbox.volumes:
            self._volumes.attach_shared(sandbox)

    def _give_network(self, sandbox: Sandbox, entry: Entry, state: SandboxState) -> None:
        plugged = self._network.restore(sandbox, device_of(sandbox, entry.container.uuid), state)
        self._network.settle(plugged, longest=PATIENCE)
        facts = SandboxFacts(
            sandbox_uuid=sandbox.uuid,
            engine_id=state.engine_id,
            hostname=state.hostname,
            addresses=plugged.addresses,
            security_groups=plugged.security_groups,
        )
        if (facts.engine_id, facts.addresses) != (sandbox.engine_id, sandbox.addresses):
            self._outbox.put(facts)
