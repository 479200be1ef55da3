"""Choosing a host (ADR 28): filters and weighers, pure functions over candidates.

Filters say which hosts can take a sandbox, one after the other; weighers say which of those is best. Operators choose among the filters
and set the weights by the names that they know from Nova and from the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from zun import errors
from zun.domain import architecture, hints
from zun.domain.host import Host, capacity
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host as the scheduler sees it: its inventory, what is taken of it, the state of its service."""

    host: Host
    used: Resources
    up: bool
    disabled: bool
    availability_zone: str
    #: how many it has
    sandboxes: int = 0
    #: it is not up as far as anybody knows, and nobody can say yet that it is down
    silent: bool = False
    #: whether there is room for the sandbox for all that another account than ours says
    offered: bool = True

    @property
    def free(self) -> Resources:
        """What is left to take."""
        return capacity(self.host) - self.used


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a host: by the sandbox's row, and by what other rows say of what it names."""

    sandbox: Sandbox
    #: the hosts of those with one of which it shall share its host; None: it names nobody
    beside: frozenset[str] | None = None
    #: the hosts of those with none of which it shall share it
    apart: frozenset[str] = frozenset()
    #: what its images are built for, as far as that is known before a host has them
    architectures: frozenset[str] = frozenset()


def _requested_host(wanted: Wanted, candidate: Candidate) -> bool:
    return wanted.sandbox.requested_host in (None, candidate.host.hostname)


def _zone(wanted: Wanted, candidate: Candidate) -> bool:
    return wanted.sandbox.availability_zone in (None, candidate.availability_zone)


def _service(wanted: Wanted, candidate: Candidate) -> bool:
    return candidate.up and not candidate.disabled


def _runtime(wanted: Wanted, candidate: Candidate) -> bool:
    return wanted.sandbox.runtime is None or wanted.sandbox.runtime in candidate.host.runtimes


def _image_architecture(wanted: Wanted, candidate: Candidate) -> bool:
    return all(architecture.runs(candidate.host.architecture, built) for built in wanted.architectures)


def _label(wanted: Wanted, candidate: Candidate) -> bool:
    asked = hints.read(wanted.sandbox.hints).labels
    return all(candidate.host.labels.get(key) == value for key, value in asked.items())


def _same_host(wanted: Wanted, candidate: Candidate) -> bool:
    return wanted.beside is None or candidate.host.hostname in wanted.beside


def _different_host(wanted: Wanted, candidate: Candidate) -> bool:
    return candidate.host.hostname not in wanted.apart


def _dedicated_cores(wanted: Wanted, candidate: Candidate) -> bool:
    return candidate.free.pcpu >= wanted.sandbox.pcpu or not wanted.sandbox.pcpu


def _room(wanted: Wanted, candidate: Candidate) -> bool:
    asked = Resources(cpu=wanted.sandbox.cpu, memory=wanted.sandbox.memory, disk=wanted.sandbox.disk)
    return candidate.free.lacking(asked) is None


def _offered(wanted: Wanted, candidate: Candidate) -> bool:
    return candidate.offered


@dataclass(frozen=True, slots=True)
class Filter:
    """Which hosts can take a sandbox, by one rule. ``name`` stands in the reason of a container that none is left for."""

    name: str
    passes: Callable[[Wanted, Candidate], bool]
    #: what operators call it
    options: Sequence[str] = ()
    #: whether it can be left out: a host that does not pass could still do the work, or would refuse it by itself
    optional: bool = False


