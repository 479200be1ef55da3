"""What every store promises. A test class of its own inherits :class:`StoreConformance` and gives the ``store`` fixture.

The promises are those of :mod:`zun.interfaces.store`, and that all stores answer alike: in what text equals what, in where nulls are
sorted, in what is refused.
"""

from __future__ import annotations

from zun.conformance.store_changes import ChangePromises
from zun.conformance.store_events import EventPromises
from zun.conformance.store_queries import QueryPromises
from zun.conformance.store_races import RacePromises
from zun.conformance.store_rows import RowPromises


class StoreConformance(RowPromises, ChangePromises, RacePromises, QueryPromises, EventPromises):
    """All of it."""
