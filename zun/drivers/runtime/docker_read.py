"""What Docker's answers mean: functions from its JSON to ours. Of what runs, the kernel is asked for the network namespace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zun import errors
from zun.domain import cpuset as cpusets
from zun.domain import image as references
from zun.domain.lifecycle import EngineState, Health
from zun.drivers.runtime import labels
from zun.interfaces.runtime import ContainerState, EngineEvent, EngineImage, HostFacts, SandboxState, Seen

Json = Mapping[str, Any]

_MIB = 1 << 20
_STATES = {
    "created": EngineState.CREATED,
    "running": EngineState.RUNNING,
    "paused": EngineState.PAUSED,
    "restarting": EngineState.RESTARTING,
    "exited": EngineState.EXITED,
    "dead": EngineState.DEAD,
    # On its way out, or stuck there: it will never run again, and whoever acts on its end must not try to start it.
    "removing": EngineState.DEAD,
}
_HEALTH = {health.value: health for health in Health}
#: lists show it only in their words: "Up 5 minutes (healthy)", "Up 2 seconds (health: starting)"
_IN_LISTS = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)")
_ENDED = (EngineState.EXITED, EngineState.DEAD)


def state(word: str | None) -> EngineState:
    """An engine state from Docker's word for it."""
    return _STATES.get(word or "", EngineState.UNKNOWN)


def moment(text: str | None) -> datetime | None:
    """A time, UTC without a zone, cut to microseconds. Docker's year 1 means never."""
    if not text or text.startswith("0001-01-01"):
        return None
    at = datetime.fromisoformat(text)  # which cuts the nanoseconds itself
    return at.astimezone(UTC).replace(tzinfo=None)


def epoch(at: datetime) -> str:
    """A naive UTC time as Docker's queries want it: seconds since 1970 with microseconds."""
    return f"{at.replace(tzinfo=UTC).timestamp():.6f}"


def container(uuid: str, inspected: Json) -> ContainerState:
    """What ``GET /containers/<id>/json`` says of an app container."""
    shown, mark = inspected["State"], labels.read(inspected["Config"].get("Labels"))
    now = state(shown.get("Status"))
    ended = now in _ENDED
    started, finished = moment(shown.get("StartedAt")), moment(shown.get("FinishedAt"))
    if started and finished:
        # Docker takes the two times from two clocks: one that ends at once may seem to have ended just before it began.
        finished = max(started, finished)
    return ContainerState(
        uuid=uuid,
        sandbox_uuid=mark.sandbox if mark else "",
        revision=mark.revision if mark else 0,
        engine_id=inspected["Id"],
        state=now,
        exit_code=shown.get("ExitCode") if ended else None,
        error=shown.get("Error") or None,
        started_at=started,
        finished_at=finished if ended else None,
        network=_network(shown),
        health=_health((shown.get("Health") or {}).get("Status"), now),
        cpuset=cpusets.parse((inspected.get("HostConfig") or {}).get("CpusetCpus") or ""),
    )


def _health(word: str | None, now: EngineState) -> Health | None:
    """What a check says; Docker goes on showing the last word of one that has ended with its container."""
    return _HEALTH.get(word or "") if now in (EngineState.RUNNING, EngineState.PAUSED) else None


def sandbox(uuid: str, inspected: Json) -> SandboxState:
    """What ``GET /containers/<id>/json`` says of a pause container."""
    running = bool(inspected["State"].get("Running"))
    networks = inspected["NetworkSettings"].get("Networks") or {}
    found = {name: _addresses(network) for name, network in networks.items()} if running else {}
    return SandboxState(
        uuid=uuid,
        engine_id=inspected["Id"],
        running=running,
        hostname=inspected["Config"].get("Hostname") or None,
        addresses={name: addresses for name, addresses in found.items() if addresses},
        netns=f"/proc/{inspected['State']['Pid']}/ns/net" if running else None,
        network=_network(inspected["State"]),
    )


