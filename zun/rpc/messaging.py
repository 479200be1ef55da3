"""Both sides anywhere: calls over oslo.messaging, as other OpenStack services make them.

Every Protocol of ``zun.interfaces.rpc`` has a topic. A call waits for its answer; a method marked ``cast`` is sent by one thread in the
background, so that nobody waits for a broker that is away: its loss delays work, never loses it.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, TypeVar

from oslo_config import cfg

from zun import errors
from zun.interfaces.rpc import Agent
from zun.pulse import Pulse
from zun.rpc.codec import Codec, Send
from zun.rpc.threads import FAILURES, oslo_messaging, register_options

LOG = logging.getLogger(__name__)

P = TypeVar("P")

#: what is said to whom
CONDUCTOR, AGENT, ROUNDS, STREAMS, NEWS = "zun-conductor", "zun-compute", "zun-rounds", "zun-streams", "zun-wsproxy"
#: the form of the messages; what a method takes and answers may grow, for the codec fills in what the other side does not know
VERSION = "1.0"

#: connections to the broker that are tried before a call fails, and casts that wait for it at most
_TRIES, _CASTS = 2, 10_000
#: Seconds until casts that the broker did not take are sent again, and until a server that was not let in knocks again; and seconds that
#: one which has just begun may take to have begun.
_AGAIN, _SERVE_AGAIN, _FAREWELL = 1.0, 2.0, 0.5


class Bus:
    """This process's connection to the broker; ``transport_url`` of the configuration says where that is."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        register_options(conf)
        # What waits for a host outlives the broker's own crash.
        conf.set_default("rabbit_quorum_queue", True, group="oslo_messaging_rabbit")
        # Not the one that others share: what they have made of that decides which queues can be had there.
        conf.set_default("control_exchange", "zun")
        self._conf = conf
        # An exception of the other side is told in the codec's form: none is made out of a name in a message.
        self._transport = oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=[])
        self._reached = threading.Event()
        self._casts = _Casts()

    def start(self) -> None:
        """Begin to send what nobody waits for."""
        self._casts.start()

    def stop(self) -> None:
        """Hang up. What has not been sent is not sent."""
        self._casts.stop()
        self._transport.cleanup()

    def client(self, protocol: type[P], topic: str, *, server: str | None = None, fanout: bool = False) -> P:
        """Who serves ``topic``: any one, the one that is named ``server``, or with ``fanout`` (casts only) every one.

        A call raises RpcUnavailable where no answer comes in ``rpc_response_timeout`` seconds, or there is no broker.
        """
        return Codec(protocol).client(self._send(topic, server, fanout))

    def server(self, protocol: type[P], target: P, topic: str, *, name: str) -> Server[P]:
        """Serves ``target``, as one of those of its topic and under a name of its own there."""
        where = oslo_messaging.Target(topic=topic, server=name)
        endpoint = Endpoint(Codec(protocol), target)
        return Server(partial(oslo_messaging.get_rpc_server, self._transport, where, [endpoint]), f"rpc-{topic}")

    def agents(self) -> RemoteAgents:
        """The way to every host's agent."""
        codec: Codec[Agent] = Codec(Agent)  # type: ignore[type-abstract]
        return RemoteAgents(lambda host: codec.client(self._send(AGENT, host, fanout=False)))

    def _send(self, topic: str, server: str | None, fanout: bool) -> Send:
        where = oslo_messaging.Target(topic=topic, server=server, fanout=fanout or None, version=VERSION)
        known_only = oslo_messaging.TransportOptions(at_least_once=True)
        caller = oslo_messaging.get_rpc_client(self._transport, where, retry=_TRIES, transport_options=known_only)
        caster = oslo_messaging.get_rpc_client(self._transport, where, retry=0)

        def send(method: str, body: bytes, awaited: bool) -> bytes:
            text = body.decode()
            if not awaited:
                self._casts.put((topic, server, method, text), partial(caster.cast, {}, "told", name=method, body=text))
                return b""
            try:
                self._reach(caster)
                answer: str = caller.call({}, "asked", name=method, body=text)
            except FAILURES as error:
                LOG.warning("%s of %s was not answered: %s", method, server or topic, error)
                raise errors.RpcUnavailable(target=server or topic, seconds=self._conf.rpc_response_timeout) from error
            return answer.encode()

        return send

    def _reach(self, caster: Any) -> None:
        """The first call of a process would wait for its broker without end, because its queue for answers is made by then."""
        if not self._reached.is_set():
            caster.prepare(retry=_TRIES).cast({}, "met")
            self._reached.set()


class Endpoint(Generic[P]):
    """What a server does with a message."""

    target = oslo_messaging.Target(version=VERSION)

    def __init__(self, codec: Codec[P], served: P) -> None:
        self._codec = codec
        self._served = served

    def asked(self, context: dict[str, Any], name: str, body: str) -> str:
        """A call: its answer, or its error, encoded."""
        return self._codec.serve(self._served, name, body.encode()).decode()

    def told(self, context: dict[str, Any], name: str, body: str) -> None:
        """A cast."""
        self._codec.serve(self._served, name, body.encode())

    def met(self, context: dict[str, Any]) -> None:
        """Somebody has found the broker."""


class Server(Generic[P]):
    """Serves a topic until stopped. A broker that is away, or lets nobody in, is waited for, in a thread."""

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self._make = make
        self._server: Any = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to serve, as soon as there is a broker."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            server = self._make()
            try:
                server.start()
            except FAILURES as error:
                LOG.error("%s cannot serve: %s", self._thread.name, error)
                self._stopping.wait(_SERVE_AGAIN)
            else:
                self._server = server
                return

    def stop(self) -> None:
        """Take no more messages, and end those that are being worked on."""
        self._stopping.set()
        # Who still waits for the broker is a daemon, and left to its waiting.
        self._thread.join(_FAREWELL)
        if self._server is not None:
            self._server.stop()
            self._server.wait()


def stop_all(servers: Sequence[Server[Any]]) -> None:
    """Stop them at once: each may take the five seconds that the library waits for a message at most."""
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(lambda server: server.stop(), servers))


class RemoteAgents:
    """Implements :class:`zun.interfaces.rpc.Agents`."""

    def __init__(self, make: Callable[[str], Agent]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._agents: dict[str, Agent] = {}

    def on(self, host: str) -> Agent:
        """The agent of one host; only its calls tell whether it is there."""
        with self._lock:
            if host not in self._agents:
                self._agents[host] = self._make(host)
            return self._agents[host]


class _Casts:
    """What is sent and forgotten, in order. Of two that say the same, one is enough."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[tuple[Any, ...], Callable[[], None]] = OrderedDict()
        self._pulse = Pulse("rpc-casts", self._deliver, every=_AGAIN, first_after=_AGAIN)
        self.start, self.stop = self._pulse.start, self._pulse.stop

    def put(self, key: tuple[Any, ...], send: Callable[[], None]) -> None:
        with self._lock:
            self._waiting[key] = send
            if len(self._waiting) > _CASTS:
                self._waiting.popitem(last=False)
        self._pulse.poke()

    def _deliver(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    return
                key, send = self._waiting.popitem(last=False)
            try:
                send()
            except FAILURES as error:
                LOG.warning("%s was not sent: %s", key[2], error)
                with self._lock:
                    self._waiting.setdefault(key, send)
                    self._waiting.move_to_end(key, last=False)
                return
