"""The commands of this host that make and mount file systems; what they do with devices is tried by the suite on the cloud."""

from __future__ import annotations

import pytest

from zun.drivers.volume import filesystems


def test_a_command_that_does_not_end_is_given_up() -> None:
    with pytest.raises(OSError, match="sleep did not end within"):
        filesystems._run("sleep", "60", patience=0.1)


def test_what_a_command_says_is_the_reason() -> None:
    with pytest.raises(OSError, match="/nowhere"):
        filesystems._run("ls", "/nowhere")
