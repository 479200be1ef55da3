"""Each option of ``openstack appcontainer create``, ``run``, ``list`` and the short verbs, as the official client has them."""

import pytest

from tests.registries import PASSWORD, USER
from tests.service.aio import PROGRAM, eventually

SMALL = ("--cpu", "0.1", "--memory", "32")
#: what every deployment can honour
EVERYTHING = (
    *("--cpu", "0.5", "--memory", "64", "--workdir", "/tmp", "--hostname", "box", "--runtime", "runc"),
    *("--environment", "A=b", "--environment", "C=d e", "--label", "tier=front", "--label", "side=left", "--hint", "group=a"),
    *("--image-driver", "docker", "--image-pull-policy", "ifnotpresent", "--restart", "on-failure:2", "--availability-zone", "nova"),
    *("--healthcheck", "cmd=true,interval=5s,retries=2,timeout=1m", "--auto-heal"),
    *("--entrypoint", "sh -c", "--wait", "-f", "json", "busybox", "trap 'exit 0' TERM; cat /etc/motd; env; pwd; sleep 1000 & wait"),
)


@pytest.fixture
def gone(service):
    """Takes the names of containers that shall be gone when the test ends."""
    names = []
    yield names.append
    for name in names:
        service.delete(f"/containers/{name}", params={"force": True})
        service.wait_gone(name)


@pytest.fixture
def motd(tmp_path):
    """A file to be put into containers."""
    file = tmp_path / "motd"
    file.write_text("welcome\n")
    return f"type=bind,source={file},destination=/etc/motd"


def holds(made):
    """That a container has what EVERYTHING asks for."""
    assert (made["cpu"], made["memory"], made["workdir"], made["hostname"], made["runtime"]) == (0.5, "64", "/tmp", "box", "runc")
    assert (made["environment"], made["labels"]) == ({"A": "b", "C": "d e"}, {"tier": "front", "side": "left"})
    assert (made["image_driver"], made["image_pull_policy"], made["auto_heal"]) == ("docker", "ifnotpresent", True)
    assert made["restart_policy"] == {"Name": "on-failure", "MaximumRetryCount": "2"}
    assert made["healthcheck"] == {"test": "true", "interval": 5, "retries": 2, "timeout": 60}
    assert made["entrypoint"] == ["sh", "-c"]


def test_create_with_everything(openstack, service, gone, motd):
    host = openstack("host", "list", "-f", "json")[0]["hostname"]
    gone("all")
    made = openstack("create", "--name", "all", "--host", host, "--mount", motd, "--interactive", *EVERYTHING)
    holds(made)
    assert (made["status"], made["host"], made["interactive"], made["tty"]) == ("Created", host, True, True)
    openstack("start", "all")
    service.wait("all", "Running")
    # With a terminal, a line ends as terminals have it.
    eventually(lambda: {"welcome\r", "A=b\r", "C=d e\r", "/tmp\r"} <= set(openstack("logs", "all").split("\n")))


def test_run_with_everything(openstack, service, gone, motd):
    host = openstack("host", "list", "-f", "json")[0]["hostname"]
    gone("all")
    made = openstack("run", "--name", "all", "--host", host, "--mount", motd, *EVERYTHING)
    assert (made["status"], made["host"], made["interactive"], made["tty"]) == ("Running", host, False, False)
    holds(made)
    eventually(lambda: {"welcome", "A=b", "C=d e", "/tmp"} <= set(openstack("logs", "all").splitlines()))


def test_a_container_that_removes_itself(openstack, service):
    openstack("run", "--name", "brief", "--auto-remove", *SMALL, "busybox", "true")
    service.wait_gone("brief")
    assert openstack("create", "--name", "brief", "--auto-remove", *SMALL, "-f", "json", "busybox")["auto_remove"] is True
    service.wait("brief", "Created")
    assert "Delete for container brief success." in openstack("delete", "--wait", "brief")


def test_an_image_of_a_registry_of_the_project_s(openstack, service, gone, front):
    openstack("registry", "create", "--name", "ours", "--domain", front.address, "--username", USER, "--password", PASSWORD)
    try:
        gone("private")
        made = openstack("run", "--name", "private", "--registry", "ours", *SMALL, "--wait", "-f", "json", "team/web:1", *PROGRAM)
        assert (made["status"], made["image"]) == ("Running", "team/web:1")
    finally:
        service.delete("/containers/private", params={"force": True})
        service.wait_gone("private")
        openstack("registry", "delete", "ours")


