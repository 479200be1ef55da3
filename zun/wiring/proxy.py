"""What a stream proxy is made of."""

from __future__ import annotations

import socket

from oslo_config import cfg

from zun.interfaces import rpc
from zun.wsproxy import follow, websocket
from zun.wsproxy.app import Path, Proxy, StreamServer
from zun.wsproxy.sse import EventStreams


def stream_server(conf: cfg.ConfigOpts, streams: rpc.Streams, listening: socket.socket, happening: EventStreams) -> StreamServer:
    """The stream proxy on a bound socket; what it is told is all that it knows."""
    options = conf.websocket_proxy
    proxy = Proxy(
        streams=streams,
        scheme="wss" if (options.base_url or "").startswith("wss:") else "ws",
        origins=options.allowed_origins,
        ping_interval=options.ping_interval,
        max_streams=options.max_streams,
        max_streams_per_project=options.max_streams_per_project,
    )
    return StreamServer(proxy, [Path("/", websocket.serve), Path("/events", happening.serve), Path("/logs", follow.serve)], listening)
