"""Kubernetes Pods as wishes: manifests as tutorials have them, and what becomes of each member."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zun import errors
from zun.api import pod_fields, pods
from zun.api.grammar import Many, Member, Object, Only, Reader
from zun.domain.capsule import CapsuleWish
from zun.domain.model import Bounds, Version


def wish(manifest: Any) -> CapsuleWish:
    return pods.wish(yaml.safe_load(manifest) if isinstance(manifest, str) else manifest, Reader(Bounds(), Version(1, 40)))


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": "busybox", **(container or {})}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": {"containers": containers, **spec}}


def refusal(manifest: Any) -> str:
    with pytest.raises(errors.BadRequest) as found:
        wish(manifest)
    return str(found.value)


# -- manifests ------------------------------------------------------------------------------------

FROM_KUBECTL_RUN = """
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels: {run: nginx}
  name: nginx
spec:
  containers:
  - image: nginx
    name: nginx
    resources: {}
  dnsPolicy: ClusterFirst
  restartPolicy: Always
status: {}
"""

SIDECAR = """
apiVersion: v1
kind: Pod
metadata:
  name: two-containers
  namespace: default
  labels: {app: web, tier: front}
  annotations: {note: "two of them"}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 5
  shareProcessNamespace: true
  volumes:
  - name: shared-data
    emptyDir: {}
  - name: fast
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  - name: unsaid
  initContainers:
  - name: prepare
    image: busybox:1.36
    command: [sh, -c, "echo hello > /pod-data/index.html"]
    volumeMounts:
    - {name: shared-data, mountPath: /pod-data}
  containers:
  - name: nginx
    image: nginx:1.27
    imagePullPolicy: IfNotPresent
    ports:
    - {name: http, containerPort: 80}
    - {containerPort: 53, protocol: UDP}
    volumeMounts:
    - {name: shared-data, mountPath: /usr/share/nginx/html/, readOnly: true}
    resources:
      requests: {memory: "64Mi", cpu: "250m"}
      limits: {memory: "128Mi"}
  - name: d
    image: debian
    command: ["/bin/sh", "-c"]
    args: ["echo $(GREETING), $(NOBODY), $$(GREETING) > /pod-data/index.html"]
    workingDir: /srv
    stdin: true
    tty: true
    env:
    - {name: WHO, value: world}
    - {name: GREETING, value: "hello $(WHO)"}
    - {name: EMPTY}
    volumeMounts:
    - {name: fast, mountPath: /cache}
