"""What the answers of probes mean."""

import pytest

from zun.domain.lifecycle import Health
from zun.domain.probe import MAX_WORDS, Answer, Kind, Probe, Probes, Standing, Tally, bounded, resumed

YES, NO = Answer(well=True), Answer(well=False, words="HTTP status 500")
ONE = Probe(exec=["check"])


@pytest.mark.parametrize(
    ("answers", "follows"),
    [
        ("y", [True]),
        ("yyy", [True, False, False]),
        ("nnn", [False, False, True]),
        ("nnnn", [False, False, True, False]),
        ("ynnyn", [True, False, False, False, False]),
        ("ynnn", [True, False, False, True]),
        ("nnny", [False, False, True, True]),
    ],
)
def test_an_answer_counts_when_it_was_given_often_enough(answers, follows):
    tally = Tally()
    assert [tally.count(ONE, YES if each == "y" else NO) for each in answers] == follows


def test_a_threshold_of_success_counts_too():
    tally, probe = Tally(), Probe(exec=["check"], success_threshold=2, failure_threshold=1)
    assert [tally.count(probe, each) for each in (YES, NO, YES, YES, NO)] == [False, True, False, True, True]


def test_a_container_with_all_probes_begins_with_the_first_of_them():
    standing = Standing(Probes(startup=ONE, liveness=ONE, readiness=ONE), 1)
    assert (standing.due(), standing.health, standing.ready) == ([Kind.STARTUP], Health.STARTING, False)
    standing.conclude(Kind.STARTUP, YES)
    assert (standing.due(), standing.health, standing.ready) == ([Kind.LIVENESS, Kind.READINESS], Health.STARTING, False)
    standing.conclude(Kind.LIVENESS, YES)
    standing.conclude(Kind.READINESS, YES)
    assert (standing.health, standing.ready, standing.note) == (Health.HEALTHY, True, None)
    standing.conclude(Kind.READINESS, NO)
    assert (standing.health, standing.ready) == (Health.HEALTHY, False)
    assert standing.note == "Unhealthy: Readiness probe failed: HTTP status 500"
    standing.conclude(Kind.LIVENESS, NO)
    assert (standing.health, standing.note) == (Health.UNHEALTHY, "Killing: Liveness probe failed: HTTP status 500")
    assert standing.epitaph == "Killed: Liveness probe failed: HTTP status 500"


@pytest.mark.parametrize(
    ("probes", "health", "ready"),
    [
        (Probes(readiness=ONE), None, False),
        (Probes(liveness=ONE), Health.STARTING, None),
        (Probes(startup=ONE), Health.STARTING, False),
    ],
)
def test_what_no_probe_tells_is_not_shown(probes, health, ready):
    standing = Standing(probes, 1)
    assert (standing.health, standing.ready) == (health, ready)


def test_who_has_started_and_has_nothing_else_is_well_and_ready():
    standing = Standing(Probes(startup=ONE), 1)
    standing.conclude(Kind.STARTUP, YES)
    assert (standing.health, standing.ready, standing.due()) == (Health.HEALTHY, True, [])


def test_a_warning_is_said_until_there_is_none():
    standing = Standing(Probes(liveness=ONE), 1)
    standing.conclude(Kind.LIVENESS, Answer(well=True, words="it leads to another host"))
    assert (standing.health, standing.note) == (Health.HEALTHY, "Liveness probe warned: it leads to another host")
    standing.conclude(Kind.LIVENESS, YES)
    assert standing.note is None


def test_the_next_life_says_why_it_is_the_next():
    assert Standing(Probes(liveness=ONE), 2, after="Liveness probe failed: x").note == "Restarted: Liveness probe failed: x"


@pytest.mark.parametrize("kind", [Kind.READINESS, Kind.LIVENESS])
def test_what_was_shown_of_a_life_is_enough_to_go_on_with_it(kind):
    before = Standing(Probes(startup=ONE, liveness=ONE, readiness=ONE), 3, after="Liveness probe failed: earlier")
    for each in (Kind.STARTUP, Kind.LIVENESS, Kind.READINESS):
        before.conclude(each, YES)
    for conclude in (lambda: None, lambda: before.conclude(kind, NO)):
        conclude()
        after = resumed(
            before.probes,
            3,
            started=before.started,
            serves=bool(before.ready),
            lives=before.health is Health.HEALTHY,
            reason=before.note,
        )
        assert (after.health, after.ready, after.note, after.epitaph) == (before.health, before.ready, before.note, before.epitaph)


def test_an_answer_is_shown_on_one_line_and_not_longer_than_a_bound():
    assert bounded("no\n\x1b[31m such\tfile\u2028\n") == "no [31m such file"
    assert len(bounded("x" * 10**6)) == MAX_WORDS + 3
