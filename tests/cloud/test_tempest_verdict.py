"""What makes the run of zun-tempest-plugin good or bad, and what its images are made of."""

from __future__ import annotations

import io
import tarfile

import pytest

from cloud.tempest import images
from cloud.tempest.verdict import Outcome, Skip, allowed, judge

ELSEWHERE = Skip(".*", "^The microversion range", "it is run with the other setting", elsewhere=True)
OLDER = Skip("TestContainer\\..*", "^The microversion range", "its version is another")


def test_what_passes_once_and_is_skipped_elsewhere_for_a_known_reason_is_good() -> None:
    outcomes = [
        Outcome("oldest", "TestContainer.test_commit", "passed"),
        Outcome("newest", "TestContainer.test_commit", "skipped", "The microversion range[1.1 - 1.39] is out"),
    ]
    judged = judge(outcomes, [OLDER])
    assert (judged.failures, judged.skipped, judged.passed, judged.total) == ([], {}, 1, 1)


def test_what_passes_nowhere_is_told_with_its_reason() -> None:
    skipped = [Outcome(run, "TestContainer.test_commit", "skipped", "The microversion range[...]") for run in ("oldest", "newest")]
    judged = judge(skipped, [OLDER])
    assert (judged.failures, judged.skipped, judged.passed) == ([], {"TestContainer.test_commit": "its version is another"}, 0)


@pytest.mark.parametrize(("test", "why"), [("TestContainer.test_run", "no glance"), ("TestCapsule.test_run", "The microversion range")])
def test_a_skip_that_nobody_has_written_down_fails(test: str, why: str) -> None:
    known = Outcome("oldest", "TestContainer.test_commit", "skipped", "The microversion range[...]")
    judged = judge([known, Outcome("newest", test, "skipped", why)], [OLDER])
    assert [failure.partition(":")[0] for failure in judged.failures] == [f"{test} (newest) is skipped, and no reason is written down"]
    assert test not in judged.skipped


def test_what_shall_pass_elsewhere_and_does_not_fails() -> None:
    skipped = [Outcome(run, "TestContainer.test_commit", "skipped", "The microversion range[...]") for run in ("oldest", "newest")]
    assert [failure.partition(":")[0] for failure in judge(skipped, [ELSEWHERE], whole=False).failures] == [
        f"TestContainer.test_commit ({run}) is skipped, and no reason is written down" for run in ("oldest", "newest")
    ]
    passed = [skipped[0], Outcome("newest", "TestContainer.test_commit", "passed")]
    assert judge(passed, [ELSEWHERE]).failures == []


def test_a_failure_in_one_run_is_one_though_the_other_passes() -> None:
    judged = judge([Outcome("oldest", "A.test", "passed"), Outcome("newest", "A.test", "failed", "boom")], [])
    assert judged.failures == ["A.test (newest): boom"]


def test_a_reason_that_nothing_needs_any_more_fails() -> None:
    assert judge([Outcome("oldest", "A.test", "passed")], [OLDER]).failures == [
        "nothing is skipped any more for this reason, so it goes: its version is another"
    ]
    assert judge([Outcome("oldest", "A.test", "passed")], [OLDER], whole=False).failures == []


def test_the_written_reasons_can_be_read() -> None:
    assert all(skip.reason.endswith(".") for skip in allowed())


def test_images_have_programs_that_can_be_run_and_folders_on_the_way() -> None:
    ground = io.BytesIO()
    with tarfile.open(fileobj=ground, mode="w") as tar:
        folder = tarfile.TarInfo("bin")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    made = images.archive(ground.getvalue(), {"bin/hello": "#!/bin/sh\necho hello\n", "usr/share/page": "<h1>"})
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        assert tar.getnames() == ["bin", "bin/hello", "usr", "usr/share", "usr/share/page"]
        assert [tar.getmember(name).mode for name in ("bin/hello", "usr/share/page")] == [0o755, 0o644]