#: In this order: the first one that leaves no host is named in the reason.
FILTERS: Sequence[Filter] = (
    Filter("host", _requested_host),
    Filter("availability zone", _zone, ("AvailabilityZoneFilter",), optional=True),
    Filter("service", _service, ("ComputeFilter",)),
    Filter("runtime", _runtime, ("RuntimeFilter",), optional=True),
    Filter("image architecture", _image_architecture, ("ImageArchitectureFilter",), optional=True),
    Filter("label", _label, ("LabelFilter",), optional=True),
    Filter("same_host", _same_host, ("SameHostFilter",), optional=True),
    Filter("different_host", _different_host, ("DifferentHostFilter",), optional=True),
    Filter("dedicated cores", _dedicated_cores, ("CpuSetFilter",)),
    Filter("room", _room, ("CPUFilter", "RamFilter", "DiskFilter")),
    Filter("Placement", _offered),
)


def _free_cpu(wanted: Wanted, candidate: Candidate) -> float:
    return candidate.free.pcpu if wanted.sandbox.pcpu else candidate.free.cpu


#: By what operators call them: how much room a host has, in a unit of its own. The more, the better.
WEIGHERS: Mapping[str, Callable[[Wanted, Candidate], float]] = MappingProxyType(
    {
        "ram": lambda wanted, candidate: candidate.free.memory,
        "cpu": _free_cpu,
        "sandbox": lambda wanted, candidate: -candidate.sandboxes,
    }
)

#: What every weigher counts: the emptiest host is the best one.
SPREAD: Mapping[str, float] = MappingProxyType(dict.fromkeys(WEIGHERS, 1.0))


@dataclass(frozen=True, slots=True)
class Rules:
    """How hosts are chosen in this deployment."""

    filters: Sequence[Filter] = FILTERS
    #: by weigher; a negative one makes the fullest host the best
    weights: Mapping[str, float] = field(default_factory=lambda: SPREAD)


def enabled(options: Iterable[str]) -> list[Filter]:
    """The filters of these names, in their own order, and those that cannot be left out."""
    chosen = set(options)
    return [each for each in FILTERS if not each.optional or chosen.intersection(each.options)]


def choose(wanted: Wanted, candidates: Sequence[Candidate], rules: Rules | None = None) -> list[Candidate]:
    """The hosts that can take the sandbox, the best first. Raises NoValidHost with the name of the filter that left none.

    In which order the candidates are given does not matter.
    """
    rules = rules or Rules()
    left = list(candidates)
    if not left:
        raise errors.NoValidHost(reason="No compute host has reported yet.")
    for each in rules.filters:
        passed = [candidate for candidate in left if each.passes(wanted, candidate)]
        if not passed:
            raise errors.NoValidHost(reason=_none_left(each, len(left), len(candidates)))
        left = passed
    return _weighed(wanted, left, rules.weights)


def _none_left(last: Filter, given: int, altogether: int) -> str:
    before = "" if given == altogether else f" that other filters had left of {altogether}"
    return f"The {last.name} filter left none of {given}{before}."


def _weighed(wanted: Wanted, candidates: Sequence[Candidate], weights: Mapping[str, float]) -> list[Candidate]:
    """The best first: by the sum of its weights, as Nova has them. What a weigher finds is brought to 0 for the fullest and 1 for the
    emptiest of these hosts, then multiplied. Those that are as good as each other are in order of their names."""
    score = dict.fromkeys((candidate.host.hostname for candidate in candidates), 0.0)
    for name, weight in weights.items():
        found = {candidate.host.hostname: WEIGHERS[name](wanted, candidate) for candidate in candidates}
        least, most = min(found.values()), max(found.values())
        for host, value in found.items():
            score[host] += weight * (value - least) / (most - least) if most > least else 0.0
    return sorted(candidates, key=lambda candidate: (-round(score[candidate.host.hostname], 9), candidate.host.hostname))


def may_come(wanted: Wanted, candidates: Sequence[Candidate], rules: Rules | None = None) -> bool:
    """Whether a host could take the sandbox if those that are silent were up: then it is too early to say that none can."""
    heard = [replace(candidate, up=candidate.up or candidate.silent) for candidate in candidates]
    try:
        return bool(choose(wanted, heard, rules))
    except errors.NoValidHost:
        return False
