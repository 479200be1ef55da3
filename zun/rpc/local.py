"""Both sides in one process. Every message is still encoded, so that the distributed service differs in its transport only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from zun import errors
from zun.interfaces.rpc import Agent
from zun.rpc.codec import Codec

P = TypeVar("P")


def link(protocol: type[P], target: P) -> P:
    """``target`` as it looks from the other side of the wire."""
    codec = Codec(protocol)
    return codec.client(lambda name, body, _awaited: codec.serve(target, name, body))


class LocalAgents:
    """The way to the agents of this process (interfaces.rpc.Agents)."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents

    def on(self, host: str) -> Agent:
        """The agent of one host."""
        agent = self._agents.get(host)
        if agent is None:
            raise errors.RpcUnavailable(target=host, seconds=0)
        return agent
