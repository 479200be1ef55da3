"""What a host remembers of its wires."""

from __future__ import annotations

from pathlib import Path

from zun.drivers.network.notes import Notes


def test_what_was_begun_is_remembered_by_the_next_life_until_it_is_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "wires"
    assert Notes(folder).of("one") == []
    for device, port in (("one", "p1"), ("one", "p2"), ("two", "p3"), ("one", "p1")):
        Notes(folder).begin(device, port)
    assert (Notes(folder).of("one"), Notes(folder).of("two")) == (["p1", "p2"], ["p3"])
    Notes(folder).end("one", "p1")
    Notes(folder).end("one", "none")
    assert Notes(folder).of("one") == ["p2"]
    for port in ("p2", "p2"):
        Notes(folder).end("one", port)
    assert (Notes(folder).of("one"), list(folder.iterdir())) == ([], [folder / "two"])
