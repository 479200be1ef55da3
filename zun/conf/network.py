"""Which networks containers are in."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "network"
OPTS = [
    cfg.StrOpt(
        "driver",
        default="engine",
        choices=[
            ("engine", "the engine's own bridge on each host; nothing about it can be chosen"),
            ("neutron", "the cloud's networks: the section [neutron] says how Neutron is reached"),
        ],
        help="Where sandboxes get their addresses from. API processes and hosts must have the same.",
    ),
    cfg.IntOpt(
        "reconcile_interval",
        default=300,
        min=1,
        help="Seconds between two rounds in which a conductor looks whether Neutron has made a port or a security group for something "
        "after that was deleted, and takes it away. A round asks two questions of Neutron for every 50 deletions of the last quarter of "
        "an hour, and none where there was none.",
    ),
]