@pytest.mark.embedded("the other services are there: test_client_cloud.py")
def test_what_needs_another_service_is_refused_in_words_that_name_it(openstack):
    refusals = {
        "'nets' cannot be honoured: this deployment has no network service (Neutron)": (
            openstack("create", "--net", "network=private,v4-fixed-ip=10.0.0.5", "busybox", succeeds=False),
            openstack("run", "--net", "port=any", "busybox", succeeds=False),
        ),
        "'security_groups' cannot be honoured: this deployment has no network service (Neutron)": (
            openstack("create", "--security-group", "web", "busybox", succeeds=False),
            openstack("run", "--security-group", "web", "busybox", succeeds=False),
        ),
        "'exposed_ports' cannot be honoured: this deployment has no network service (Neutron)": (
            openstack("create", "--expose-port", "80/tcp", "busybox", succeeds=False),
            openstack("run", "--expose-port", "80", "busybox", succeeds=False),
        ),
        "'mounts' cannot be honoured: this deployment has no volume service (Cinder)": (
            openstack("create", "--mount", "source=data,destination=/data", "busybox", succeeds=False),
            openstack("run", "--mount", "size=1,destination=/data", "busybox", succeeds=False),
        ),
        "'image_driver' cannot be honoured: this deployment has no image driver 'glance'": (
            openstack("create", "--image-driver", "glance", "busybox", succeeds=False),
            openstack("run", "--image-driver", "glance", "busybox", succeeds=False),
        ),
        "Registry nobody could not be found. (HTTP 404)": (
            openstack("create", "--registry", "nobody", "busybox", succeeds=False),
            openstack("run", "--registry", "nobody", "busybox", succeeds=False),
        ),
        "Compute host nowhere could not be found. (HTTP 404)": (
            openstack("create", "--host", "nowhere", "busybox", succeeds=False),
            openstack("run", "--host", "nowhere", "busybox", succeeds=False),
        ),
        "Policy doesn't allow container:create:privileged to be performed. (HTTP 403)": (
            openstack("create", "--privileged", "busybox", succeeds=False),
            openstack("run", "--privileged", "busybox", succeeds=False),
        ),
    }
    for words, told in refusals.items():
        assert [each for each in told if not each.startswith(words)] == []
    before = {row["uuid"] for row in openstack("list", "-f", "json")}
    assert before == set(), "a refusal leaves nothing behind"


def test_disk_is_refused_where_the_engine_has_no_quotas(openstack, service, gone):
    if service.get("/hosts").json()["hosts"][0]["disk_quota_supported"]:
        gone("disk")
        assert openstack("create", "--name", "disk", "--disk", "2", *SMALL, "-f", "json", "busybox")["disk"] == 2
        assert openstack("run", "--disk", "999", "busybox", succeeds=False).startswith("Invalid input for field 'disk'")
        return
    for told in (
        openstack("create", "--disk", "2", "busybox", succeeds=False),
        openstack("run", "--disk", "2", "busybox", succeeds=False),
    ):
        assert told.startswith("'disk' cannot be honoured: no compute host has a storage driver with quotas. (HTTP 400)")


def test_waiting_for_what_will_never_be(openstack, service, gone):
    gone("moon")
    # A fault of the client: it says that it has failed, and ends as if it had not.
    assert (
        openstack("create", "--name", "moon", "--availability-zone", "moon", "--wait", "busybox", refused=True)
        == "Failed to create container.\n\n"
    )


def test_what_the_client_refuses_itself(openstack):
    told = openstack("create", "--auto-remove", "--restart", "always", "busybox", succeeds=False)
    assert "argument --restart: not allowed with argument --auto-remove" in told
    assert openstack("create", "--hint", "group", "busybox", succeeds=False) == "arguments must be a list of KEY=VALUE not group\n"
    assert openstack("set", "any", succeeds=False) == "You must update at least one property\n"


def test_a_label_twice_is_a_list_for_the_client_and_none_for_the_service(openstack):
    told = openstack("create", "--label", "a=1", "--label", "a=2", "busybox", succeeds=False)
    assert told.startswith("Invalid input for field 'labels.a'")


def test_each_filter_of_the_list(openstack, service, gone):
    host = openstack("host", "list", "-f", "json")[0]["hostname"]
    for name, image in (("one", "busybox"), ("two", "busybox:latest")):
        gone(name)
        openstack("create", "--name", name, "--host", host, *SMALL, image)
        service.wait(name, "Created")
    first = service.show("one")

    def names(found):
        return [row["name"] for row in found]

    assert names(openstack("list", "-f", "json", "--all-projects", "--project-id", first["project_id"])) == ["one", "two"]
    assert names(openstack("list", "-f", "json", "--name", "one")) == ["one"]
    assert names(openstack("list", "-f", "json", "--image", "busybox:latest")) == ["two"]
    assert names(openstack("list", "-f", "json", "--project-id", first["project_id"])) == ["one", "two"]
    assert names(openstack("list", "-f", "json", "--project-id", "another")) == []
    assert names(openstack("list", "-f", "json", "--user-id", service.user_id)) == ["one", "two"]
    assert names(openstack("list", "-f", "json", "--task-state", "container_creating")) == []
    assert names(openstack("list", "-f", "json", "--status", "Created")) == ["one", "two"]
    assert names(openstack("list", "-f", "json", "--status", "Running")) == []
    assert names(openstack("list", "-f", "json", "--memory", "32")) == ["one", "two"]
    assert names(openstack("list", "-f", "json", "--host", first["host"])) == ["one", "two"]
    assert names(openstack("list", "-f", "json", "--host", "nowhere")) == []
    assert names(openstack("list", "-f", "json", "--auto-remove", "true")) == []
    assert names(openstack("list", "-f", "json", "--sort-key", "name", "--sort-dir", "desc")) == ["two", "one"]
    assert names(openstack("list", "-f", "json", "--limit", "1")) == ["one"]
    assert names(openstack("list", "-f", "json", "--limit", "1", "--marker", first["uuid"])) == ["two"]
    # A fault of the client: with a limit it forgets the filters.
    assert names(openstack("list", "-f", "json", "--limit", "1", "--name", "two")) == ["one"]


