"""The members of a Kubernetes v1 ``Pod``, one line each: what is honoured, what may only say what is so anyway, what is refused and why.

Whatever stands in neither of these is refused as unknown, so nothing of a manifest is ever dropped. The table of the user's guide is made
from here.
"""

from __future__ import annotations

from typing import Any

from zun.api import wishes
from zun.api.grammar import Leaf, Many, Member, Node, Only, Refused
from zun.api.manifests import all_refused as _all_refused
from zun.api.manifests import manifest as _manifest
from zun.api.manifests import whole as _whole
from zun.api.pod_probes import PROBE
from zun.api.wishes import MOST_PORTS, MOST_VOLUMES, TEXTS
from zun.domain import kinds, structures
from zun.domain.capsule import MOST_CONTAINERS
from zun.domain.kinds import MAX_TEXT, fixed, text
from zun.domain.model import MAX_VERSION, Bounds, Json, Kind, Version
from zun.domain.quantity import QUANTITY


def _only(*values: Any, why: str) -> Member:
    return Member(Only(values, why))


_TRUTH = Leaf(fixed("boolean", {"type": "boolean"}))
_DNS_LABEL = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


def _strict(value: Any, bounds: Bounds) -> dict[str, str]:
    found: dict[str, str] = structures.LABELS.load(value, bounds)
    return found


#: labels and annotations whose values are strings: what YAML makes of an unquoted 1.10 is not what was written
_STRINGS = Kind("labels", structures.ENVIRONMENT.schema, _strict)

# -- reasons --------------------------------------------------------------------------------------

_CLUSTER = "there is no Kubernetes cluster here, and nothing that could do it."
_SCHEDULING = "where a capsule runs is decided by the service; 'availabilityZone' of a capsule template is what can be asked for."
_SERVICE_ACCOUNTS = "there are no Kubernetes service accounts here."
_CONFIG = "there are no Kubernetes ConfigMaps, Secrets and the like here; only literal values can be given."
_SECURITY = "the service decides with what rights containers run."
_SIDECAR = "init containers run to their end, one after the other; put what shall go on running into 'spec.containers'."
_HOOKS = "containers are started and stopped without hooks."
_VOLUMES = "the volumes of a capsule are of the kind 'emptyDir' here."
_HOST_PORT = "a capsule has an address of its own; nothing of it is opened on the host's."
_DNS = "names are resolved as on the host."
_SERVER_SET = "it is set by Kubernetes itself, never by who makes a Pod."

# -- containers -----------------------------------------------------------------------------------

_ENV = _manifest(
    {
        "name": Member(Leaf(text("name", 1, 255, "^[^=\\u0000]*$")), "its name", required=True),
        "value": Member(Leaf(text("value", 0, MAX_TEXT)), "a text, empty unless said; `$(NAME)` stands for a variable given before"),
        **_all_refused("valueFrom", _CONFIG),
    }
)

_PORT = _manifest(
    {
        "containerPort": Member(_whole(1, 65_535), "a port that the container listens at", required=True),
        "name": Member(Leaf(text("name", 1, 15, "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")), "a name for people; it opens nothing"),
        "protocol": Member(Leaf(wishes.PROTOCOL), "`TCP` (unless said) or `UDP`"),
        "hostPort": Member(Only((0,), _HOST_PORT)),
        "hostIP": Member(Refused(why=_HOST_PORT)),
    }
)

_MOUNT = _manifest(
    {
        "name": Member(Leaf(wishes.VOLUME_NAME), "of the volume", required=True),
        "mountPath": Member(Leaf(structures.DESTINATION), "where it is seen in the container", required=True),
        "readOnly": Member(_TRUTH, "it cannot be written there"),
        "mountPropagation": _only("None", why="mounts are not passed on."),
        "recursiveReadOnly": _only("Disabled", why="there are no mounts below one."),
        **_all_refused("subPath subPathExpr", "volumes are mounted whole."),
    }
)


