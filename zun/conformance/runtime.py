"""The promises of :mod:`zun.interfaces.runtime`, as tests that any driver can be put to.

A driver's own test module subclasses :class:`RuntimeConformance`, gives what raises NotImplementedError in
:class:`~zun.conformance.runtime_bench.RuntimeFixtures` and lets pytest collect it. The programs are busybox's; an engine that runs no real
programs must know these command lines by heart.
"""

from __future__ import annotations

from zun.conformance.runtime_bench import (
    ASKS,
    COMMANDS,
    ECHOES,
    ENDLESS,
    ENDS_WITH_7,
    FLOODS,
    NEEDS_64,
    NOT_THERE,
    SAYS,
    SERVES,
    SHOWS_CEILING,
    SHOWS_CORES,
    SHOWS_INIT,
    STUBBORN,
    TALKS,
    WAITS,
    Bench,
    eventually,
    new_uuid,
)
from zun.conformance.runtime_containers import ContainerConformance
from zun.conformance.runtime_cores import CoreConformance
from zun.conformance.runtime_images import ImageConformance
from zun.conformance.runtime_looking import LookingConformance
from zun.conformance.runtime_sandboxes import SandboxConformance
from zun.conformance.runtime_streams import StreamConformance

__all__ = [
    "ASKS",
    "COMMANDS",
    "ECHOES",
    "ENDLESS",
    "ENDS_WITH_7",
    "FLOODS",
    "NEEDS_64",
    "NOT_THERE",
    "SAYS",
    "SERVES",
    "SHOWS_CEILING",
    "SHOWS_CORES",
    "SHOWS_INIT",
    "STUBBORN",
    "TALKS",
    "WAITS",
    "Bench",
    "RuntimeConformance",
    "eventually",
    "new_uuid",
]


class RuntimeConformance(
    SandboxConformance, ContainerConformance, CoreConformance, LookingConformance, StreamConformance, ImageConformance
):
    """Every promise. Subclass it, and give ``connect``, ``image``, ``kill_sandbox`` and ``lose_sandbox``."""
