"""What every network driver must do, the driver for Neutron does with the real one: in a compute node, as the node's agent would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cloud import daemons
from cloud.world import World

SUITE = Path(__file__).with_name("suite_network.py")


def test_the_driver_for_neutron_passes_the_suite_of_its_protocol_in_a_compute_node(cloud: World) -> None:
    node = cloud.hosts[0]
    path = daemons.variables(cloud, node)["PATH"]
    variables = [f"PATH={path}", f"SUITE_NODE={node.name}", "ZUN_CLOUD_REQUIRED=1", "PYTHONDONTWRITEBYTECODE=1"]
    command = node.command("env", *variables, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITE))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, cwd=SUITE.parents[2])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
