"""The API reference says what the code says."""

import re
from pathlib import Path

from tools.draw_api import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "api.md").read_text() == page() + "\n"


def test_what_came_later_says_since_when():
    written = page()
    assert "| `entrypoint` | body | list of at most 1000 (" in written
    assert "| 1.40 | replaces the image's ENTRYPOINT |" in written
    assert "| `health` | [Health](#health) or null | 1.41 |" in written


def test_every_row_says_something():
    silent = [line for line in page().splitlines() if line.startswith("| `") and line.rpartition("|")[0].rpartition("|")[2].strip() == ""]
    assert silent == []


def test_every_link_leads_somewhere():
    written = page()
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in written.splitlines() if line.startswith("#")}
    assert set(re.findall(r"[]][(]#([a-z-]+)[)]", written)) <= headings
