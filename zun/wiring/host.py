"""What a host's agent is made of."""

from __future__ import annotations

from collections.abc import Callable

from oslo_config import cfg

from zun import saga
from zun.compute.ask import Ask
from zun.compute.doors import DoorKeeper
from zun.compute.job import Plugs
from zun.compute.loop import AgentLoop, Pace
from zun.interfaces.rpc import Conductor, HostReport
from zun.wiring.parts import Clock


def agent(
    conf: cfg.ConfigOpts, conductor: Conductor, plugs: Plugs, clock: Clock, fault: saga.FaultPoint, greeted: Callable[[], None]
) -> AgentLoop:
    """The agent of this host."""

    def report() -> HostReport:
        facts = plugs.runtime.facts()
        return HostReport(
            facts=facts,
            availability_zone=conf.compute.default_availability_zone,
            cpu_dedicated_set=plugs.cores.dedicated,
            cpu_shared_set=plugs.cores.shared,
            numa_topology=plugs.cores.nodes,
            cpu_allocation_ratio=conf.compute.cpu_allocation_ratio,
            ram_allocation_ratio=conf.compute.ram_allocation_ratio,
            reserved_memory=conf.compute.reserved_host_memory,
            reserved_cpus=conf.compute.reserved_host_cpus,
            reserved_disk=int(facts.disk_total * conf.compute.reserve_disk_for_image),
            shared_with_nova=conf.compute.host_shared_with_nova,
        )

    pace = Pace(
        poll=conf.compute.work_poll_interval,
        heartbeat=conf.compute.heartbeat_interval,
        scan=conf.compute.sync_container_state_interval,
        engine_wait=conf.compute.engine_wait,
        parallel=conf.compute.max_parallel_work,
        probes=conf.compute.max_parallel_probes,
        remount=conf.compute.remount_container_volume,
    )
    return AgentLoop(conf.host, conductor, plugs, report=report, clock=clock, pace=pace, fault=fault, greeted=greeted)


def doors(conf: cfg.ConfigOpts) -> DoorKeeper:
    """Where this host lets streams out."""
    return DoorKeeper(conf.compute.stream_listen, conf.compute.stream_port, most=conf.compute.max_streams)


def ask(conf: cfg.ConfigOpts, plugs: Plugs, poke: Callable[[], None], doors: DoorKeeper) -> Ask:
    """What the agent of this host answers while the caller waits."""
    return Ask(
        plugs.runtime,
        poke,
        images=plugs.images,
        doors=doors,
        execute_timeout=conf.docker.execute_timeout,
        log_limit=conf.compute.log_limit,
        output_limit=conf.compute.execute_output_limit,
    )
