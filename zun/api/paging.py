"""Lists in parts (REST contract, section 4, "Pagination")."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from zun import errors
from zun.api import paths
from zun.api.arguments import Paging
from zun.api.call import Call
from zun.api.reading import excerpt
from zun.domain.model import Json
from zun.interfaces.store import Page

#: what the next address says anew, or leaves out
_OWN = frozenset({"limit", "marker", "sort_key", "sort_dir", "resource_url", "expand"})

_encode_into = msgspec.json.Encoder().encode_into


class Items:
    """The items of a list, each in the form in which it is sent as soon as it is known.

    They are in one piece of memory, which grows and goes back to the system whole. A thousand pieces leave holes, which the process keeps.
    """

    def __init__(self) -> None:
        self._text = bytearray(b"[")
        #: of each item, in their order
        self.markers: list[str] = []

    def add(self, marker: str, shown: Json) -> None:
        """One more, as it is shown."""
        if self.markers:
            self._text += b","
        self.markers.append(marker)
        # -1: at its end
        _encode_into(shown, self._text, -1)

    def text(self) -> msgspec.Raw:
        """All of them, as JSON. There can be no more afterwards."""
        self._text += b"]"
        return msgspec.Raw(self._text)


def page(call: Call, sortable: Collection[str], default: str = "id") -> Page:
    """The part that was asked for. Raises InvalidValue for a key that the list cannot be sorted by."""
    options: Paging = call.options
    key = options.sort_key or default
    if key not in sortable:
        raise errors.InvalidValue(field="sort_key", rule=f"'{excerpt(key)}' is nothing that this list can be sorted by")
    limit = min(options.limit or call.parts.max_limit, call.parts.max_limit)
    return Page(limit=limit, marker=options.marker or None, sort_key=key, descending=options.sort_dir == "desc")


def following(call: Call, collection: str, page: Page, items: Sequence[str]) -> str | None:
    """The address of the next part, with the filters of this one; None where this one is not full. ``items`` are this part's markers."""
    if not items or len(items) != page.limit:
        return None
    kept = {name: text for name, text in call.query.items() if name not in _OWN}
    order = {"sort_key": page.sort_key, "sort_dir": "desc" if page.descending else "asc"}
    return paths.listing(call.host_url, collection, {**kept, **order, "limit": page.limit, "marker": items[-1]})
