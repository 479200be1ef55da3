"""The user's guide says of Pods what the code does."""

from __future__ import annotations

from pathlib import Path

from zun.api import pod_table

GUIDE = Path(__file__).parents[2] / "docs" / "using.md"


def test_the_guide_s_tables_are_the_code_s() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert pod_table.honoured() in guide
    assert pod_table.refused() in guide


def test_every_member_has_a_line() -> None:
    tables = pod_table.honoured() + pod_table.refused()
    for place, member in pod_table.members():
        if not place.startswith("spec.initContainers[") and (member.doc):
            assert f"`{place}`" in tables, place
