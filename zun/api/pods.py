"""A Kubernetes v1 ``Pod`` as the wish of a capsule: the same meaning, the same defaults, and nothing dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from zun.api import pod_probes, wishes
from zun.api.grammar import Reader, wrong
from zun.api.pod_fields import POD
from zun.api.reading import Place
from zun.domain import kinds, quantity
from zun.domain.capsule import CapsuleWish
from zun.domain.model import Json

KIND = "Pod"

#: Kubernetes' default, in seconds
GRACE = 30
HOSTNAME = 63
#: how many characters the references to variables of one manifest may come to
MAX_EXPANDED = 262_144

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")


def wish(manifest: Any, reader: Reader) -> CapsuleWish:
    """What a Pod asks for.

    Raises SchemaValidationError, InvalidValue and NotOffered, which name the field by its place. Whether a pull policy may be chosen is
    for whoever calls this to ask.
    """
    read = POD.read(manifest, (), reader)
    spec, metadata = read["spec"], read["metadata"]
    volumes = _volumes(spec.get("volumes", []))
    containers = _containers(spec, {volume["name"] for volume in volumes}, reader)
    ports: dict[str, Any] = {port: {} for each in containers for port in each.pop("exposed_ports")}
    sandbox: dict[str, Any] = {
        **{name: metadata[name] for name in ("name", "labels", "annotations") if name in metadata},
        "restart_policy": wishes.restart(spec.get("restartPolicy", "Always"), init=False),
        "hostname": spec.get("hostname") or metadata["name"][:HOSTNAME].rstrip("-_."),
        "share_process_namespace": spec.get("shareProcessNamespace", False),
        "exposed_ports": ports,
        "volumes": volumes,
    }
    return wishes.wish(sandbox, containers)


def asks_pull_policy(asked: CapsuleWish) -> bool:
    """Whether some container says when its image shall be pulled."""
    return any("image_pull_policy" in each for each in asked.containers)


def _volumes(asked: list[Json]) -> list[Json]:
    place: Place = ("spec", "volumes")
    wishes.check_names((((*place, number, "name"), each["name"]) for number, each in enumerate(asked)), "volume")
    return [wishes.empty_dir(each["name"], each.get("emptyDir", {}), (*place, number, "emptyDir")) for number, each in enumerate(asked)]


def _containers(spec: Json, volumes: set[str], reader: Reader) -> list[dict[str, Any]]:
    """The containers in the order in which they begin: init containers first."""
    placed = [
        (("spec", member, number), each) for member in ("initContainers", "containers") for number, each in enumerate(spec.get(member, []))
    ]
    wishes.check_names((((*place, "name"), each["name"]) for place, each in placed), "container")
    word = spec.get("restartPolicy", "Always")
    expander = _Expander()
    found = []
    for place, each in placed:
        init = place[1] == "initContainers"
        values = _container(each, place, volumes, reader, expander)
        grace = spec.get("terminationGracePeriodSeconds", GRACE)
        found.append({**values, "init": init, "restart_policy": wishes.restart(word, init=init), "grace": grace})
    return found


def _container(read: Json, place: Place, volumes: set[str], reader: Reader, expander: _Expander) -> dict[str, Any]:
    renamed = {"name": "name", "image": "image", "workingDir": "workdir", "stdin": "interactive", "tty": "tty"}
    values: dict[str, Any] = {key: read[name] for name, key in renamed.items() if name in read}
    environment = expander.environment(read.get("env", []), (*place, "env"))
    values["environment"] = environment
    # Kubernetes' command is what images call their entrypoint, its args their command.
    for name, key in (("command", "entrypoint"), ("args", "command")):
        values[key] = [expander.expand(word, environment, (*place, name, index)) for index, word in enumerate(read.get(name, []))]
    if "imagePullPolicy" in read:
        values["image_pull_policy"] = read["imagePullPolicy"].lower()
    values |= _amounts(read.get("resources", {}), (*place, "resources"), reader)
    _check_ports(read.get("ports", []), (*place, "ports"))
    values["ports"] = sorted({port["containerPort"] for port in read.get("ports", [])})
    values["exposed_ports"] = wishes.exposed((port["containerPort"], port.get("protocol", "TCP")) for port in read.get("ports", []))
    values["volume_mounts"] = _mounts(read.get("volumeMounts", []), (*place, "volumeMounts"), volumes)
    values["probes"] = pod_probes.of(read, place, read.get("ports", []), lambda word, at: expander.expand(word, environment, at))
    return values


# -- resources ------------------------------------------------------------------------------------


def _amounts(read: Json, place: Place, reader: Reader) -> dict[str, Any]:
    """What is set aside: a request that is not made is as large as the limit, as in Kubernetes."""
    requests, limits = read.get("requests", {}), read.get("limits", {})
    for name in requests:
        if name in limits and requests[name] > limits[name]:
            raise wrong((*place, "requests", name), "must not be more than the limit")
    found: dict[str, Any] = {}
    for part, name in (("limits", "cpu_limit"), ("requests", "cpu")):
        if "cpu" in read.get(part, {}):
            found[name] = reader.leaf(kinds.CPU, quantity.cores(read[part]["cpu"]), (*place, part, "cpu"))
    if "cpu_limit" in found:
        found.setdefault("cpu", found["cpu_limit"])
    ceiling = "limits" if "memory" in limits else "requests"
    if "memory" in read.get(ceiling, {}):
        amount: Fraction = read[ceiling]["memory"]
        found["memory"] = reader.leaf(kinds.MEMORY, quantity.mebibytes(amount), (*place, ceiling, "memory"))
    return found


# -- ports, volumes ----------------------------------------------------------------------


def _check_ports(asked: list[Json], place: Place) -> None:
    """Raises InvalidValue for two ports of one name."""
    named = [(number, port) for number, port in enumerate(asked) if "name" in port]
    wishes.check_names((((*place, number, "name"), port["name"]) for number, port in named), "port of the container")


def _mounts(asked: list[Json], place: Place, volumes: set[str]) -> list[Json]:
    wishes.check_names((((*place, number, "mountPath"), mount["mountPath"]) for number, mount in enumerate(asked)), "mount's directory")
    for number, mount in enumerate(asked):
        if mount["name"] not in volumes:
            raise wrong((*place, number, "name"), "is the name of no volume of the Pod")
    return [{"volume": mount["name"], "destination": mount["mountPath"], "read_only": mount.get("readOnly", False)} for mount in asked]


# -- variables ------------------------------------------------------------------------------------


class _Expander:
    """Puts variables in the place of ``$(NAME)``; ``$$`` is a dollar, and a name that is none stays as it stands.

    A manifest of a few lines could say a text of any length: what all references of one manifest come to is bounded.
    """

    def __init__(self) -> None:
        self._left = MAX_EXPANDED

    def environment(self, asked: Iterable[Json], place: Place) -> dict[str, str]:
        """The variables, each with those before it in its value; of several of one name the last one holds."""
        found: dict[str, str] = {}
        for number, variable in enumerate(asked):
            found[variable["name"]] = self.expand(variable.get("value", ""), found, (*place, number, "value"))
        return found

    def expand(self, text: str, variables: Mapping[str, str], place: Place) -> str:
        """The text with the variables in it. Raises InvalidValue where it becomes too long."""

        def value(found: re.Match[str]) -> str:
            if found[1] is None:
                return "$"
            known = variables.get(found[1])
            if known is None:
                return found[0]
            self._left -= len(known)
            if self._left < 0:
                raise wrong(place, f"the references to variables of the manifest come to more than {MAX_EXPANDED} characters")
            return known

        return _REFERENCE.sub(value, text)
