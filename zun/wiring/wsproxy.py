"""The process ``zun-wsproxy``: streams between clients and hosts. It has neither database nor engine."""

from __future__ import annotations

from oslo_config import cfg

from zun.api import events
from zun.interfaces import rpc
from zun.rpc import messaging
from zun.wiring.proxy import stream_server
from zun.wsproxy.app import listen
from zun.wsproxy.sse import EventStreams


class StreamProxy:
    """A stream proxy."""

    farewell = 2.0

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Raises OSError where it cannot listen."""
        self._bus = messaging.Bus(conf)
        streams = self._bus.client(rpc.Streams, messaging.STREAMS)  # type: ignore[type-abstract]
        happening = EventStreams(events.shown)
        options = conf.websocket_proxy
        self._proxy = stream_server(conf, streams, listen(options.wsproxy_host, options.wsproxy_port), happening)
        self._server = self._bus.server(rpc.News, happening, messaging.NEWS, name=conf.host)  # type: ignore[type-abstract]

    def start(self) -> None:
        """Begin."""
        self._bus.start()
        self._proxy.start()
        self._server.start()

    def stop(self) -> None:
        """Close every stream."""
        self._proxy.stop()
        self._server.stop()
        self._bus.stop()
