"""A container whose sandbox somebody removed. Docker wrote the old sandbox's id into it and will never start it again, so it is made anew
for the sandbox that there is now, out of what the old object left: its settings, what it had written, its anonymous volumes. So is one that
containerd does not let Docker start under the id that it has (:mod:`~zun.drivers.runtime.docker_keepers`).

A life that ends in the middle loses nothing: the old object goes last, and until then it is found by its name.
"""

from __future__ import annotations

import logging

from zun.drivers.runtime import docker_spec, labels
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.docker_objects import LEFT, Json, Objects, named, yes

LOG = logging.getLogger(__name__)

_CONFIG = ("Labels", "Env", "OpenStdin", "Tty", "Cmd", "Entrypoint", "WorkingDir", "Healthcheck")
_HOST_CONFIG = (
    "Privileged",
    "Mounts",
    "CpuShares",
    "CpuPeriod",
    "CpuQuota",
    "CpusetCpus",
    "Memory",
    "MemorySwap",
    "StorageOpt",
    "Runtime",
    "CgroupParent",
    "PidsLimit",
    "LogConfig",
)


def strays(inspected: Json, pause_id: str) -> bool:
    """Whether a container was made for another sandbox than the one of this id."""
    return bool(inspected["HostConfig"]["NetworkMode"] != docker_spec.joined(pause_id))


def rejoin(http: DockerHttp, objects: Objects, uuid: str, old: Json, pause_id: str, *, why: str, timeout: float) -> None:
    """Make the container anew in the sandbox of ``pause_id``, and remove its ``old`` object, which does not run. It is not started.
    ``why`` is for the log.

    Keeping what it had written takes as long as copying it (``timeout`` in seconds), and for that long its room on the disk twice.
    Raises EngineError; the old object is there still, then.
    """
    mark = labels.read(old["Config"]["Labels"])
    name = docker_spec.container_name(uuid, mark.revision if mark else 0)
    LOG.warning("container %s is made anew: %s. It keeps what it had written, but not its log.", uuid, why)
    image = yes(http.call("POST", "/commit", query={"container": old["Id"], "pause": 0}, timeout=timeout)).data["Id"]
    if not named(old["Name"], name + LEFT):
        yes(http.call("POST", f"/containers/{old['Id']}/rename", query={"name": name + LEFT}))
    body = _body(old, image, pause_id)
    objects.create(name, body, None, lambda: next((line for _, line in objects.revisions(uuid) if named(line["Names"][0], name)), None))
    objects.remove({"Id": old["Id"], "Labels": {}}, volumes=False)


def _body(old: Json, image: str, pause_id: str) -> Json:
    config = {key: old["Config"][key] for key in _CONFIG if old["Config"].get(key)}
    host = {key: old["HostConfig"][key] for key in _HOST_CONFIG if old["HostConfig"].get(key)}
    volumes = {mount["Name"]: mount["Destination"] for mount in old.get("Mounts") or () if mount["Type"] == "volume"}
    mounts = [mount for mount in host.get("Mounts") or () if mount["Type"] != "volume"]
    host["Mounts"] = mounts + [{"Type": "volume", "Source": name, "Target": target} for name, target in volumes.items()]
    host["NetworkMode"] = host["IpcMode"] = docker_spec.joined(pause_id)
    if old["HostConfig"].get("PidMode"):
        host["PidMode"] = docker_spec.joined(pause_id)
    kept = {labels.KEPT: ",".join(["image", *volumes])}
    return {**config, "Image": image, "Labels": {**config["Labels"], **kept}, "HostConfig": host}
