"""Which host a container gets (ADR 28). Conductors read it."""

from __future__ import annotations

from oslo_config import cfg, types

from zun.domain.scheduling import FILTERS, SPREAD, Rules, enabled

GROUP = "scheduler"

#: what each weigher looks at
_WEIGHED = {
    "ram": "the memory that a host has left (MiB)",
    "cpu": "the cores that a host has left",
    "sandbox": "how few containers and capsules a host has",
}

OPTS = [
    cfg.ListOpt(
        "enabled_filters",
        item_type=types.String(choices=[name for each in FILTERS for name in each.options]),
        default=[
            "AvailabilityZoneFilter",
            "ComputeFilter",
            "RuntimeFilter",
            "ImageArchitectureFilter",
            "LabelFilter",
            "SameHostFilter",
            "DifferentHostFilter",
        ],
        help="What a host must pass to get a container. What is not named here is not looked at; but whether a host is up and enabled "
        "(ComputeFilter) and has what is asked for (CPUFilter, RamFilter, DiskFilter, CpuSetFilter) is looked at in any case.",
    ),
    cfg.IntOpt(
        "max_placement_results",
        default=1000,
        min=1,
        help="How many hosts that have room Placement is asked for at most, with [inventory] driver = placement.",
    ),
    *(
        cfg.FloatOpt(
            f"{name}_weight_multiplier",
            default=SPREAD[name],
            help=f"The weight of {said}, in the choice among those that pass all filters. A positive number spreads containers over the "
            "hosts, a negative one packs them together, 0 leaves it out.",
        )
        for name, said in _WEIGHED.items()
    ),
]


def rules(conf: cfg.ConfigOpts) -> Rules:
    """How hosts are chosen, as configured. Raises ConfigFileValueError for a filter that there is not."""
    weights = {name: getattr(conf.scheduler, f"{name}_weight_multiplier") for name in _WEIGHED}
    return Rules(filters=enabled(conf.scheduler.enabled_filters), weights=weights)
