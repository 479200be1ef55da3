"""Probes: how a Pod finds out whether a container has started, lives, is ready; and what the answers mean, by Kubernetes' rules.

What is here knows neither time nor network. ``compute/probing.py`` asks and waits.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zun.domain.lifecycle import Health

#: how much of an answer is shown, in characters
MAX_WORDS = 400

#: what is shown begins with these, the first two in the words of Kubernetes' events
UNHEALTHY, KILLING, KILLED, RESTARTED = "Unhealthy: ", "Killing: ", "Killed: ", "Restarted: "


class Kind(enum.StrEnum):
    """What a probe is for."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"


class HttpGet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that is answered with 200 to 399. Without a ``host`` (an address) the sandbox's own one is asked."""

    port: int
    path: str = "/"
    scheme: str = "http"
    host: str | None = None
    headers: list[tuple[str, str]] = []


class TcpSocket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A connection that is accepted."""

    port: int
    host: str | None = None


class Probe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One probe: exactly one of ``exec``, ``http`` and ``tcp``. Times in seconds; the defaults are Kubernetes'."""

    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    #: that the container is given to end when this probe ends it; None is the container's own
    grace: int | None = None
    exec: list[str] | None = None
    http: HttpGet | None = None
    tcp: TcpSocket | None = None


class Probes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The probes of one container."""

    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None

    def of(self, kind: Kind) -> Probe | None:
        """The probe of this kind, if there is one."""
        found: Probe | None = getattr(self, kind.value)
        return found

    @property
    def tell_health(self) -> bool:
        """Whether they say how the container is."""
        return self.startup is not None or self.liveness is not None

    @property
    def tell_readiness(self) -> bool:
        """Whether they say if it is ready."""
        return self.startup is not None or self.readiness is not None


def load(stored: Mapping[str, Any]) -> Probes | None:
    """The probes of a row; None where it has none. Raises msgspec.ValidationError for what is no probes."""
    return msgspec.convert(stored, Probes) if stored else None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking. Words of a good answer are a warning."""

    well: bool
    words: str = ""


@dataclass(slots=True)
class Tally:
    """The answers of one probe in one life of its container."""

    well: bool | None = None
    run: int = 0
    #: what was last concluded of them
    concluded: bool | None = None

    def count(self, probe: Probe, answer: Answer) -> bool:
        """Count an answer. Whether something else follows from it than before."""
        self.run = self.run + 1 if self.well is answer.well else 1
        self.well = answer.well
        if self.run < (probe.success_threshold if answer.well else probe.failure_threshold):
            return False
        new = self.concluded is not answer.well
        self.concluded = answer.well
        return new

    def forget(self) -> None:
        """Begin anew."""
        self.well, self.run, self.concluded = None, 0, None


@dataclass(slots=True, eq=False)
class Standing:
    """How one life of a container stands with its probes. Another life has another standing."""

    probes: Probes
    incarnation: int
    #: its startup probe has succeeded, or it has none
    started: bool = False
    #: what its readiness probe says
    serves: bool = False
    #: what its liveness probe says; None before its first word
    lives: bool | None = None
    #: why it is being ended, once a probe has decided that
    condemned: str | None = None
    #: why the life before it was ended, if a probe has done it
    after: str | None = None
    #: why it is not ready
    ails: str | None = None
    #: of probes that are content
    warnings: dict[Kind, str] = field(default_factory=dict)
    tallies: dict[Kind, Tally] = field(default_factory=lambda: {kind: Tally() for kind in Kind})
    #: somebody asks
    asked: bool = False

    def __post_init__(self) -> None:
        self.started = self.started or self.probes.startup is None

    def anew(self) -> Standing:
        """The same life, of which nothing is decided."""
        return Standing(self.probes, self.incarnation, started=self.started, serves=self.serves, lives=self.lives, after=self.after)

    @property
    def ready(self) -> bool | None:
        """Whether it can be given work; None where no probe says so."""
        if not self.probes.tell_readiness:
            return None
        return self.started and self.condemned is None and (self.serves or self.probes.readiness is None)

    @property
    def health(self) -> Health | None:
        """How it is; None where no probe says so."""
        if not self.probes.tell_health:
            return None
        if self.condemned is not None:
            return Health.UNHEALTHY
        well = self.started and (self.lives or self.probes.liveness is None)
        return Health.HEALTHY if well else Health.STARTING

    @property
    def note(self) -> str | None:
        """What there is to say of it while it runs."""
        for ahead, words in ((KILLING, self.condemned), (UNHEALTHY, self.ails), ("", next(iter(self.warnings.values()), None))):
            if words is not None:
                return ahead + words
        return None if self.after is None else RESTARTED + self.after

    @property
    def epitaph(self) -> str | None:
        """What there is to say of it when it has ended."""
        return None if self.condemned is None else KILLED + self.condemned

    def due(self) -> list[Kind]:
        """What is to be asked: until it has started, nothing but that."""
        kinds = (Kind.LIVENESS, Kind.READINESS) if self.started else (Kind.STARTUP,)
        return [kind for kind in kinds if self.probes.of(kind) is not None]

    def conclude(self, kind: Kind, answer: Answer) -> None:
        """Take what follows from so many answers."""
        words = f"{kind.value.capitalize()} probe {'warned' if answer.well else 'failed'}: {bounded(answer.words)}"
        self.warnings.pop(kind, None)
        if answer.well and answer.words:
            self.warnings[kind] = words
        if kind is Kind.READINESS:
            self.serves = answer.well
            self.ails = None if answer.well else words
        elif not answer.well:
            self.condemned = words
        elif kind is Kind.LIVENESS:
            self.lives = True
        else:
            self.started = True


def resumed(probes: Probes, incarnation: int, *, started: bool, serves: bool, lives: bool, reason: str | None) -> Standing:
    """A life that others have seen before, by what was shown of it; ``reason`` is why it was so."""
    found = Standing(probes, incarnation, started=started, serves=serves, lives=lives or None)
    found.condemned = _behind(reason, KILLING) or _behind(reason, KILLED)
    found.ails, found.after = _behind(reason, UNHEALTHY), _behind(reason, RESTARTED)
    return found


def _behind(reason: str | None, ahead: str) -> str | None:
    return reason.removeprefix(ahead) if reason is not None and reason.startswith(ahead) else None


def bounded(words: str) -> str:
    """The words on one line, and not too many of them."""
    line = " ".join("".join(each if each.isprintable() else " " for each in words[: 4 * MAX_WORDS]).split())
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]}..."
