"""What a project may have unless it was given limits of its own; -1 is no limit."""

from __future__ import annotations

from oslo_config import cfg

from zun.domain.quota import Quota

GROUP = "quota"
OPTS = [
    cfg.IntOpt("containers", default=40, min=-1, help="Containers of a project."),
    cfg.IntOpt("memory", default=51_200, min=-1, help="MiB of memory of a project's containers together."),
    cfg.IntOpt("cpu", default=20, min=-1, help="Cores of a project's containers together."),
    cfg.IntOpt("disk", default=100, min=-1, help="GiB of disk of a project's containers together."),
]


def limits(conf: cfg.ConfigOpts) -> Quota:
    """The configured limits."""
    return Quota(containers=conf.quota.containers, memory=conf.quota.memory, cpu=conf.quota.cpu, disk=conf.quota.disk)
