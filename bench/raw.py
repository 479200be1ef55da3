"""The peer: the calls to the engine by which a container comes to run, and no more of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from zun.drivers.runtime import docker_spec
from zun.drivers.runtime.docker_http import DockerHttp
from zun.interfaces.runtime import ContainerSpec, SandboxSpec

COMMAND = ("sleep", "100000")


@dataclass(frozen=True, slots=True)
class Pair:
    """What was made: the ids of a pause container and of the one that lives in its namespaces."""

    pause: str
    app: str


def pair(http: DockerHttp, *command: str) -> Pair:
    """Make and start the two containers of a sandbox of one: four calls. Raises RuntimeError."""
    name = uuid.uuid4().hex
    sandbox = docker_spec.sandbox(SandboxSpec(uuid=name, network="engine"), "bench-raw", None)
    pause = post(http, "/containers/create", {"name": f"raw-pause-{name}"}, sandbox)["Id"]
    post(http, f"/containers/{pause}/start")
    spec = ContainerSpec(
        uuid=name, sandbox_uuid=name, name="raw", image="busybox", command=list(command or COMMAND), cpu=0.1, memory=16, revision=0
    )
    body = docker_spec.container(spec, "bench-raw", pause, None, -1, False)
    app = post(http, "/containers/create", {"name": f"raw-app-{name}"}, body)["Id"]
    post(http, f"/containers/{app}/start")
    return Pair(pause, app)


def remove(http: DockerHttp, made: Pair) -> None:
    """Remove both, running or not."""
    for each in (made.app, made.pause):
        http.call("DELETE", f"/containers/{each}", query={"force": 1, "v": 1})


def post(http: DockerHttp, path: str, query: dict[str, str] | None = None, body: object = None) -> dict[str, str]:
    """A call that must not be refused. Raises RuntimeError."""
    answer = http.call("POST", path, query=query, body=body)
    if not answer.ok:
        raise RuntimeError(f"POST {path}: {answer.message}")
    return answer.data or {}


def engine_id(http: DockerHttp, container_uuid: str) -> str:
    """What the engine calls a container of the service. Raises RuntimeError where it has none."""
    wanted = f'{{"label":["org.openstack.zun.container={container_uuid}"]}}'
    lines = http.call("GET", "/containers/json", query={"all": 1, "filters": wanted}).data
    if not lines:
        raise RuntimeError(f"the engine has no container {container_uuid}")
    return str(lines[0]["Id"])