def _network(shown: Json) -> str | None:
    try:
        return str(Path(f"/proc/{shown.get('Pid') or 0}/ns/net").readlink())
    except OSError:
        return None  # it does not run, or has ended just now, or its processes are out of our sight


def _addresses(network: Json) -> list[dict[str, Any]]:
    return [
        {
            "addr": network[key],
            "version": version,
            "port": network.get("EndpointID"),
            "subnet_id": network.get("NetworkID"),
            "preserve_on_delete": False,
        }
        for version, key in ((4, "IPAddress"), (6, "GlobalIPv6Address"))
        if network.get(key)
    ]


def seen(listed: Json) -> Seen | None:
    """One line of ``GET /containers/json``; None for a thing that is not ours."""
    mark = labels.read(listed.get("Labels"))
    if mark is None:
        return None
    now = state(listed.get("State"))
    shown = _IN_LISTS.search(listed.get("Status") or "")
    return Seen(
        sandbox_uuid=mark.sandbox,
        container_uuid=mark.container,
        revision=mark.revision,
        engine_id=listed["Id"],
        state=now,
        health=_health(shown[1] if shown else None, now),
    )


def event(told: Json) -> EngineEvent | None:
    """One line of ``GET /events``; None for news of a thing that is not ours."""
    mark = labels.read(told.get("Actor", {}).get("Attributes"))
    if mark is None:
        return None
    at = datetime.fromtimestamp(told["timeNano"] // 1000 / 1_000_000, UTC).replace(tzinfo=None)
    return EngineEvent(sandbox_uuid=mark.sandbox, container_uuid=mark.container, what=str(told["Action"]), at=at)


def image(inspected: Json) -> EngineImage:
    """What ``GET /images/<reference>/json`` says."""
    exposed = (inspected.get("Config") or {}).get("ExposedPorts") or {}
    ports = sorted({int(port.partition("/")[0]) for port in exposed if port.partition("/")[0].isdecimal()})
    return EngineImage(
        id=inspected["Id"],
        ports=ports,
        architecture=inspected.get("Architecture") or "",
        size=inspected.get("Size") or 0,
        digests=_digests(inspected.get("RepoDigests") or ()),
    )


def _digests(told: Iterable[str]) -> dict[str, str]:
    """Digests by repository; the engine's own way of writing a repository leaves out what is the hub's."""
    found = {}
    for text in told:
        try:
            reference = references.parse(text, ours=True)
        except errors.InvalidImage:
            continue  # an image without a name: <none>@sha256:...
        if reference.digest is not None:
            found[reference.name] = reference.digest
    return found


def facts(info: Json, disk_total: int, disk_quota: bool) -> HostFacts:
    """What ``GET /info`` says; of disks it says too little, so those two come from elsewhere."""
    pairs = [label.partition("=") for label in info.get("Labels") or ()]
    return HostFacts(
        cpus=info.get("NCPU", 0),
        mem_total=info.get("MemTotal", 0) // _MIB,
        disk_total=disk_total,
        disk_quota_supported=disk_quota,
        total_containers=info.get("Containers", 0),
        architecture=info.get("Architecture") or "",
        os_type=info.get("OSType") or "",
        os=info.get("OperatingSystem") or "",
        kernel_version=info.get("KernelVersion") or "",
        labels={key: value for key, _, value in pairs},
        runtimes=sorted(info.get("Runtimes") or ()),
    )


def payloads(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of Docker's multiplexed stream: frames of 8 bytes of header (stream, three zeros, length), then the content.

    Frames are passed on as they arrive, never held whole.
    """
    header, left = b"", 0
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if left:
                taken, view = view[:left], view[left:]
                left -= len(taken)
                yield bytes(taken)
                continue
            wanted = 8 - len(header)
            header, view = header + bytes(view[:wanted]), view[wanted:]
            if len(header) == 8:
                header, left = b"", int.from_bytes(header[4:], "big")
