"""Choosing a host: which can take a sandbox, which of them is best, and the reason where there is none."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zun import errors
from zun.domain.host import Host
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import FILTERS, Candidate, Rules, Wanted, choose, enabled

EMPTY = Resources()


def host(name="one", *, used=EMPTY, up=True, disabled=False, zone="nova", sandboxes=0, offered=True, **facts):
    own = {
        "cpus": 4,
        "mem_total": 1000,
        "disk_total": 10,
        "architecture": "x86_64",
        "ram_allocation_ratio": 1.0,
        "cpu_allocation_ratio": 1.0,
    }
    return Candidate(
        host=Host(uuid=name, hostname=name, **(own | facts)),
        used=used,
        up=up,
        disabled=disabled,
        availability_zone=zone,
        sandboxes=sandboxes,
        offered=offered,
    )


def wanted(*, beside=None, apart=(), built=(), **asked):
    sandbox = Sandbox(uuid="s", project_id="p", user_id="u", **({"cpu": 1.0, "memory": 100} | asked))
    there = None if beside is None else frozenset(beside)
    return Wanted(sandbox=sandbox, beside=there, apart=frozenset(apart), architectures=frozenset(built))


def names(candidates):
    return [candidate.host.hostname for candidate in candidates]


def reason(*args, **options):
    with pytest.raises(errors.NoValidHost) as none_left:
        choose(*args, **options)
    return none_left.value.details["reason"]


RULES = [
    # what is asked for, the host, whether it can take it, the filter that says no
    ("nothing in particular", wanted(), host(), True, ""),
    ("this host", wanted(requested_host="one"), host("one"), True, ""),
    ("another host", wanted(requested_host="two"), host("one"), False, "host"),
    ("its zone", wanted(availability_zone="east"), host(zone="east"), True, ""),
    ("another zone", wanted(availability_zone="west"), host(zone="east"), False, "availability zone"),
    ("a host that is silent", wanted(), host(up=False), False, "service"),
    ("a host that is disabled", wanted(), host(disabled=True), False, "service"),
    ("a runtime that it has", wanted(runtime="kata"), host(runtimes=["runc", "kata"]), True, ""),
    ("a runtime that it has not", wanted(runtime="kata"), host(runtimes=["runc"]), False, "runtime"),
    ("an image for its processors", wanted(built=["amd64"]), host(), True, ""),
    ("an image for its processors' forebears", wanted(built=["i686"]), host(), True, ""),
    ("an image for other processors", wanted(built=["aarch64"]), host(), False, "image architecture"),
    ("images of which one is for others", wanted(built=["x86_64", "aarch64"]), host(), False, "image architecture"),
    ("an image for other processors than nobody knows", wanted(built=["aarch64"]), host(architecture=""), True, ""),
    ("a label that it has", wanted(hints={"label:disk": "ssd"}), host(labels={"disk": "ssd", "rack": "7"}), True, ""),
    ("a label that is a number", wanted(hints={"label:rack": 7}), host(labels={"rack": "7"}), True, ""),
    ("a label with another value", wanted(hints={"label:disk": "ssd"}), host(labels={"disk": "hdd"}), False, "label"),
    ("a label that it has not", wanted(hints={"label:disk": "ssd"}), host(), False, "label"),
    ("two labels of which it has one", wanted(hints={"label:disk": "ssd", "label:a": "b"}), host(labels={"disk": "ssd"}), False, "label"),
    ("a hint that means nothing", wanted(hints={"group": "a", "n": 1, "deep": {"er": []}}), host(), True, ""),
    ("the host of somebody there", wanted(beside=["one", "two"]), host("one"), True, ""),
    ("the host of somebody elsewhere", wanted(beside=["two"]), host("one"), False, "same_host"),
    ("the host of somebody unknown", wanted(beside=[]), host("one"), False, "same_host"),
    ("not the host of somebody there", wanted(apart=["one"]), host("one"), False, "different_host"),
    ("not the host of somebody elsewhere", wanted(apart=["two"]), host("one"), True, ""),
    ("not the host of somebody unknown", wanted(apart=[]), host("one"), True, ""),
    ("cores that it gives away", wanted(cpu=0.0, pcpu=2), host(cpu_dedicated_set=[2, 3]), True, ""),
    ("more cores than it gives away", wanted(cpu=0.0, pcpu=3), host(cpu_dedicated_set=[2, 3]), False, "dedicated cores"),
    ("cores that are taken", wanted(cpu=0.0, pcpu=1), host(cpu_dedicated_set=[3], used=Resources(pcpu=1)), False, "dedicated cores"),
    ("all that is left", wanted(cpu=1.0, memory=100, disk=3), host(used=Resources(cpu=3.0, memory=900, disk=7)), True, ""),
    ("more memory than is left", wanted(memory=101), host(used=Resources(memory=900)), False, "room"),
    ("more cores than are left", wanted(cpu=1.1), host(used=Resources(cpu=3.0)), False, "room"),
    ("what another account has no room for", wanted(), host(offered=False), False, "Placement"),
    ("more disk than is left", wanted(disk=4), host(used=Resources(disk=7)), False, "room"),
]


@pytest.mark.parametrize(("asked", "candidate", "takes", "name"), [case[1:] for case in RULES], ids=[case[0] for case in RULES])
def test_whether_a_host_can_take_it_and_which_filter_says_no(asked, candidate, takes, name):
    if takes:
        assert choose(asked, [candidate]) == [candidate]
    else:
        assert reason(asked, [candidate]) == f"The {name} filter left none of 1."


def test_every_filter_is_seen_to_say_no():
    assert {case[4] for case in RULES if case[4]} == {each.name for each in FILTERS}


def test_without_any_host_the_reason_says_so():
    assert reason(wanted(), []) == "No compute host has reported yet."


def test_the_reason_tells_how_many_the_filters_before_had_left():
    hosts = [host("one", zone="east"), host("two", zone="east"), host("three", zone="west", runtimes=["kata"])]
    asked = wanted(availability_zone="east", runtime="kata")
    assert reason(asked, hosts) == "The runtime filter left none of 2 that other filters had left of 3."


# --- what operators decide ---------------------------------------------------------------------------


def test_a_filter_that_is_not_enabled_lets_everything_pass():
    asked = wanted(hints={"label:disk": "ssd"}, apart=["one"])
    rules = Rules(filters=enabled(["AvailabilityZoneFilter", "ComputeFilter", "RuntimeFilter"]))
    assert names(choose(asked, [host("one")], rules)) == ["one"]


@pytest.mark.parametrize(
    ("asked", "candidate", "name"),
    [
        (wanted(requested_host="two"), host(), "host"),
        (wanted(), host(disabled=True), "service"),
        (wanted(memory=1001), host(), "room"),
        (wanted(pcpu=1), host(), "dedicated cores"),
        (wanted(), host(offered=False), "Placement"),
    ],
)
def test_some_filters_cannot_be_left_out(asked, candidate, name):
    assert reason(asked, [candidate], Rules(filters=enabled([]))) == f"The {name} filter left none of 1."


def test_filters_keep_their_own_order_whatever_order_they_are_named_in():
    options = [name for each in FILTERS for name in each.options]
    assert enabled(reversed(options)) == list(FILTERS)


# --- which is best -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "order"),
    [
        pytest.param([host("a", used=Resources(memory=500)), host("b")], "b a", id="memory"),
        pytest.param([host("a", used=Resources(cpu=2.0)), host("b")], "b a", id="cores"),
        pytest.param([host("a", sandboxes=1), host("b")], "b a", id="sandboxes"),
        pytest.param([host("b"), host("c"), host("a")], "a b c", id="ties are broken by name"),
        pytest.param([host("a", used=Resources(memory=100)), host("b", used=Resources(cpu=1.0), sandboxes=1)], "a b", id="two of three"),
        pytest.param(
            [host("a", used=Resources(memory=100)), host("b", used=Resources(memory=500)), host("c", used=Resources(memory=300))],
            "a c b",
            id="all of them in order",
        ),
        pytest.param([host("a", mem_total=4000, used=Resources(memory=2000)), host("b")], "a b", id="what is left, not what is taken"),
    ],
)
def test_the_emptiest_is_the_best_and_packing_turns_it_round(hosts, order):
    assert names(choose(wanted(), hosts)) == order.split()
    pack = Rules(weights={"ram": -1.0, "cpu": -1.0, "sandbox": -1.0})
    ties = len({(each.free, each.sandboxes) for each in hosts}) == 1
    assert names(choose(wanted(), hosts, pack)) == (order.split() if ties else order.split()[::-1])


def test_a_weight_of_nought_leaves_a_weigher_out():
    hosts = [host("a", used=Resources(memory=500)), host("b", used=Resources(cpu=2.0), sandboxes=1)]
    assert names(choose(wanted(), hosts, Rules(weights={"ram": 1.0, "cpu": 0.0, "sandbox": 0.0}))) == ["b", "a"]
    assert names(choose(wanted(), hosts, Rules(weights={"ram": 0.0, "cpu": 0.0, "sandbox": 0.0}))) == ["a", "b"]


def test_for_cores_of_its_own_it_is_those_that_count():
    hosts = [host("a", cpu_dedicated_set=[2], cpu_shared_set=[0, 1]), host("b", cpu_dedicated_set=[1, 2, 3], cpu_shared_set=[0])]
    assert names(choose(wanted(cpu=0.5), hosts)) == ["a", "b"]
    assert names(choose(wanted(cpu=0.0, pcpu=1), hosts)) == ["b", "a"]


# --- whatever the hosts are ---------------------------------------------------------------------------

HOSTS = st.lists(
    st.builds(
        host,
        st.text("abcdef", min_size=1, max_size=3),
        used=st.builds(Resources, cpu=st.sampled_from([0.0, 0.1, 1.0, 3.5]), memory=st.integers(0, 1100), disk=st.integers(0, 11)),
        up=st.booleans(),
        disabled=st.booleans(),
        zone=st.sampled_from(["nova", "east"]),
        sandboxes=st.integers(0, 9),
        mem_total=st.integers(500, 1500),
        runtimes=st.lists(st.sampled_from(["runc", "kata"])),
        architecture=st.sampled_from(["x86_64", "aarch64", ""]),
    ),
    max_size=6,
    unique_by=lambda candidate: candidate.host.hostname,
)
ASKED = st.builds(
    wanted,
    memory=st.integers(0, 900),
    availability_zone=st.sampled_from([None, "east"]),
    runtime=st.sampled_from([None, "kata"]),
    beside=st.none() | st.sets(st.sampled_from("abc")),
    apart=st.sets(st.sampled_from("def")),
    built=st.sets(st.sampled_from(["amd64"])),
)
WEIGHTS = st.fixed_dictionaries({name: st.floats(-5, 5) for name in ("ram", "cpu", "sandbox")})


def outcome(asked, hosts, rules):
    try:
        return names(choose(asked, hosts, rules))
    except errors.NoValidHost as none_left:
        return none_left.details["reason"]


@given(ASKED, HOSTS, WEIGHTS, st.randoms(use_true_random=False))
def test_in_which_order_hosts_are_found_does_not_matter(asked, hosts, weights, chance: random.Random):
    shuffled = chance.sample(hosts, len(hosts))
    rules = Rules(weights=weights)
    assert outcome(asked, shuffled, rules) == outcome(asked, hosts, rules)


@given(ASKED, HOSTS)
def test_every_host_that_passes_all_filters_is_chosen_and_no_other_one(asked, hosts):
    passing = sorted(each.host.hostname for each in hosts if all(rule.passes(asked, each) for rule in FILTERS))
    found = outcome(asked, hosts, Rules())
    assert (sorted(found) if isinstance(found, list) else []) == passing


@given(HOSTS)
def test_who_has_more_of_everything_left_is_never_behind(hosts):
    order = outcome(wanted(cpu=0.0, memory=0), hosts, Rules())
    left = {each.host.hostname: (each.free.memory, each.free.cpu, -each.sandboxes) for each in hosts}
    for place, name in enumerate(order if isinstance(order, list) else []):
        for behind in order[place + 1 :]:
            assert not all(more > less for more, less in zip(left[behind], left[name], strict=True))
