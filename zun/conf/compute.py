"""Compute hosts: what their agents do and when, and what they offer."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "compute"
OPTS = [
    cfg.StrOpt("default_availability_zone", default="nova", help="The availability zone that this host belongs to."),
    cfg.IntOpt("heartbeat_interval", default=10, min=1, max=60, help="Seconds between two heartbeats of a host's agent."),
    cfg.IntOpt(
        "service_down_time",
        default=180,
        min=2,
        help="Seconds of silence after which a host counts as down and its containers become Unknown. At least three heartbeats.",
    ),
    cfg.IntOpt(
        "sync_container_state_interval",
        default=60,
        min=1,
        help="Seconds between two full scans of the engine. Deaths are normally learnt at once, from its events; the scan finds the rest.",
    ),
    cfg.FloatOpt("work_poll_interval", default=5.0, min=0.1, help="Seconds after which a host looks for work although nobody told it to."),
    cfg.IntOpt(
        "max_parallel_work",
        default=8,
        min=1,
        help="How many sandboxes a host works on at a time. Work that takes more than five seconds mostly waits, and does not count.",
    ),
    cfg.IntOpt(
        "max_parallel_probes",
        default=64,
        min=1,
        help="How many probes of Pods a host asks at a time. A project has at most a quarter of them at once.",
    ),
    cfg.IntOpt(
        "engine_wait",
        default=300,
        min=0,
        help="Seconds that work waits for an engine that does not answer before it fails.",
    ),
    cfg.BoolOpt(
        "remount_container_volume",
        default=True,
        help="Whether an agent that begins puts the volumes of running containers back where they are gone: its host was restarted.",
    ),
    cfg.IntOpt("log_limit", default=8_388_608, min=1024, help="The most bytes of a container's log that one call answers, the newest."),
    cfg.IntOpt("execute_output_limit", default=1_048_576, min=1024, help="The most bytes of a command's output that execute answers."),
    cfg.HostAddressOpt(
        "stream_listen",
        default="127.0.0.1",
        help="The address of this host that the API and the stream proxies reach its agent at, for streams and archives. Its listener "
        "gives one stream for a token that it has made itself, once, within 30 seconds, and nothing else; keep it to the internal network.",
    ),
    cfg.PortOpt("stream_port", default=0, help="The port of that listener; 0 is any that is free."),
    cfg.IntOpt("max_streams", default=4096, min=1, help="How many streams and archives may be open on a host at a time."),
    cfg.IntOpt("reserved_host_cpus", default=0, min=0, help="Cores kept for the host itself, of those that containers share."),
    cfg.FloatOpt(
        "reserve_disk_for_image",
        default=0.2,
        min=0.0,
        max=1.0,
        help="The part of the host's disk that is kept for images; the rest is given to containers that ask for disk.",
    ),
    cfg.BoolOpt(
        "host_shared_with_nova",
        default=False,
        help="Nova has instances on this host, too, under the same name: its resource provider in Placement is used, and what it says the "
        "host has is left as it is. Only with [inventory] driver = placement.",
    ),
    cfg.IntOpt("reserved_host_memory", default=512, min=0, help="MiB of memory kept for the host itself."),
    cfg.StrOpt(
        "cpu_dedicated_set",
        help="The cores of this host that are given away whole, each to one container at a time with the CPU policy 'dedicated', such as "
        "'4-12,^8,15'. Without it no container can have cores to itself here.",
    ),
    cfg.StrOpt(
        "cpu_shared_set",
        help="The cores that all other containers use, in the same form. Unless set: all that are not in cpu_dedicated_set.",
    ),
    cfg.FloatOpt(
        "cpu_allocation_ratio",
        default=16.0,
        min=0.1,
        help="How many times over the host's cores may be given out; those in cpu_dedicated_set are given out once.",
    ),
    cfg.FloatOpt("ram_allocation_ratio", default=1.5, min=0.1, help="How many times over the host's memory may be given out."),
]
