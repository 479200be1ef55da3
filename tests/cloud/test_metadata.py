"""What a container asks of 169.254.169.254 goes where the network's metadata is, as that of a server does."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.services.agents import METADATA_PORT
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.networks import private, soon, zun

__all__ = ["private", "zun"]


@pytest.fixture
def nova(cloud: World) -> Iterator[None]:
    """Somebody who answers where Nova would."""
    node = cloud.controller
    # By way of a shell that ends with its input, because the number that we have is that of what entered the node.
    script = 'python3 "$0" "$1" "$2" & read -r _; kill $!; wait'
    command = ["sh", "-c", script, str(Path(__file__).with_name("nova.py")), node.address, str(METADATA_PORT)]
    process = subprocess.Popen(node.command(*command), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert soon(lambda: f":{METADATA_PORT} " in node.run("ss", "-Hltn"), True)
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def test_metadata_is_asked_for_by_who_asks(cloud: World, zun: Zun, private: Any, nova: None) -> None:
    """The network's own agent says for whom it asks, and vouches for it: by the container's uuid, which is on its port."""
    with zun.running(nets=[{"network": private.id}]) as one:
        heard = json.loads(zun.run(one["uuid"], "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"))
        assert (heard["x-instance-id"], heard["x-tenant-id"]) == (one["uuid"], one["project_id"])
        vouched = hmac.new(cloud.secrets["metadata"].encode(), one["uuid"].encode(), hashlib.sha256).hexdigest()
        assert (heard["x-instance-id-signature"], heard["path"]) == (vouched, "/openstack/latest/meta_data.json")
