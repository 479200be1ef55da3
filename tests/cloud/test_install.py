"""The page on installing by hand says how other servers run the API: just these lines, on the cloud's configuration."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.nodes import Node
from cloud.services import settings
from cloud.world import World
from tools import environment, processes

PAGE = Path(__file__).parents[2] / "docs" / "install.md"
#: the node's own; at the other one the cloud's API listens
ADDRESS = "127.0.0.1"
#: what each process says once it has all that it needs
LOADED = "hosts can be heard from now on"

ASKING = """
import json, sys, urllib.error, urllib.request
def asked(path, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(sys.argv[1] + path, headers=headers), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
    except OSError as error:
        return 0, str(error)
headers = {"X-Auth-Token": sys.argv[2], "OpenStack-API-Version": "container 1.40"}
print(json.dumps([asked("/v1/containers", headers), asked("/v1/containers", {})]))
"""


def line(server: str) -> list[str]:
    """What the page says is typed."""
    (found,) = re.findall(rf"^    (/opt/zun/bin/{server} .*)$", PAGE.read_text(), re.MULTILINE)
    assert isinstance(found, str)
    return found.replace("CONTROLLER_ADDRESS", ADDRESS).split()


@pytest.fixture
def controller(cloud: World) -> Iterator[Node]:
    """A controller where all lies where the page has it; nobody else sees its /etc and its /opt."""
    node, places = cloud.controller, {"/opt/zun": environment.development().folder, "/etc/zun": settings.folder(cloud.controller, "zun")}
    for place, target in places.items():
        node.run("ln", "-sfn", str(target), place)
    yield node
    for place in places:
        node.run("rm", place)


def answers(node: Node, token: str) -> Any:
    """To a list, with a token and without."""
    return json.loads(node.run(sys.executable, "-c", ASKING, f"http://{ADDRESS}:9517", token))


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_what_the_page_says_serves_and_ends(controller: Node, demo: Any, server: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        begun = subprocess.Popen(controller.command(*line(server)), stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd="/")
    try:
        token, deadline = demo.session.get_token(), time.monotonic() + 90
        while not (found := answers(controller, token))[0][0]:
            assert begun.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        (listed, body), (refused, _) = found
        assert (listed, refused) == (200, 401), log.read_text()
        assert "containers" in body
        master, *workers = processes.descendants(begun.pid)
        assert len(workers) == 4
        # Each of them by then, not only who has answered: who is ended while he loads has failed to.
        while log.read_text().count(LOADED) < len(workers):
            assert begun.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        os.kill(master, signal.SIGTERM)
        assert begun.wait(60) == 0, log.read_text()
        assert not [pid for pid in (master, *workers) if processes.alive(pid)], log.read_text()
    finally:
        processes.kill(processes.descendants(begun.pid))
        begun.wait(10)
