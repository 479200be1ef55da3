"""No accepted work depends on the life of its user's token."""

from __future__ import annotations

from typing import Any

import openstack
import pytest

from cloud.world import REGION, World
from tests.cloud.containers import Zun


@pytest.fixture
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo)


class Passing:
    """A user whose token is revoked by himself."""

    def __init__(self, cloud: World) -> None:
        self._connection = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account("demo"))
        self._identity = cloud.url("identity")
        self.zun = Zun(cloud, self._connection)

    def revoke(self) -> None:
        """The token is worth nothing any more."""
        headers = {"X-Subject-Token": self._connection.session.get_token()}
        assert self._connection.session.delete(f"{self._identity}/auth/tokens", headers=headers).status_code == 204


def test_a_token_that_is_revoked_right_after_the_answer_is_not_missed(cloud: World, zun: Zun) -> None:
    asking = Passing(cloud)
    made = [asking.zun.accepted(exposed_ports={"80/tcp": {}}) for _ in range(2)]
    asking.revoke()
    for uuid in made:
        shown = zun.settle(uuid)
        assert (shown["status"], shown["status_reason"]) == ("Running", None)
        assert shown["addresses"]
    deleting = Passing(cloud)
    for uuid in made:
        assert deleting.zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"}).status_code == 204
    deleting.revoke()
    for uuid in made:
        zun.gone(uuid)
