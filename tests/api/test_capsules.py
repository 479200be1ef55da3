"""The calls on capsules (REST contract, section 9): templates, Pods, who may do what, how capsules are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.edge import HOST, OTHER, Edge, error
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox

PATH = "/v1/capsules"
SCHEMA = "container.schema-validation-error"
VALUE = "container.invalid-value"
REFUSED = "container.not-offered"
DENIED = "container.policy-not-authorized"

CONTAINER = {"image": "busybox"}


def template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"kind": "capsule", "metadata": {}, "spec": {"containers": list(containers) or [CONTAINER], **spec}}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    given = [{"name": f"c{number}", "image": "busybox", **each} for number, each in enumerate(containers or ({},))]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": given, **spec}}


def capsules(edge: Edge) -> list[Sandbox]:
    with edge.store.read() as tx:
        return tx.find(Sandbox, {"capsule": True})


def made(edge: Edge, asked: Any, at: str = "1.40", role: str = "member") -> tuple[Sandbox, list[Container]]:
    """The capsule that was made of this template."""
    answer = edge("POST", PATH, json={"template": asked}, at=at, role=role)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"http://cloud.example:9517/v1/capsules/{answer.json['uuid']}"
    rows = [row for row in edge.rows() if row.sandbox_uuid == answer.json["uuid"]]
    return next(row for row in capsules(edge) if row.uuid == answer.json["uuid"]), sorted(rows, key=lambda row: row.position)


def refused(edge: Edge, asked: Any, at: str = "1.40", role: str = "member") -> dict[str, Any]:
    """The error that this template met; nothing was made of it."""
    found = error(edge("POST", PATH, json={"template": asked}, at=at, role=role))
    assert edge.rows() == [] and capsules(edge) == []
    return found


# -- templates ------------------------------------------------------------------------------------


def test_a_template_with_everything(edge: Edge) -> None:
    asked = {
        "kind": "Capsule",
        "capsuleVersion": "beta",
        "availabilityZone": "nova",
        "restartPolicy": "Never",
        "metadata": {"name": "shop", "labels": {"app": "shop", "n": 1}, "annotations": {"a": "b"}, "else": 1},
        "spec": {
            "restartPolicy": "OnFailure",
            "else": {},
            "containers": [
                {
                    "image": "busybox",
                    "name": "ignored",
                    "command": ["sh", "-c"],
                    "args": ["sleep 1"],
                    "env": {"A": "b"},
                    "workDir": "/tmp",
                    "stdin": True,
                    "tty": "true",
                    "imagePullPolicy": "Always",
                    "resources": {"requests": {"cpu": "0.5", "memory": "64"}},
                    "ports": [
                        {"containerPort": "80", "hostPort": 8080, "protocol": "TCP", "name": "web"},
                        {"containerPort": 53, "protocol": "UDP"},
                    ],
                    "volumeMounts": [{"name": "nowhere", "mountPath": "/x", "readOnly": "False"}],
                }
            ],
            "initContainers": [{"image": "alpine"}],
            "volumes": None,
        },
    }
    capsule, (init, regular) = made(edge, asked)
    assert (capsule.name, capsule.labels, capsule.annotations) == ("shop", {"app": "shop", "n": "1"}, {"a": "b"})
    assert (capsule.availability_zone, capsule.restart_policy) == ("nova", {"MaximumRetryCount": "0", "Name": "on-failure"})
    assert capsule.exposed_ports == {"80/tcp": {}, "53/udp": {}}
    assert (init.init, init.image, regular.init) == (True, "alpine", False)
    assert (regular.command, regular.entrypoint, regular.environment) == (["sh", "-c", "sleep 1"], [], {"A": "b"})
    assert (regular.workdir, regular.interactive, regular.tty) == ("/tmp", True, True)
    assert (regular.cpu, regular.memory, regular.ports) == (0.5, 64, [53, 80])
    assert regular.image_pull_policy is None, "a member may not choose it, and is not told so"
    assert regular.name.startswith("capsule-shop-")
    assert regular.volume_mounts == []


def test_an_administrator_chooses_when_images_are_pulled(edge: Edge) -> None:
    _, (container,) = made(edge, template({**CONTAINER, "imagePullPolicy": "IfNotPresent"}), role="admin")
    assert container.image_pull_policy == "ifnotpresent"


@pytest.mark.parametrize(
    ("word", "regular", "init"),
    [
        ("Always", {"MaximumRetryCount": "0", "Name": "always"}, {"MaximumRetryCount": "10", "Name": "on-failure"}),
        ("OnFailure", {"MaximumRetryCount": "0", "Name": "on-failure"}, {"MaximumRetryCount": "0", "Name": "on-failure"}),
        ("Never", {"MaximumRetryCount": "0", "Name": "no"}, {"MaximumRetryCount": "0", "Name": "no"}),
    ],
)
def test_regular_containers_keep_their_policy_beside_init_containers(edge: Edge, word: str, regular: Any, init: Any) -> None:
    _, (first, second) = made(edge, template(restartPolicy=word, initContainers=[CONTAINER]))
    assert (first.restart_policy, second.restart_policy) == (init, regular)


def test_a_template_may_be_json_text(edge: Edge) -> None:
    capsule, _ = made(edge, json.dumps(template()))
    assert capsule.name is None


VOLUME = {"name": "data", "cinder": {"size": 1, "autoRemove": True}}
MOUNTS = {**CONTAINER, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}

#: template, code, words of the answer
WRONG = [
    ("{", VALUE, "'template'"),
    ("[]", SCHEMA, "'template'"),
    ('{"a": 1, "a": 2}', VALUE, "'template'"),
    (5, SCHEMA, "'template'"),
    (None, SCHEMA, "'template'"),
    ({}, SCHEMA, "'kind': is required"),
    ({"kind": "Deployment"}, SCHEMA, "'kind': must be one of 'capsule', 'Capsule', 'Pod'"),
    ({"kind": "capsule"}, SCHEMA, "'metadata': is required"),
    ({**template(), "nets": []}, SCHEMA, "'nets'"),
    ({**template(), "metadata": {"name": "x"}}, SCHEMA, "'metadata.name'"),
    ({**template(), "metadata": {"labels": {"a": []}}}, SCHEMA, "'metadata.labels.a'"),
    ({**template(), "capsuleVersion": "1"}, SCHEMA, "'capsuleVersion'"),
    ({**template(), "availabilityZone": ""}, SCHEMA, "'availabilityZone'"),
    ({**template(), "restartPolicy": "always"}, SCHEMA, "'restartPolicy'"),
    ({"kind": "capsule", "metadata": {}, "spec": {}}, SCHEMA, "'spec.containers': is required"),
    (template(containers=[]), SCHEMA, "'spec.containers': must have at least 1 item(s)"),
    (template(containers=None), SCHEMA, "'spec.containers'"),
    (template(containers=[CONTAINER] * 65), SCHEMA, "'spec.containers': must have at most 64 items"),
    (template(*[CONTAINER] * 60, initContainers=[CONTAINER] * 5), VALUE, "'spec.containers': a capsule has at most 64"),
    (template(restartPolicy="Sometimes"), SCHEMA, "'spec.restartPolicy'"),
    (template({}), SCHEMA, "'spec.containers[0].image': is required"),
    (template(CONTAINER, {"image": "b"}), SCHEMA, "'spec.containers[1].image': must have at least 2"),
    (template({**CONTAINER, "foo": 1}), SCHEMA, "'spec.containers[0].foo'"),
    (template(initContainers=[{"image": "busybox", "foo": 1}]), SCHEMA, "'spec.initContainers[0].foo'"),
    (template(initContainers=[{}]), SCHEMA, "'spec.initContainers[0].image': is required"),
    (template({**CONTAINER, "command": "sleep"}), SCHEMA, "'spec.containers[0].command'"),
    (template({**CONTAINER, "args": ["a", 1]}), SCHEMA, "'spec.containers[0].args[1]'"),
    (template({**CONTAINER, "env": {"A": 1}}), SCHEMA, "'spec.containers[0].env.A'"),
    (template({**CONTAINER, "stdin": 1}), SCHEMA, "'spec.containers[0].stdin'"),
    (template({**CONTAINER, "resources": {"limits": {}}}), SCHEMA, "'spec.containers[0].resources.limits'"),
    (template({**CONTAINER, "resources": {"requests": {"cpu": 99}}}), SCHEMA, "'spec.containers[0].resources.requests.cpu'"),
    (template({**CONTAINER, "resources": {"requests": {"cpu": "99"}}}), VALUE, "'spec.containers[0].resources.requests.cpu'"),
    (template({**CONTAINER, "resources": {"requests": {"memory": "64m"}}}), SCHEMA, "'spec.containers[0].resources.requests.memory'"),
    (template({**CONTAINER, "ports": [{"containerPort": 0}]}), VALUE, "'spec.containers[0].ports[0].containerPort'"),
    (template({**CONTAINER, "ports": [{"containerPort": -1}]}), VALUE, "'spec.containers[0].ports[0].containerPort'"),
    (template({**CONTAINER, "ports": [{}]}), SCHEMA, "'spec.containers[0].ports[0].containerPort': is required"),
    (template({**CONTAINER, "ports": [{"containerPort": 1, "protocol": "SCTP"}]}), SCHEMA, "'spec.containers[0].ports[0].protocol'"),
    (template({**CONTAINER, "volumeMounts": [{"name": "a"}]}), SCHEMA, "'spec.containers[0].volumeMounts[0].mountPath': is required"),
    (template({**CONTAINER, "volumeMounts": [{"name": "a", "mountPath": "b"}]}), VALUE, "'spec.containers[0].volumeMounts[0].mountPath'"),
    (template(MOUNTS, volumes=[{"name": "data"}]), VALUE, "'spec.volumes[0].cinder': is required"),
    (template(MOUNTS, volumes=[{"name": "data", "cinder": {}}]), VALUE, "exactly one of 'volumeID' and 'size'"),
    (template(MOUNTS, volumes=[{"name": "data", "cinder": {"size": 1, "volumeID": "x" * 36}}]), VALUE, "exactly one of"),
    (template(MOUNTS, volumes=[{"name": "data", "cinder": {"volumeID": "x" * 36, "autoRemove": True}}]), VALUE, "autoRemove"),
    (template(MOUNTS, volumes=[{"name": "data", "cinder": {"volumeID": "x"}}]), SCHEMA, "'spec.volumes[0].cinder.volumeID'"),
    (template(volumes=[VOLUME]), VALUE, "'spec.volumes[0].name': is mounted by no container"),
    (template(MOUNTS, volumes=[VOLUME, VOLUME]), VALUE, "'spec.volumes[1].name'"),
    (template(MOUNTS, volumes=[VOLUME]), REFUSED, "'spec.volumes[0].cinder' cannot be honoured: this deployment has no volume service"),
    (template({**CONTAINER, "image": "busybox!"}), "container.invalid-image", "busybox!"),
]


@pytest.mark.parametrize(("asked", "code", "words"), WRONG, ids=lambda each: str(each)[-60:])
def test_what_a_template_may_not_say_is_told_by_its_place(edge: Edge, asked: Any, code: str, words: str) -> None:
    found = refused(edge, asked)
    assert (found["code"], found["status"]) == (code, 400)
    assert words in found["detail"]


def test_nothing_but_a_template_is_taken(edge: Edge) -> None:
    found = error(edge("POST", PATH, json={"template": template(), "name": "x"}))
    assert (found["code"], capsules(edge)) == (SCHEMA, [])
    assert "'template': is required" in error(edge("POST", PATH, json={}))["detail"]


def test_a_template_may_say_more_from_1_41_on(edge: Edge) -> None:
    asked = template(
        {**CONTAINER, "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}]},
        volumes=[{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}],
        shareProcessNamespace=True,
        hostname="inside",
        terminationGracePeriodSeconds=3,
    )
    assert "emptyDir" in refused(edge, asked, at="1.40")["detail"]
    capsule, (container,) = made(edge, asked, at="1.41")
    assert (capsule.share_process_namespace, capsule.hostname, container.grace) == (True, "inside", 3)
    assert capsule.volumes == [{"name": "data", "type": "empty", "medium": "Memory", "size": 64 * 2**20}]
    assert container.volume_mounts == [{"volume": "data", "destination": "/data", "read_only": True}]
    del asked["spec"]["volumes"]
    older, (container,) = made(edge, asked, at="1.40")
    assert (older.share_process_namespace, older.hostname, container.grace) == (False, None, None)


# -- Pods -----------------------------------------------------------------------------------------


def test_a_pod_is_a_capsule_at_every_version(edge: Edge) -> None:
    asked = pod({"command": ["/bin/app"], "args": ["-v"]})
    for at in ("1.1", "1.31", "1.40", "1.41"):
        capsule, (container,) = made(edge, asked, at=at)
        assert (capsule.name, container.name, container.entrypoint, container.command) == ("web", "c0", ["/bin/app"], ["-v"])


def test_who_may_not_choose_when_images_are_pulled_is_told_so(edge: Edge) -> None:
    found = refused(edge, pod({"imagePullPolicy": "Never"}))
    assert (found["status"], found["code"]) == (403, DENIED)
    assert "container:create:image_pull_policy" in found["detail"]
    _, (container,) = made(edge, pod({"imagePullPolicy": "IfNotPresent"}), role="admin")
    assert container.image_pull_policy == "ifnotpresent"


# -- looking --------------------------------------------------------------------------------------


def test_how_a_capsule_is_shown(edge: Edge) -> None:
    capsule, (init, regular) = made(edge, {**template(initContainers=[CONTAINER]), "metadata": {"name": "shop", "labels": {"a": "b"}}})
    shown = edge("GET", f"{PATH}/shop", at="1.40").json
    assert set(shown) == set(
        "uuid links project_id user_id name labels annotations cpu memory status status_reason restart_policy addresses containers"
        " init_containers created_at updated_at".split()
    )
    assert (shown["name"], shown["labels"], shown["status"]) == ("shop", {"a": "b"}, "Creating")
    assert (shown["cpu"], shown["memory"]) == (1.0, "512")
    assert shown["restart_policy"] == {"MaximumRetryCount": "0", "Name": "always"}
    assert [one["uuid"] for one in shown["containers"]] == [regular.uuid]
    assert [one["uuid"] for one in shown["init_containers"]] == [init.uuid]
    assert "links" not in shown["containers"][0] and "host" not in shown["containers"][0]
    assert shown["containers"][0]["image_driver"] is None
    assert edge("GET", PATH, at="1.40").json == {"capsules": [shown], "next": None}
    admin = edge("GET", f"{PATH}/{capsule.uuid}", role="admin").json
    assert admin["host"] is None and "host" in admin["containers"][0]


def test_before_1_32_some_members_had_other_names(edge: Edge) -> None:
    made(edge, {**template(), "metadata": {"name": "shop", "labels": {"a": "b"}}})
    for shown in (edge("GET", f"{PATH}/shop", at="1.31").json, edge("GET", PATH, at="1.1").json["capsules"][0]):
        assert (shown["meta_name"], shown["meta_labels"], shown["restart_policy"]) == ("shop", {"a": "b"}, "always")
        constants = {"volumes_info": {}, "containers_uuids": [], "init_containers_uuids": [], "capsule_version": ""}
        assert {name: shown[name] for name in constants} == constants
        assert not {"name", "labels"} & set(shown)


def test_lists_come_in_parts_and_ignore_what_they_do_not_know(edge: Edge) -> None:
    names = ["one", "two", "three"]
    for name in names:
        made(edge, {**template(), "metadata": {"name": name}})
    first = edge("GET", f"{PATH}?limit=2&sort_key=name&nonsense=1").json
    assert [one["meta_name"] for one in first["capsules"]] == ["one", "three"]
    assert "limit=2&marker=" in first["next"]
    second = edge("GET", first["next"].removeprefix("http://cloud.example:9517")).json
    assert ([one["meta_name"] for one in second["capsules"]], second["next"]) == (["two"], None)
    assert error(edge("GET", f"{PATH}?sort_key=volumes"))["status"] == 400
    assert error(edge("GET", f"{PATH}?sort_key=host"))["status"] == 400
    assert error(edge("GET", f"{PATH}?all_projects=perhaps"))["status"] == 400


def test_other_projects_capsules(edge: Edge) -> None:
    capsule, _ = made(edge, {**template(), "metadata": {"name": "shop"}}, role="stranger")
    assert capsule.project_id == OTHER
    for path in (f"{PATH}/shop", f"{PATH}/{capsule.uuid}"):
        assert error(edge("GET", path))["code"] == "container.capsule-not-found"
        assert error(edge("DELETE", path))["code"] == "container.capsule-not-found"
        assert edge("GET", path, role="admin").status_code == 200
    assert edge("GET", f"{PATH}?all_projects=True").json["capsules"] == [], "silently ignored"
    assert edge("GET", PATH, role="admin").json["capsules"] == []
    assert len(edge("GET", f"{PATH}?all_projects=1", role="admin").json["capsules"]) == 1
    assert error(edge("DELETE", f"{PATH}/shop?all_projects=True"))["code"] == DENIED
    assert edge("DELETE", f"{PATH}/shop?all_projects=True", role="admin").status_code == 204
    assert capsules(edge) == [], "no host had it: it is gone at once"


def test_one_name_for_several_capsules(edge: Edge) -> None:
    for _ in range(2):
        made(edge, {**template(), "metadata": {"name": "twin"}})
    found = error(edge("GET", f"{PATH}/twin"))
    assert (found["status"], found["detail"]) == (409, "Several capsules are called twin: use the uuid.")


def test_readers_look_and_change_nothing(edge: Edge) -> None:
    made(edge, {**template(), "metadata": {"name": "shop"}})
    assert edge("GET", f"{PATH}/shop", role="reader").status_code == 200
    assert error(edge("POST", PATH, json={"template": template()}, role="reader"))["code"] == DENIED
    assert error(edge("DELETE", f"{PATH}/shop", role="reader"))["code"] == DENIED
    assert error(edge("GET", PATH, role="projectless"))["code"] == DENIED


def test_containers_of_capsules_are_found_by_uuid_and_not_listed(edge: Edge) -> None:
    _, (container,) = made(edge, pod())
    assert edge("GET", f"/v1/containers/{container.uuid}").json["name"] == "c0"
    assert error(edge("GET", "/v1/containers/c0"))["status"] == 404
    assert edge("GET", "/v1/containers").json["containers"] == []
    assert error(edge("DELETE", f"/v1/containers/{container.uuid}"))["code"] == "container.in-capsule"


# -- a living capsule -----------------------------------------------------------------------------


def settled(edge: Edge, capsule: Sandbox) -> None:
    """As if a host had it and had made it."""
    from msgspec.structs import replace

    from zun.domain.action import Action, ActionState
    from zun.domain.lifecycle import Status

    with edge.store.write() as tx:
        current = tx.get(Sandbox, capsule.uuid)
        assert current is not None
        tx.save(replace(current, host=HOST))
        for action in tx.find(Action, {"sandbox_uuid": capsule.uuid}):
            tx.save(replace(action, state=ActionState.DONE))
        for one in tx.find(Container, {"sandbox_uuid": capsule.uuid}):
            tx.save(replace(one, status=Status.RUNNING, task_state=None))


def test_a_container_is_added_and_taken_out(edge: Edge) -> None:
    capsule, (first,) = made(edge, {**template(), "metadata": {"name": "shop"}})
    path = f"{PATH}/shop/containers"
    body = {"image": "busybox", "command": ["sh"], "resources": {"requests": {"cpu": 0.5, "memory": "64"}}, "env": {"A": "b"}}
    assert edge("POST", path, json=body, at="1.40").status_code == 406
    assert edge("DELETE", f"{path}/{first.uuid}", at="1.40").status_code == 406
    assert error(edge("POST", path, json=body, at="1.41"))["status"] == 409, "it is being created"
    settled(edge, capsule)
    assert error(edge("POST", path, json={**body, "foo": 1}, at="1.41"))["detail"].startswith("Invalid input for field 'foo'")
    assert "'env.A'" in error(edge("POST", path, json={**body, "env": {"A": 1}}, at="1.41"))["detail"]
    assert "'image': is required" in error(edge("POST", path, json={}, at="1.41"))["detail"]
    assert error(edge("POST", path, json=body, at="1.41", role="reader"))["code"] == DENIED
    answer = edge("POST", path, json=body, at="1.41")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].endswith(f"/v1/containers/{answer.json['uuid']}")
    assert (answer.json["status"], answer.json["cpu"], answer.json["environment"]) == ("Creating", 0.5, {"A": "b"})
    assert edge("GET", f"{PATH}/shop", at="1.41").json["cpu"] == 1.5
    settled(edge, capsule)
    assert error(edge("DELETE", f"{path}/{answer.json['name']}", at="1.41", role="reader"))["code"] == DENIED
    assert edge("DELETE", f"{path}/{answer.json['name']}", at="1.41").status_code == 204
    assert error(edge("DELETE", f"{path}/nobody", at="1.41"))["status"] == 404
    assert error(edge("DELETE", f"{path}/{first.uuid}", at="1.41"))["code"] == "container.last-of-capsule"


def test_a_running_capsule_is_deleted_and_not_twice(edge: Edge) -> None:
    capsule, _ = made(edge, {**template(), "metadata": {"name": "shop"}})
    settled(edge, capsule)
    assert edge("DELETE", f"{PATH}/shop").status_code == 204
    assert edge("GET", f"{PATH}/shop").json["status"] == "Deleting"
    assert error(edge("DELETE", f"{PATH}/shop"))["detail"] == f"Cannot delete capsule {capsule.uuid} in Deleting state"


def test_the_quota_counts_the_containers_of_capsules(edge: Edge) -> None:
    found = error(edge("POST", PATH, json={"template": template(*[{**CONTAINER, "resources": {"requests": {"memory": 64}}}] * 21)}))
    assert (found["status"], found["code"]) == (403, "container.over-quota")
    assert capsules(edge) == []