def test_one_call_for_each_name_and_the_rest_goes_on(openstack, service, gone):
    for name in ("left", "right"):
        gone(name)
        openstack("run", "--name", name, *SMALL, "busybox", *PROGRAM)
        service.wait(name, "Running")
    told = openstack("pause", "left", "nobody", "right", refused=True)
    assert "Request to pause container left has been accepted\nPause for container nobody failed: Container nobody could not" in told
    assert told.endswith("Request to pause container right has been accepted\n")
    for name in ("left", "right"):
        service.wait(name, "Paused")
    assert "Stop for container left failed: Cannot stop container" in openstack("stop", "left", refused=True)
    openstack("unpause", "left", "right")
    for name in ("left", "right"):
        service.wait(name, "Running")
    openstack("restart", "--timeout", "5", "left")
    service.wait("left", "Running")
    openstack("kill", "--signal", "TERM", "left")
    assert service.wait("left", "Stopped")["status_detail"].startswith("Exited(0)")
    assert "Invalid value for 'signal': must be the name or the number of a signal" in openstack(
        "kill", "--signal", "PEACE", "right", refused=True
    )
    told = openstack("delete", "--all-projects", "--wait", "left", "right", refused=True)
    assert "Delete for container left success.\nRequest to delete container right has been accepted" not in told
    assert "Cannot delete container" in told
    openstack("delete", "--stop", "--wait", "right")
    assert openstack("list", "-f", "json") == []


def test_logs_in_parts(openstack, service, gone):
    gone("talker")
    openstack("run", "--name", "talker", *SMALL, "busybox", "sh", "-c", "echo one; echo two; echo bad >&2")
    service.wait("talker", "Stopped")
    assert openstack("logs", "--stderr", "talker").split() == ["bad"]
    assert openstack("logs", "--stdout", "talker").split() == ["one", "two"]
    # Of both streams together, as Docker counts.
    assert len(openstack("logs", "--tail", "2", "talker").split()) == 2
    assert openstack("logs", "--timestamps", "--tail", "1", "talker").split()[0].endswith("Z")
    assert openstack("logs", "--since", "4000000000", "talker").split() == []
    assert sorted(openstack("logs", "--since", "2024-01-01 00:00:00,000", "talker").split()) == ["bad", "one", "two"]


def test_another_name_by_set_and_by_the_older_call(openstack, service, gone):
    gone("second")
    openstack("create", "--name", "first", *SMALL, "busybox")
    service.wait("first", "Created")
    changed = openstack("set", "--name", "second", "--auto-heal", "-f", "json", "first")
    assert (changed["name"], changed["auto_heal"]) == ("second", True)
    assert openstack("set", "--no-auto-heal", "-f", "json", "second", at="1.13")["auto_heal"] is False
    assert openstack("show", "-f", "json", "--all-projects", "second")["name"] == "second"


def test_exec_ends_with_the_code_of_its_command(openstack, service, gone):
    gone("web")
    openstack("run", "--name", "web", *SMALL, "busybox", *PROGRAM)
    service.wait("web", "Running")
    assert openstack("exec", "web", "sh", "-c", "echo out; exit 7", succeeds=False) == "out\n\n"


def test_top_fails_when_it_prints(openstack, service, gone):
    gone("web")
    openstack("run", "--name", "web", *SMALL, "busybox", *PROGRAM)
    service.wait("web", "Running")
    # A fault of the client, in Python 3. The answer of the service is right: tests/service/test_client.py.
    assert "unsupported operand type(s) for %" in openstack("top", "web", succeeds=False)
    assert "unsupported operand type(s) for %" in openstack("top", "--pid", "1", "web", succeeds=False)


def test_cp_without_a_container_is_explained(openstack):
    assert "Please check the parameters for zun copy!" in openstack("cp", "here", "there")
