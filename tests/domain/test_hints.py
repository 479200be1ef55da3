"""Scheduler hints: those that mean something have a form, all others are let pass."""

import pytest

from zun.domain.hints import MOST_NAMED, Hints, check, knowing, read

ONE = "0b6ad6a2-3ff0-4b0f-8a2e-0d5a1c8a7f01"
TWO = "9d5c1b36-7a4e-4f57-b0b4-6d1f6f3f7c02"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, Hints()),
        ({"label:disk": "ssd", "label:rack": 7, "disk": "hdd"}, Hints(labels={"disk": "ssd", "rack": "7"})),
        ({"same_host": ONE}, Hints(same_host=frozenset({ONE}))),
        ({"same_host": [ONE, TWO, ONE]}, Hints(same_host=frozenset({ONE, TWO}))),
        ({"different_host": ONE.upper()}, Hints(different_host=frozenset({ONE}))),
        ({"same_host": "", "different_host": []}, Hints()),
        ({"same_host": None}, Hints()),
        ({"architecture": "AArch64"}, Hints(architectures=frozenset({"aarch64"}))),
        ({"group": "a", "n": 1, "deep": {"er": [1]}, "cpu_policy": "dedicated"}, Hints()),
    ],
)
def test_what_hints_mean(given, meant):
    check(given)
    assert read(given) == meant


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"same_host": "web"}, "'same_host' must be the uuid of a container, or a list of them"),
        ({"same_host": [ONE, "web"]}, "'same_host' must be the uuid"),
        ({"same_host": {"uuid": ONE}}, "'same_host' must be the uuid"),
        ({"different_host": 7}, "'different_host' must be the uuid"),
        ({"different_host": [[ONE]]}, "'different_host' must be the uuid"),
        ({"different_host": False}, "'different_host' must be the uuid"),
        ({"different_host": [ONE] * (MOST_NAMED + 1)}, f"must not be more than {MOST_NAMED}"),
        ({"architecture": "x86 64"}, "'architecture' must be the name of an architecture, such as 'x86_64', or a list of them"),
        ({"label:disk": ["ssd", "hdd"]}, "'label:disk' must be one value"),
        ({"label:disk": {}}, "'label:disk' must be one value"),
        ({"label:": "ssd"}, "must be followed by the name of a label"),
    ],
)
def test_what_has_not_its_form_is_refused_by_its_rule(given, rule):
    with pytest.raises(ValueError, match=rule):
        check(given)


@pytest.mark.parametrize("stored", [{"same_host": {"a": [1]}}, {"same_host": 7, "label:a": [1]}, {"different_host": [[None], 3.5]}])
def test_what_was_stored_before_there_was_a_form_is_still_read(stored):
    read(stored)


def test_what_is_known_of_images_is_added_to_what_was_said_of_them():
    assert knowing({"group": "a"}, ["", "X86_64"]) == {"group": "a", "architecture": ["x86_64"]}
    assert knowing({"architecture": "i686"}, ["x86_64", "x86_64"]) == {"architecture": ["i686", "x86_64"]}
    assert knowing({"group": "a"}, [""]) == {"group": "a"}
