"""The cores of a host: what its operator and its kernel say of them."""

from pathlib import Path

import pytest

from zun.compute.cores import Cores, read


@pytest.fixture
def system(tmp_path):
    """A host with eight cores, of which one is off, on two nodes and one without cores."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "online").write_text("0-6\n")
    for number, cores in ((10, ""), (1, "4-6\n"), (0, "0-3\n")):
        node = tmp_path / "node" / f"node{number}"
        node.mkdir(parents=True)
        (node / "cpulist").write_text(cores)
    (tmp_path / "node" / "has_cpu").write_text("0-1\n")
    return tmp_path


def test_unless_the_operator_says_so_no_core_is_given_away(system):
    assert read(None, None, system) == Cores(online=[0, 1, 2, 3, 4, 5, 6], nodes=[[0, 1, 2, 3], [4, 5, 6]])


def test_what_is_not_given_away_is_for_all(system):
    found = read("2-5,^3", None, system)
    assert (found.dedicated, found.shared) == ([2, 4, 5], [0, 1, 3, 6])


def test_the_operator_may_keep_cores_from_both(system):
    found = read("4-6", "1,2", system)
    assert (found.dedicated, found.shared) == ([4, 5, 6], [1, 2])


def test_shared_cores_alone_keep_the_others_for_the_host(system):
    found = read(None, "1-6", system)
    assert (found.dedicated, found.shared) == ([], [1, 2, 3, 4, 5, 6])


def test_all_may_be_given_away(system):
    assert read("0-6", None, system).shared == []


@pytest.mark.parametrize(
    ("dedicated", "shared", "words"),
    [
        ("7", None, "cpu_dedicated_set: this host has no cores 7; it has 0-6"),
        (None, "0-9", "cpu_shared_set: this host has no cores 7-9; it has 0-6"),
        ("1-3", "3-5", "both name the cores 3"),
        ("a", None, "cpu_dedicated_set: 'a' is no core"),
        ("1,^1", None, "cpu_dedicated_set: '1,\\^1' names no core"),
    ],
)
def test_what_cannot_be_is_refused_by_the_option_s_name(system, dedicated, shared, words):
    with pytest.raises(ValueError, match=words):
        read(dedicated, shared, system)


def test_a_kernel_that_does_not_say_gives_no_cores_away(tmp_path):
    assert read(None, None, tmp_path) == Cores()
    with pytest.raises(ValueError, match="has none in sight"):
        read("1", None, tmp_path)


def test_this_machine_says_what_it_has():
    found = read(None, None)
    if not Path("/sys/devices/system/cpu/online").exists():
        pytest.skip("this system does not tell of its cores")
    assert found.online
