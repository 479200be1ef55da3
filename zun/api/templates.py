"""The capsule template (REST contract, section 9): its grammar, and the wish that it states."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from zun.api import wishes
from zun.api.grammar import Leaf, Many, Member, Node, Object, Reader, wrong
from zun.api.reading import Place
from zun.api.wishes import MOST_PORTS, MOST_VOLUMES, TEXTS
from zun.domain import kinds, structures
from zun.domain.capsule import MOST_CONTAINERS, CapsuleWish
from zun.domain.kinds import fixed
from zun.domain.model import Field, Json, Kind, Version

#: from here on a template may say more of a capsule than the contract's last version knows
MORE = Version(1, 41)

KINDS = ("capsule", "Capsule")

_SIZE = fixed(
    "GiB",
    {"anyOf": [{"type": "number", "minimum": 1, "maximum": 2**20}, {"type": "string", "pattern": "^[1-9][0-9]*$", "maxLength": 7}]},
)

_REQUESTS = Object({"cpu": Member(Leaf(kinds.CPU), "cores"), "memory": Member(Leaf(kinds.MEMORY), "MiB")}, null=True)

_PORT = Object(
    {
        "containerPort": Member(Leaf(wishes.PORT_DIGITS), "a port that the container listens at", required=True),
        "hostPort": Member(Leaf(kinds.whole("port", 0, 65_535)), "has no effect"),
        "protocol": Member(Leaf(wishes.PROTOCOL), "`TCP` unless said"),
        "name": Member(Leaf(kinds.optional_text("name", 0, 255)), "has no effect"),
    }
)

_MOUNT = Object(
    {
        "name": Member(Leaf(wishes.VOLUME_NAME), "of the volume", required=True),
        "mountPath": Member(Leaf(structures.DESTINATION), "where it is seen in the container", required=True),
        "readOnly": Member(Leaf(kinds.BOOLEAN), "has an effect from 1.41 on"),
    }
)

#: one container, be it an init container or a regular one
ENTRY = Object(
    {
        "image": Member(Leaf(kinds.IMAGE), "image reference", required=True),
        "name": Member(Leaf(kinds.NAME), "has no effect"),
        "command": Member(Leaf(TEXTS), "what it runs"),
        "args": Member(Leaf(TEXTS), "stand behind the command"),
        "env": Member(Leaf(structures.ENVIRONMENT), "environment variables"),
        "workDir": Member(Leaf(kinds.WORKDIR), "the directory that it starts in"),
        "stdin": Member(Leaf(kinds.BOOLEAN), "standard input stays open"),
        "tty": Member(Leaf(kinds.BOOLEAN), "it has a terminal"),
        "imagePullPolicy": Member(Leaf(kinds.PULL_POLICY), "has an effect for who may say it only"),
        "resources": Member(Object({"requests": Member(_REQUESTS, "what is set aside for it")}, null=True), "what it is given"),
        "ports": Member(Many(_PORT, MOST_PORTS), "ports that it exposes"),
        "registry": Member(Leaf(kinds.REGISTRY), "name or uuid of the registry where its image is", since=MORE),
        "volumeMounts": Member(Many(_MOUNT, MOST_VOLUMES), "the volumes that it sees; a name that no volume has is ignored"),
    }
)

_CINDER = Object(
    {
        "volumeID": Member(Leaf(kinds.text("uuid", 36, 36)), "a volume that there is"),
        "size": Member(Leaf(_SIZE), "GiB of a new volume, in its place"),
        "autoRemove": Member(Leaf(kinds.BOOLEAN), "the new volume goes with the capsule"),
    }
)

_VOLUME = Object(
    {
        "name": Member(Leaf(kinds.text("name", 2, 255)), "by which containers mount it", required=True),
        "cinder": Member(_CINDER, "a volume of Cinder"),
        "emptyDir": Member(wishes.EMPTY_DIR, "a directory that goes with the capsule", since=MORE),
    }
)

_METADATA = Object(
    {
        "name": Member(Leaf(kinds.NAME), "the capsule's name"),
        "labels": Member(Leaf(structures.LABELS), "the user's own words on it"),
        "annotations": Member(Leaf(structures.LABELS), "the user's own words on it, too"),
    },
    extra=True,
)

_SPEC = Object(
    {
        "restartPolicy": Member(Leaf(wishes.RESTART), "of its containers: `Always` unless said"),
        "containers": Member(Many(ENTRY, MOST_CONTAINERS, least=1, null=False), "those that run side by side", required=True),
        "initContainers": Member(Many(ENTRY, MOST_CONTAINERS), "those that run before, one after the other, each to its end"),
        "volumes": Member(Many(_VOLUME, MOST_VOLUMES), "what its containers may mount"),
        "shareProcessNamespace": Member(Leaf(kinds.BOOLEAN), "its containers see each other's processes", since=MORE),
        "hostname": Member(Leaf(kinds.HOSTNAME), "the name that it has for itself", since=MORE),
        "terminationGracePeriodSeconds": Member(
            Leaf(kinds.whole("seconds", 0, 86_400)), "that each container is given to end when it is stopped", since=MORE
        ),
    },
    extra=True,
)

TEMPLATE = Object(
    {
        "kind": Member(Leaf(kinds.choice("kind", *KINDS)), "that it is a capsule", required=True),
        "metadata": Member(_METADATA, "what it is called", required=True),
        "spec": Member(_SPEC, "what it is made of", required=True),
        "capsuleVersion": Member(Leaf(kinds.choice("version", "beta", "Beta")), "has no effect"),
        "availabilityZone": Member(Leaf(kinds.ZONE), "the zone that it shall be in"),
        "restartPolicy": Member(Leaf(wishes.RESTART), "has no effect: spec.restartPolicy has"),
    },
    unknown="is not known to capsule templates",
)


def wish(template: Any, reader: Reader, *, may_pull: bool) -> CapsuleWish:
    """What a template asks for. ``may_pull`` says whether the caller may choose a pull policy; who may not has none.

    Raises SchemaValidationError, InvalidValue and NotOffered, which name the field by its place.
    """
    read = TEMPLATE.read(template, (), reader)
    spec, metadata = read["spec"], read["metadata"]
    word = spec.get("restartPolicy", "Always")
    more: dict[str, Any] = {"restart_policy": wishes.restart(word, init=False)}
    if "terminationGracePeriodSeconds" in spec:
        more["grace"] = spec["terminationGracePeriodSeconds"]
    regular = [entry(each, reader, may_pull=may_pull) for each in spec["containers"]]
    init = [entry(each, reader, may_pull=may_pull) for each in spec.get("initContainers", ())]
    containers = [{**each, **more, "restart_policy": wishes.restart(word, init=True), "init": True} for each in init]
    containers += [{**each, **more, "init": False} for each in regular]
    volumes = _volumes(spec, containers)
    _only_known(containers, volumes)
    sandbox: dict[str, Any] = {
        "restart_policy": wishes.restart(word, init=False),
        "exposed_ports": {port: {} for each in containers for port in each.pop("exposed_ports")},
        "volumes": volumes,
        **{name: metadata[name] for name in ("name", "labels", "annotations") if name in metadata},
    }
    for name, key in (
        ("shareProcessNamespace", "share_process_namespace"),
        ("hostname", "hostname"),
    ):
        if name in spec:
            sandbox[key] = spec[name]
    if "availabilityZone" in read:
        sandbox["availability_zone"] = read["availabilityZone"]
    return wishes.wish(sandbox, containers)


def entry(read: Json, reader: Reader, *, may_pull: bool) -> dict[str, Any]:
    """One container's values by field name. ``exposed_ports`` is among them, for the sandbox that it will be in."""
    renamed = {"image": "image", "env": "environment", "workDir": "workdir", "stdin": "interactive", "tty": "tty", "registry": "registry"}
    values: dict[str, Any] = {key: read[name] for name, key in renamed.items() if name in read}
    values["command"] = [*read.get("command", ()), *read.get("args", ())]
    values |= read.get("resources", {}).get("requests", {})
    if may_pull and read.get("imagePullPolicy"):
        values["image_pull_policy"] = read["imagePullPolicy"]
    ports = [(port["containerPort"], port.get("protocol", "TCP")) for port in read.get("ports", ())]
    values["ports"] = sorted({port for port, _ in ports})
    values["exposed_ports"] = wishes.exposed(ports)
    values["volume_mounts"] = [
        {
            "volume": mount["name"],
            "destination": mount["mountPath"],
            "read_only": reader.version >= MORE and mount.get("readOnly", False),
        }
        for mount in read.get("volumeMounts", ())
    ]
    return values


