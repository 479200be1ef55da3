"""Restart policies, as Docker's users know them."""

import pytest

from zun.domain import restart
from zun.domain.lifecycle import Desired

ON_FAILURE_3 = {"Name": "on-failure", "MaximumRetryCount": "3"}


@pytest.mark.parametrize(
    ("policy", "desired", "exit_code", "restarts", "wanted"),
    [
        ({}, Desired.RUNNING, 1, 0, False),
        ({"Name": "no"}, Desired.RUNNING, 1, 0, False),
        ({"Name": "always"}, Desired.RUNNING, 0, 99, True),
        ({"Name": "always"}, Desired.STOPPED, 0, 0, False),
        ({"Name": "unless-stopped"}, Desired.RUNNING, 0, 0, True),
        ({"Name": "unless-stopped"}, Desired.STOPPED, 0, 0, False),
        (ON_FAILURE_3, Desired.RUNNING, 0, 0, False),
        (ON_FAILURE_3, Desired.RUNNING, 1, 2, True),
        (ON_FAILURE_3, Desired.RUNNING, 1, 3, False),
        ({"Name": "on-failure", "MaximumRetryCount": "0"}, Desired.RUNNING, 1, 1000, True),
        ({"Name": "always"}, Desired.DELETED, 1, 0, False),
    ],
)
def test_when_a_container_that_ended_is_started_again(policy, desired, exit_code, restarts, wanted):
    assert restart.wanted(policy, desired, exit_code, restarts) is wanted


def test_the_wait_doubles_up_to_a_minute():
    assert [restart.wait(deaths) for deaths in (0, 1, 2, 3)] == [0.1, 0.2, 0.4, 0.8]
    assert restart.wait(10) == 60.0
    assert restart.wait(1000) == 60.0
