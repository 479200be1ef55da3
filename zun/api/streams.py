"""The calls that open a stream: they check who asks and in which state the container is, and answer where the stream is to be had."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from zun import errors
from zun.api.arguments import Execute, Logs
from zun.api.call import Answer, Call
from zun.domain.model import Json
from zun.domain.stream import StreamKind


def proxy_url(call: Call, path: str = "", *, http: bool = False, **query: str) -> str:
    """An address at the stream proxy: the configured one, or that port of the host that the client has asked."""
    base = call.parts.proxy_url
    if not base:
        host = urlsplit(call.host_url).hostname or ""
        base = f"ws://[{host}]:{call.parts.proxy_port}/" if ":" in host else f"ws://{host}:{call.parts.proxy_port}/"
    if http:
        base = "http" + base.removeprefix("ws")
    return f"{base.rstrip('/')}/{path}?{urlencode(query)}"


def attach(call: Call) -> str:
    """``GET /containers/{id}/attach``. Raises NotInteractive, HostNotUp."""
    call.parts.verbs.agent(call.row, "attach")
    if not call.row.interactive:
        raise errors.NotInteractive(id=call.row.uuid)
    token = call.parts.streams.issue(StreamKind.ATTACH, call.row.project_id, container_uuid=call.row.uuid)
    return proxy_url(call, token=token, uuid=call.row.uuid)


def follow(call: Call) -> Answer:
    """Where the log of a container is followed, for one time. Raises HostNotUp."""
    options: Logs = call.options
    call.parts.verbs.agent(call.row, "logs")
    asked = {name: getattr(options, name) for name in ("stdout", "stderr", "timestamps", "tail")}
    since = None if options.since is None else options.since.isoformat()
    token = call.parts.streams.issue(
        StreamKind.LOGS, call.row.project_id, container_uuid=call.row.uuid, arguments={**asked, "since": since}
    )
    return Answer({}, location=proxy_url(call, "logs", http=True, token=token, uuid=call.row.uuid), status=307)


def execute(call: Call) -> Json:
    """``POST /containers/{id}/execute`` for whoever wants the stream of a command and not its whole output at once."""
    options: Execute = call.options
    exec_id = call.parts.verbs.agent(call.row, "execute").exec_create(call.row.uuid, options.command, options.interactive)
    token = call.parts.streams.issue(StreamKind.EXEC, call.row.project_id, container_uuid=call.row.uuid, exec_id=exec_id)
    url = proxy_url(call, token=token, uuid=call.row.uuid, exec_id=exec_id)
    return {"output": None, "exit_code": None, "exec_id": exec_id, "proxy_url": url}
