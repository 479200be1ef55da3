"""Processors by their names, and what runs on which."""

import pytest

from zun.domain.architecture import plain, runs


@pytest.mark.parametrize(
    ("name", "one_name"),
    [("x86_64", "amd64"), ("AMD64", "amd64"), (" aarch64 ", "arm64"), ("i686", "386"), ("armv7l", "arm"), ("s390x", "s390x"), ("", "")],
)
def test_one_processor_has_one_name(name, one_name):
    assert plain(name) == one_name


@pytest.mark.parametrize(
    ("host", "built", "does"),
    [
        ("x86_64", "amd64", True),
        ("x86_64", "x86_64", True),
        ("x86_64", "i686", True),
        ("i686", "x86_64", False),
        ("aarch64", "arm64", True),
        ("aarch64", "armv7l", True),
        ("aarch64", "x86_64", False),
        ("x86_64", "aarch64", False),
        ("riscv64", "riscv64", True),
        ("riscv64", "s390x", False),
        ("", "aarch64", True),
        ("x86_64", "", True),
    ],
)
def test_a_host_runs_what_was_built_for_it_or_its_forebears_and_what_nobody_knows(host, built, does):
    assert runs(host, built) is does
