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
]
