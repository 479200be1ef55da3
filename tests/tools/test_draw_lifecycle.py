"""The page about the lifecycle says what the tables say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date():
    page = runpy.run_path(str(ROOT / "tools" / "draw_lifecycle.py"))["page"]()
    assert (ROOT / "docs" / "lifecycle.md").read_text() == page