class Amounts(Node):
    """The amounts of resources: cpu and memory; any other is refused by its name."""

    def __init__(self, cpu: Member) -> None:
        self.known = _manifest({"cpu": cpu, "memory": Member(Leaf(QUANTITY), "rounded up to MiB")})

    def read(self, value: Any, place: Any, reader: Any) -> Any:
        """Fractions by name."""
        if isinstance(value, dict):
            others = [name for name in value if name not in self.known.members]
            for name in others[:1]:
                Refused((), "only 'cpu' and 'memory' can be asked for.").read(value[name], (*place, name), reader)
        return self.known.read(value, place, reader)

    def schema(self, bounds: Bounds, version: Version = MAX_VERSION) -> Json:
        """An object."""
        return self.known.schema(bounds, version)


_RESOURCES = _manifest(
    {
        "requests": Member(
            Amounts(Member(Leaf(QUANTITY), "cores: what it gets of a busy host")),
            "`cpu` and `memory` are set aside for the container; without a limit `memory` is its ceiling, too: each container here has one",
        ),
        "limits": Member(
            Amounts(Member(Leaf(QUANTITY), "cores that it may use at most, also while others are idle")),
            "`memory` is a ceiling, and all of it is set aside; what is not requested is requested as this says",
        ),
        **_all_refused("claims", _CLUSTER),
    }
)

_CONTAINER: dict[str, Member] = {
    "name": Member(Leaf(text("name", 1, 63, _DNS_LABEL)), "the container's name", required=True),
    "image": Member(Leaf(kinds.IMAGE), "the image", required=True),
    "command": Member(Leaf(TEXTS), "the container's `entrypoint`; `$(NAME)` stands for a variable of `env`"),
    "args": Member(Leaf(TEXTS), "the container's `command`; `$(NAME)` stands for a variable of `env`"),
    "env": Member(Many(_ENV, kinds.MAX_ENTRIES), "environment variables"),
    "workingDir": Member(Leaf(kinds.WORKDIR), "the directory that it starts in"),
    "resources": Member(_RESOURCES, "what it is given"),
    "ports": Member(Many(_PORT, MOST_PORTS), "ports that it exposes"),
    "stdin": Member(_TRUTH, "standard input stays open"),
    "tty": Member(_TRUTH, "it has a terminal"),
    "imagePullPolicy": Member(
        Leaf(kinds.choice("pull policy", "Always", "IfNotPresent", "Never")),
        "needs the right `container:create:image_pull_policy`; the deployment decides unless said",
    ),
    "volumeMounts": Member(Many(_MOUNT, MOST_VOLUMES), "the volumes that it sees"),
    "stdinOnce": _only(False, why="standard input stays open as long as the container runs."),
    **_all_refused("terminationMessagePath terminationMessagePolicy", "no message is read when a container ends; its log is kept."),
    **_all_refused("envFrom", _CONFIG),
    **_all_refused("lifecycle", _HOOKS),
    **_all_refused("securityContext", _SECURITY),
    **_all_refused("volumeDevices", _VOLUMES),
    **_all_refused("resizePolicy", _CLUSTER),
    **_all_refused("restartPolicy", _SIDECAR),
    **_all_refused("restartPolicyRules", _CLUSTER),
}

CONTAINER = _manifest(
    {
        **_CONTAINER,
        "livenessProbe": Member(PROBE, "a container that fails it is ended, and started again unless `restartPolicy` is `Never`"),
        "readinessProbe": Member(PROBE, "says whether the container is `ready`"),
        "startupProbe": Member(PROBE, "until it has succeeded the others wait; a container that fails it is ended, too"),
    }
)
INIT_CONTAINER = _manifest(
    {**_CONTAINER, **_all_refused("livenessProbe readinessProbe startupProbe", "init containers are not probed, nor in Kubernetes.")}
)

# -- the Pod --------------------------------------------------------------------------------------

_VOLUME = _manifest(
    {
        "name": Member(Leaf(text("name", 1, 63, _DNS_LABEL)), "its name", required=True),
        "emptyDir": Member(wishes.EMPTY_DIR, "an empty directory that goes with the capsule; what a volume is unless said"),
        **_all_refused(
            "hostPath configMap secret persistentVolumeClaim projected downwardAPI nfs csi ephemeral image awsElasticBlockStore azureDisk"
            " azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo glusterfs iscsi photonPersistentDisk portworxVolume"
            " quobyte rbd scaleIO storageos vsphereVolume",
            _VOLUMES,
        ),
    }
)