def _volumes(spec: Json, containers: list[dict[str, Any]]) -> list[Json]:
    """The volumes of the capsule. Raises InvalidValue for one that is none or that nobody mounts."""
    mounted = {mount["volume"] for each in containers for mount in each["volume_mounts"]}
    asked = spec.get("volumes", [])
    wishes.check_names(((("spec", "volumes", number, "name"), each["name"]) for number, each in enumerate(asked)), "volume")
    found = []
    for number, volume in enumerate(asked):
        place: Place = ("spec", "volumes", number)
        if ("cinder" in volume) == ("emptyDir" in volume):
            raise wrong((*place, "cinder"), "is required, or 'emptyDir' from microversion 1.41 on, and not both")
        if "cinder" in volume:
            _check_cinder(volume["cinder"], (*place, "cinder"))
        if volume["name"] not in mounted:
            raise wrong((*place, "name"), "is mounted by no container")
        if "cinder" in volume:
            found.append(_cinder(volume["name"], volume["cinder"]))
        else:
            found.append(wishes.empty_dir(volume["name"], volume["emptyDir"], (*place, "emptyDir")))
    return found


def _cinder(name: str, asked: Json) -> Json:
    """A volume of Cinder: one that there is, or one that is to be made."""
    if "volumeID" in asked:
        return {"name": name, "type": "cinder", "source": asked["volumeID"]}
    return {"name": name, "type": "cinder", "size": math.ceil(float(asked["size"])), "stays": not asked.get("autoRemove", False)}


def _check_cinder(asked: Json, place: Place) -> None:
    if ("volumeID" in asked) == ("size" in asked):
        raise wrong(place, "must have exactly one of 'volumeID' and 'size'")
    if asked.get("autoRemove") and "size" not in asked:
        raise wrong((*place, "autoRemove"), "can be given with 'size' only")


def _only_known(containers: list[dict[str, Any]], volumes: list[Json]) -> None:
    """Leaves out mounts of what is no volume: the contract ignores them."""
    names = {volume["name"] for volume in volumes}
    for each in containers:
        each["volume_mounts"] = [mount for mount in each["volume_mounts"] if mount["volume"] in names]


# -- one container by itself ----------------------------------------------------------------------


def _as_it_is(node: Node) -> Kind:
    """The form of a part of the grammar, for a call that takes it as a parameter."""
    return Kind("part of a template", node.schema, lambda value, bounds: value)


def _options() -> Iterator[tuple[str, Any, Any]]:
    for name, member in ENTRY.members.items():
        about = Field(doc=member.doc, create=_as_it_is(member.node), required=member.required, since=member.since)
        yield name, Annotated[Any, about], None


#: the parameters of a call that adds a container: the members of a container's entry
Entry = msgspec.defstruct("Entry", list(_options()), frozen=True, kw_only=True)
