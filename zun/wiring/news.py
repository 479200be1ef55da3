"""How one process tells the stream proxies of what it has written."""

from __future__ import annotations

from zun.db.store import SqlStore
from zun.interfaces import rpc
from zun.rpc.messaging import NEWS, Bus


def announce(store: SqlStore, bus: Bus) -> None:
    """Tell every stream proxy when something has happened that this process has written. Who misses it finds it by himself, later."""
    news = bus.client(rpc.News, NEWS, fanout=True)  # type: ignore[type-abstract]
    store.listen(lambda projects: news.tell(sorted(projects)))
