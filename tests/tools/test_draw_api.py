"""The API reference says what the code says."""

from pathlib import Path

from tools.draw_api import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "api.md").read_text() == page() + "\n"


def test_what_came_later_says_since_when():
    written = page()
    assert "| `entrypoint` | body | list of words | 1.40 |" in written
    assert "| `health` | string or null | 1.41 |" in written or "| `health` | one of a few words or null | 1.41 |" in written