_METADATA = _manifest(
    {
        "name": Member(Leaf(kinds.NAME), "the capsule's name", required=True),
        "labels": Member(Leaf(_STRINGS), "the capsule's labels"),
        "annotations": Member(Leaf(_STRINGS), "the capsule's annotations"),
        "namespace": _only("default", why="the project is the namespace here."),
        **_all_refused("generateName", "a capsule is given a name, or none by a capsule template."),
        **_all_refused(
            "creationTimestamp deletionGracePeriodSeconds deletionTimestamp generation managedFields resourceVersion", _SERVER_SET
        ),
        **_all_refused("selfLink uid", _SERVER_SET),
        **_all_refused("finalizers ownerReferences", _CLUSTER),
    }
)

_SPEC = _manifest(
    {
        "containers": Member(Many(CONTAINER, MOST_CONTAINERS, least=1), "they run side by side", required=True),
        "initContainers": Member(Many(INIT_CONTAINER, MOST_CONTAINERS), "they run before, one after the other"),
        "volumes": Member(Many(_VOLUME, MOST_VOLUMES), "directories that containers share"),
        "restartPolicy": Member(
            Leaf(wishes.RESTART), "`Always` unless said; with it an init container that fails is tried 11 times altogether, and no more"
        ),
        "terminationGracePeriodSeconds": Member(_whole(0, 86_400), "30 unless said"),
        "hostname": Member(Leaf(text("host name", 1, 63, _DNS_LABEL)), "the Pod's name unless said"),
        "shareProcessNamespace": Member(_TRUTH, "the containers see each other's processes"),
        "hostNetwork": _only(False, why="a capsule has an address of its own."),
        "hostPID": _only(False, why="a capsule sees its own processes only."),
        "hostIPC": _only(False, why="a capsule has memory to share of its own only."),
        "hostUsers": _only(True, why="containers have no user namespace of their own here."),
        "enableServiceLinks": _only(False, why=_CLUSTER),
        "automountServiceAccountToken": _only(False, why=_SERVICE_ACCOUNTS),
        "dnsPolicy": _only("ClusterFirst", "Default", why=_DNS),
        "schedulerName": _only("default-scheduler", why=_SCHEDULING),
        "setHostnameAsFQDN": _only(False, why=_DNS),
        "os": _only({"name": "linux"}, why="hosts run Linux."),
        **_all_refused("affinity nodeName nodeSelector tolerations topologySpreadConstraints schedulingGates overhead", _SCHEDULING),
        **_all_refused("preemptionPolicy priority priorityClassName", _SCHEDULING),
        **_all_refused("serviceAccount serviceAccountName", _SERVICE_ACCOUNTS),
        **_all_refused("securityContext", _SECURITY),
        **_all_refused("imagePullSecrets", "credentials of registries are kept by the service, for the whole project."),
        **_all_refused("runtimeClassName", "the runtime of capsules cannot be chosen."),
        **_all_refused("resources", "amounts are given per container."),
        **_all_refused("activeDeadlineSeconds", "a capsule runs until it ends or is deleted."),
        **_all_refused("ephemeralContainers", "containers are added to a living capsule by POST /capsules/{id}/containers."),
        **_all_refused("dnsConfig hostAliases subdomain hostnameOverride", _DNS),
        **_all_refused("readinessGates resourceClaims workloadRef", _CLUSTER),
    }
)

POD = _manifest(
    {
        "apiVersion": Member(Leaf(kinds.choice("version", "v1")), "`v1`", required=True),
        "kind": Member(Leaf(kinds.choice("kind", "Pod")), "`Pod`", required=True),
        "metadata": Member(_METADATA, required=True),
        "spec": Member(_SPEC, required=True),
        **_all_refused("status", _SERVER_SET),
    }
)
