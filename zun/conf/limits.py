"""What a container may ask for, and what it gets when it does not ask."""

from __future__ import annotations

from oslo_config import cfg

from zun.domain.model import Bounds

GROUP = "DEFAULT"
OPTS = [
    cfg.FloatOpt("default_cpu", default=1.0, min=0.0, help="Cores of a container that asks for none."),
    cfg.IntOpt("default_memory", default=512, min=0, help="MiB of memory of a container that asks for none."),
    cfg.FloatOpt("min_cpu", default=0.1, min=0.01, help="The fewest cores that may be asked for."),
    cfg.FloatOpt("max_cpu", default=16.0, min=0.01, help="The most cores that may be asked for."),
    cfg.IntOpt("min_memory", default=4, min=1, help="The least memory that may be asked for, in MiB."),
    cfg.IntOpt("max_memory", default=8192, min=1, help="The most memory that may be asked for, in MiB."),
    cfg.IntOpt("min_disk", default=1, min=1, help="The least disk that may be asked for, in GiB."),
    cfg.IntOpt("max_disk", default=160, min=1, help="The most disk that may be asked for, in GiB."),
]


def bounds(conf: cfg.ConfigOpts) -> Bounds:
    """The operator's limits in the form that requests are validated with."""
    return Bounds(
        min_cpu=conf.min_cpu,
        max_cpu=conf.max_cpu,
        min_memory=conf.min_memory,
        max_memory=conf.max_memory,
        min_disk=conf.min_disk,
        max_disk=conf.max_disk,
        image_drivers=tuple(conf.image_driver_list),
    )