"""


def test_what_kubectl_run_writes_is_taken_as_it_is() -> None:
    asked = wish(FROM_KUBECTL_RUN)
    assert asked.sandbox == {
        "name": "nginx",
        "labels": {"run": "nginx"},
        "restart_policy": {"Name": "always", "MaximumRetryCount": "0"},
        "hostname": "nginx",
        "share_process_namespace": False,
        "exposed_ports": {},
        "volumes": [],
    }
    (container,) = asked.containers
    assert (container["image"], container["name"], container["grace"], container["init"]) == ("nginx", "nginx", 30, False)
    assert not {"cpu", "memory", "image_pull_policy"} & set(container), "the deployment's defaults"


def test_a_manifest_with_everything() -> None:
    asked = wish(SIDECAR)
    assert asked.sandbox["exposed_ports"] == {"80/tcp": {}, "53/udp": {}}
    assert asked.sandbox["share_process_namespace"] is True
    assert asked.sandbox["volumes"] == [
        {"name": "shared-data", "type": "empty", "medium": "", "size": None},
        {"name": "fast", "type": "empty", "medium": "Memory", "size": 64 * 2**20},
        {"name": "unsaid", "type": "empty", "medium": "", "size": None},
    ]
    prepare, nginx, debian = asked.containers
    assert [each["init"] for each in asked.containers] == [True, False, False]
    assert {each["grace"] for each in asked.containers} == {5}
    assert prepare["entrypoint"] == ["sh", "-c", "echo hello > /pod-data/index.html"] and prepare["command"] == []
    assert prepare["volume_mounts"] == [{"volume": "shared-data", "destination": "/pod-data", "read_only": False}]
    assert (nginx["cpu"], nginx["memory"], nginx["ports"], nginx["image_pull_policy"]) == (0.25, 128, [53, 80], "ifnotpresent")
    assert nginx["volume_mounts"] == [{"volume": "shared-data", "destination": "/usr/share/nginx/html", "read_only": True}]
    assert debian["name"] == "d", "of one character, as containers of Pods may have it"
    assert (debian["entrypoint"], debian["workdir"], debian["interactive"], debian["tty"]) == (["/bin/sh", "-c"], "/srv", True, True)
    assert debian["command"] == ["echo hello world, $(NOBODY), $(GREETING) > /pod-data/index.html"]
    assert debian["environment"] == {"WHO": "world", "GREETING": "hello world", "EMPTY": ""}


@pytest.mark.parametrize(
    ("resources", "cpu", "ceiling"),
    [
        ({"requests": {"cpu": "250m"}}, 0.25, None),
        ({"requests": {"cpu": "250m"}, "limits": {"cpu": "1500m"}}, 0.25, 1.5),
        ({"requests": {"cpu": 1}, "limits": {"cpu": 1}}, 1.0, 1.0),
        ({"limits": {"cpu": "2"}}, 2.0, 2.0),
        ({"limits": {"memory": "64Mi"}}, None, None),
    ],
)
def test_a_limit_of_cpu_is_a_ceiling_and_unless_said_the_request(
    resources: dict[str, Any], cpu: float | None, ceiling: float | None
) -> None:
    (container,) = wish(pod({"resources": resources})).containers
    assert (container.get("cpu"), container.get("cpu_limit")) == (cpu, ceiling)


#: manifest, words of the refusal
REFUSED = [
    (pod({"envFrom": [{"configMapRef": {"name": "x"}}]}), "'spec.containers[0].envFrom' cannot be honoured"),
    (pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}), "'spec.containers[0].env[0].valueFrom' cannot be honoured"),
    (pod({"livenessProbe": {"grpc": {"port": 1}}}), "'spec.containers[0].livenessProbe.grpc' cannot be honoured"),
    (
        pod(initContainers=[{"name": "init", "image": "busybox", "readinessProbe": {"tcpSocket": {"port": 1}}}]),
        "'spec.initContainers[0].readinessProbe' cannot be honoured",
    ),
    (pod({"lifecycle": {"preStop": {}}}), "'spec.containers[0].lifecycle' cannot be honoured"),
    (pod({"securityContext": {"runAsUser": 1000}}), "'spec.containers[0].securityContext' cannot be honoured"),
    (pod({"ports": [{"containerPort": 80, "hostPort": 80}]}), "'spec.containers[0].ports[0].hostPort' cannot be honoured"),
    (pod({"resources": {"limits": {"cpu": "17"}}}), "'spec.containers[0].resources.limits.cpu': must be"),
    (pod({"resources": {"limits": {"cpu": 0}}}), "'spec.containers[0].resources.limits.cpu': must be"),
    (pod({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1999m"}}}), "requests.cpu': must not be more than the limit"),
    (pod({"resources": {"limits": {"nvidia.com/gpu": 1}}}), "'spec.containers[0].resources.limits.nvidia.com/gpu' cannot be honoured"),
    (pod(volumes=[{"name": "a", "hostPath": {"path": "/"}}]), "'spec.volumes[0].hostPath' cannot be honoured"),
    (pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}]), "'spec.volumes[0].emptyDir.sizeLimit' cannot be honoured"),
    (pod(nodeSelector={"disk": "ssd"}), "'spec.nodeSelector' cannot be honoured"),
    (pod(hostNetwork=True), "'spec.hostNetwork' cannot be honoured"),
    (pod(dnsPolicy="None"), "'spec.dnsPolicy' cannot be honoured"),
    (pod(initContainers=[{"name": "init", "image": "busybox", "restartPolicy": "Always"}]), "'spec.initContainers[0].restartPolicy'"),
    ({**pod(), "status": {"phase": "Running"}}, "'status' cannot be honoured"),
    ({**pod(), "metadata": {"name": "shop", "namespace": "kube-system"}}, "'metadata.namespace' cannot be honoured"),
    ({**pod(), "metadata": {"name": "shop", "ownerReferences": [{}]}}, "'metadata.ownerReferences' cannot be honoured"),
]

#: manifest, words of the error
WRONG = [
    ({**pod(), "apiVersion": "v2"}, "'apiVersion': must be one of 'v1'"),
    ({**pod(), "metadata": {}}, "'metadata.name': is required"),
    ({**pod(), "metadata": {"name": "shop", "labels": {"version": 1.10}}}, "'metadata.labels.version': must be a string"),
    (pod({"imagePullPolcy": "Never"}), "'spec.containers[0].imagePullPolcy': is no member of a Kubernetes v1 Pod"),
    (pod({"name": None}), "'spec.containers[0].name': is required"),
    (pod({"name": "Web_1"}), "'spec.containers[0].name'"),
    (pod({"command": "sleep"}), "'spec.containers[0].command': must be a list"),
    (pod({"env": [{"name": "A", "value": 5}]}), "'spec.containers[0].env[0].value': must be a string"),
    (pod({"env": {"A": "b"}}), "'spec.containers[0].env': must be a list"),
    (pod({"ports": [{"containerPort": "80"}]}), "'spec.containers[0].ports[0].containerPort': must be an integer"),
    (pod({"ports": [{"containerPort": 80, "protocol": "SCTP"}]}), "'spec.containers[0].ports[0].protocol'"),
    (pod({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]}), "'spec.containers[0].ports[1].name'"),
    (pod({"resources": {"requests": {"memory": "64 MB"}}}), "'spec.containers[0].resources.requests.memory': must be an amount"),
    (pod({"resources": {"requests": {"memory": "1Ti"}}}), "'spec.containers[0].resources.requests.memory': must be"),
    (pod({"resources": {"requests": {"cpu": "10m"}}}), "'spec.containers[0].resources.requests.cpu': must be"),
    (pod({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}), "requests.memory': must not be more than the limit"),
    (pod({"volumeMounts": [{"name": "a", "mountPath": "/a"}]}), "'spec.containers[0].volumeMounts[0].name': is the name of no volume"),
    (pod(initContainers=[{"name": "web", "image": "busybox"}]), "'spec.containers[0].name': is the name of another container"),
    (pod(volumes=[{"name": "a"}, {"name": "a"}]), "'spec.volumes[1].name': is the name of another volume"),
    (pod(terminationGracePeriodSeconds=-1), "'spec.terminationGracePeriodSeconds': must be at least 0"),
    (pod(restartPolicy="always"), "'spec.restartPolicy'"),
]


@pytest.mark.parametrize(("manifest", "words"), [*REFUSED, *WRONG], ids=lambda each: str(each)[-60:])
def test_what_cannot_be_honoured_is_refused_by_its_name(manifest: Any, words: str) -> None:
    assert words in refusal(manifest)


def test_null_is_not_given_anywhere() -> None:
    nulls = {name: None for name in pod_fields.CONTAINER.members if name not in ("name", "image")}
    spec = dict.fromkeys(("restartPolicy", "volumes", "hostNetwork", "affinity", "hostname", "dnsPolicy"))
    assert wish(pod(nulls, **spec)) == wish(pod())


def test_references_to_variables_stay_within_bounds() -> None:
    doubling = [{"name": "V0", "value": "x" * 1000}, *({"name": f"V{n}", "value": f"$(V{n - 1})$(V{n - 1})"} for n in range(1, 64))]
    assert "references to variables of the manifest come to more than" in refusal(pod({"env": doubling}))


def _members(node: Object, within: str = "") -> list[tuple[str, Member]]:
    found = []
    for name, member in node.members.items():
        found.append((f"{within}{name}", member))
        inner = member.node.of if isinstance(member.node, Many) else member.node
        if isinstance(inner, Object):
            found += _members(inner, f"{within}{name}.")
    return found


def test_every_member_is_honoured_or_says_why_not() -> None:
    for name, member in _members(pod_fields.POD):
        if isinstance(member.node, Only):
            assert member.node.why.endswith("."), name


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(sorted({name.split(".")[-1] for name, _ in _members(pod_fields.POD)}))
PARTS = st.recursive(ANYTHING, lambda inner: st.dictionaries(NAMES, inner, max_size=6) | st.lists(inner, max_size=3), max_leaves=20)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, PARTS, max_size=5), st.dictionaries(NAMES, PARTS, max_size=5))
def test_whatever_is_sent_is_a_wish_or_a_400_that_names_a_field(container: dict[str, Any], spec: dict[str, Any]) -> None:
    manifest = pod(container)
    manifest["spec"] |= spec
    try:
        assert wish(manifest).containers
    except errors.BadRequest as error:
        assert error.details["field"]
