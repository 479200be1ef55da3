"""The stream proxy: attach, interactive exec, followed logs and events."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "websocket_proxy"
OPTS = [
    cfg.HostAddressOpt("wsproxy_host", default="127.0.0.1", help="The address that the stream proxy listens on."),
    cfg.PortOpt("wsproxy_port", default=6784, help="The port that the stream proxy listens on; 0 is any that is free."),
    cfg.StrOpt(
        "base_url",
        regex=r"^wss?://[^/?#\s]+(/[^?#\s]*)?$",
        sample_default="ws://<the host that the client has asked>:<wsproxy_port>/",
        help="Where clients reach the stream proxy: ws://... or, where something in front of it speaks TLS, wss://...",
    ),
    cfg.ListOpt(
        "allowed_origins",
        default=[],
        help="Hosts, besides the proxy's own, whose pages may open streams in a browser: that of the dashboard, for instance.",
    ),
    cfg.IntOpt("token_ttl", default=60, min=5, max=3600, help="Seconds within which the address of a stream must be used."),
    cfg.IntOpt("max_streams", default=4096, min=1, help="The most streams that the proxy carries at a time."),
    cfg.IntOpt("max_streams_per_project", default=2048, min=1, help="The most streams that one project has open at a time in one proxy."),
    cfg.IntOpt(
        "ping_interval", default=30, min=1, help="Seconds between two pings: they keep what is on the way from closing silent streams."
    ),
]
