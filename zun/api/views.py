"""An entity's JSON (REST contract, sections 6, 8, 11, 12), read from its declarations and made ready once for each set of hidden fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from zun.api.derive import is_time
from zun.domain.model import MAX_VERSION, MIN_VERSION, Declared, Entity, Json, Version, fields

#: makes the JSON form of a row, given what the call knows besides the row
View = Callable[[Any, Any], Json]


def blank_time(moment: datetime | None) -> str | None:
    """``2024-05-01 12:30:00.000001``: the form of times in containers."""
    return None if moment is None else str(moment)


def exact_time(moment: datetime | None) -> str | None:
    """``2024-05-01T12:30:00.000001``: the form of times in actions and services."""
    return None if moment is None else moment.isoformat(timespec="microseconds")


class Shape:
    """How rows of an entity are shown.

    ``without`` names shown fields that this resource leaves out. ``computed`` are members that no column holds: functions of the row and
    of what the call knows besides it; ``since`` names those that appear only from a microversion on, ``types`` those that are shown as
    another type than the field's own, or whose type says too little. ``name`` is what its JSON is called, where that is not the
    entity's name.
    """

    def __init__(
        self,
        entity: type[Entity],
        *,
        without: Iterable[str] = (),
        computed: Mapping[str, Callable[[Any, Any], Any]] | None = None,
        since: Mapping[str, Version] | None = None,
        types: Mapping[str, Any] | None = None,
        name: str | None = None,
        time: Callable[[datetime | None], str | None] = blank_time,
    ) -> None:
        declared = fields(entity)
        #: what its JSON is called in the descriptions of the API
        self.name = name or entity.__name__
        #: for the same descriptions
        self.types = dict(types or {})
        self._fields = {name: each for name, each in declared.items() if each.field.shown and name not in set(without)}
        self._computed = dict(computed or {})
        self._since = dict(since or {})
        self._time = time
        self._views: dict[tuple[frozenset[str], Version], View] = {}
        #: what is shown only to who passes the rule of the field
        self.admin = tuple(name for name, each in self._fields.items() if each.field.admin)
        #: what a list may be sorted by
        self.sortable = frozenset(name for name, each in self._fields.items() if _is_scalar(each.type)) | {"id"}

    def view(self, hidden: frozenset[str] = frozenset(), version: Version = MAX_VERSION) -> View:
        """The function that makes the JSON form of a microversion without the hidden members."""
        key = (hidden, version)
        view = self._views.get(key)
        if view is None:
            view = self._views.setdefault(key, self._compile(hidden, version))
        return view

    def members(self, version: Version) -> Mapping[str, Declared]:
        """The fields that are shown at a microversion, hidden ones included."""
        return {name: each for name, each in self._fields.items() if each.field.shown_since <= version}

    def computed(self, version: Version) -> Mapping[str, Callable[[Any, Any], Any]]:
        """What is shown at a microversion and no column holds."""
        return {name: make for name, make in self._computed.items() if self.since(name) <= version}

    def since(self, name: str) -> Version:
        """The microversion from which on something that no column holds is shown."""
        return self._since.get(name, MIN_VERSION)

    def _compile(self, hidden: frozenset[str], version: Version) -> View:
        shown = {name: each for name, each in self.members(version).items() if name not in hidden}
        names = tuple(shown)
        read = attrgetter(*names)
        forms: list[tuple[str, Callable[[Any], Any]]] = []
        for name, each in shown.items():
            if is_time(each):
                forms.append((name, self._time))
            elif each.field.show is not None:
                forms.append((name, each.field.show))
        computed = tuple(self.computed(version).items())

        def view(row: Any, knows: Any) -> Json:
            found = dict(zip(names, read(row), strict=True))
            for name, form in forms:
                found[name] = form(found[name])
            for name, make in computed:
                found[name] = make(row, knows)
            return found

        return view


def _is_scalar(hint: Any) -> bool:
    return not any(getattr(part, "__origin__", part) in (list, dict) for part in (hint, *getattr(hint, "__args__", ())))
