"""What a host and a claim are in Placement's words: classes of resources, traits."""

from __future__ import annotations

import math
import re
from typing import Any

from zun.domain.host import Host
from zun.domain.resources import Resources

#: that a provider is a host of this service, and that it is one of Nova's, too
HOST, SHARED = "CUSTOM_ZUN_COMPUTE", "CUSTOM_ZUN_COMPUTE_SHARED"

#: that its service is disabled
DISABLED = "CUSTOM_ZUN_COMPUTE_STATUS_DISABLED"

_OURS = "CUSTOM_ZUN_"
_ARCHITECTURE = "HW_ARCH_"

#: architectures for which Placement has a trait of its own
_KNOWN = ("AARCH64", "I686", "PPC64", "PPC64LE", "S390X", "X86_64")


def amounts(takes: Resources) -> dict[str, int]:
    """What is allocated. There are no parts of a VCPU: who takes a part takes one, and of memory at least a MiB."""
    found = {"MEMORY_MB": max(1, takes.memory), "DISK_GB": takes.disk, "PCPU": takes.pcpu}
    if not takes.pcpu:
        found["VCPU"] = max(1, math.ceil(round(takes.cpu, 6)))
    return {name: amount for name, amount in found.items() if amount}


def used(by_class: dict[str, int]) -> Resources:
    """What is used of a provider."""
    return Resources(
        cpu=float(by_class.get("VCPU", 0)),
        memory=by_class.get("MEMORY_MB", 0),
        disk=by_class.get("DISK_GB", 0),
        pcpu=by_class.get("PCPU", 0),
    )


def inventories(host: Host) -> dict[str, dict[str, Any]]:
    """What a host has. What it has none of is left out."""
    shared = len(host.cpu_shared_set) if host.cpu_shared_set or host.cpu_dedicated_set else host.cpus
    found = {
        "VCPU": _inventory(shared, host.reserved_cpus, host.cpu_allocation_ratio),
        "PCPU": _inventory(len(host.cpu_dedicated_set), 0, 1.0),
        "MEMORY_MB": _inventory(host.mem_total, host.reserved_memory, host.ram_allocation_ratio),
        "DISK_GB": _inventory(host.disk_total, host.reserved_disk, 1.0),
    }
    return {name: inventory for name, inventory in found.items() if inventory["total"] > 0}


def _inventory(total: int, reserved: int, ratio: float) -> dict[str, Any]:
    most = max(1, int((total - min(reserved, total)) * ratio))
    return {
        "total": total,
        "reserved": min(reserved, total),
        "min_unit": 1,
        "max_unit": most,
        "step_size": 1,
        "allocation_ratio": ratio,
    }


def traits(host: Host, disabled: bool) -> frozenset[str]:
    """What a host is."""
    found = {HOST, *(runtime_trait(runtime) for runtime in host.runtimes)}
    if disabled:
        found.add(DISABLED)
    if host.shared_with_nova:
        return frozenset({*found, SHARED})
    return frozenset({*found, architecture_trait(host.architecture)} if host.architecture else found)


def runtime_trait(runtime: str) -> str:
    """That containers can have this runtime."""
    return f"{_OURS}RUNTIME_{_plain(runtime)}"


def architecture_trait(architecture: str) -> str:
    """What processors it has."""
    name = _plain(architecture)
    return f"{_ARCHITECTURE}{name}" if name in _KNOWN else f"{_OURS}ARCH_{name}"


def is_ours(trait: str, shared: bool) -> bool:
    """Whether we say if a provider has this trait. Operators may add others; what the processors of Nova's hosts are Nova says."""
    return trait.startswith(_OURS) or (trait.startswith(_ARCHITECTURE) and not shared)


def _plain(name: str) -> str:
    """As a trait may be called. Docker calls a runtime that is none of its own by a name with dots and dashes."""
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())[:200]
