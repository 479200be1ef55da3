"""Services of tests are born of a process that has imported them, and are processes like any other for all that."""

import os
import signal
import subprocess

import pytest

from tests.service.aio import PATIENCE
from tests.service.nursery import nursery


def test_what_it_says_and_how_it_ends_is_the_service_s_own(tmp_path):
    log = tmp_path / "log"
    child = nursery().bear([str(tmp_path / "fatal"), "--config-file", str(tmp_path / "none")], log, os.environ)
    assert child.wait(PATIENCE) == child.poll() == 1
    assert log.read_text().startswith("zun-aio: Failed to find some config files")


def test_it_is_alone_in_its_session_and_a_signal_ends_it(own_service):
    child = own_service._process
    assert child.poll() is None
    assert os.getsid(child.pid) == child.pid != os.getpid()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0)
    child.send_signal(signal.SIGKILL)
    assert child.wait(PATIENCE) == -signal.SIGKILL
    child.send_signal(signal.SIGKILL)
    assert not own_service.alive
