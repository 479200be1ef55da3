"""Whose pages may open a stream."""

from __future__ import annotations

import pytest

from zun.wsproxy.origin import allowed


@pytest.mark.parametrize(
    ("origin", "scheme", "forwarded", "yes"),
    [
        (None, "ws", None, True),
        ("http://cloud.example", "ws", None, True),
        ("http://CLOUD.example:8080", "ws", None, True),
        ("ws://cloud.example", "ws", None, True),
        ("https://cloud.example", "ws", None, False),
        ("https://cloud.example", "wss", None, True),
        ("http://cloud.example", "wss", None, False),
        ("http://cloud.example", "wss", "https", True),
        ("https://cloud.example", "wss", "http", False),
        ("https://board.example", "wss", None, True),
        ("https://board.example.evil", "wss", None, False),
        ("https://evil.example", "wss", None, False),
        ("https://evil.example@cloud.example", "wss", None, True),
        ("https://cloud.example@evil.example", "wss", None, False),
        ("null", "ws", None, False),
        ("", "ws", None, False),
        ("http://[", "ws", None, False),
        ("file://", "ws", None, False),
    ],
)
def test_whose_pages(origin: str | None, scheme: str, forwarded: str | None, yes: bool) -> None:
    headers = {"Host": "cloud.example:6784"}
    headers |= {"Origin": origin} if origin is not None else {}
    headers |= {"X-Forwarded-Proto": forwarded} if forwarded else {}
    assert allowed(headers, scheme, ["Board.example"]) is yes


def test_no_host_is_nobody_s() -> None:
    assert not allowed({"Origin": "http://cloud.example"}, "ws", [])
