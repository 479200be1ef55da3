"""Write docs/lifecycle.md from the tables of zun.domain.lifecycle: ``python tools/draw_lifecycle.py > docs/lifecycle.md``."""

from __future__ import annotations

from zun.domain.capsule import PHASES
from zun.domain.lifecycle import MOVES, VERBS, News, Status, Verb

HEAD = """# The life of a container

This page is written by `tools/draw_lifecycle.py` from the two tables in `zun/domain/lifecycle.py`, which decide every status, and
the one of `zun/domain/capsule.py`. Do not edit it; `make docs` writes it anew, and a test compares.
"""

#: what an engine shows at the end of a verb that went well, for the drawing
_ENDS = {
    "create": "Created",
    "start": "Running",
    "stop": "Stopped",
    "reboot": "Running",
    "rebuild": "Created",
    "pause": "Paused",
    "unpause": "Running",
    "kill": "Stopped",
}


def page() -> str:
    """The whole page, as markdown."""
    return "\n".join(
        [HEAD, "## The diagram\n", *_diagram(), "\n## Verbs\n", *_verbs(), "\n## News\n", *_news(), "\n## Capsules\n", *_phases(), ""]
    )


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> Creating: create", "    Creating --> Created", "    Creating --> Running: run"]
    for name, verb in VERBS.items():
        end = _ENDS.get(name)
        if end is None or name == "create":
            continue
        via = verb.at_once.value if verb.at_once else None
        for status in _sorted(verb.allowed):
            lines.append(f"    {status} --> {via or end}: {name}")
        if via:
            lines.append(f"    {via} --> {end}")
    lines += ["    Creating --> Error: it failed", "    Running --> Stopped: it ended", "    Stopped --> Restarting: its policy"]
    lines += [
        "    Restarting --> Running",
        "    Stopped --> Deleting: delete",
        "    Created --> Deleting: delete",
        "    Error --> Deleting: delete",
    ]
    return [*dict.fromkeys(lines), "    Deleting --> [*]", "```"]


def _verbs() -> list[str]:
    lines = [
        "| Verb | Allowed in | Shown at once | While a host works on it | If it fails |",
        "|---|---|---|---|---|",
    ]
    return lines + [f"| `{name}` | {_allowed(verb)} | {_at_once(verb)} | {_task(verb)} | {_failed(verb)} |" for name, verb in VERBS.items()]


def _allowed(verb: Verb) -> str:
    if verb.name == "create":
        return "(makes the container)"
    if len(verb.allowed) > len(Status) / 2:
        missing = _sorted(frozenset(Status) - verb.allowed)
        return "every status" + (f" but {', '.join(missing)}" if missing else "")
    return ", ".join(_sorted(verb.allowed))


def _at_once(verb: Verb) -> str:
    return verb.at_once.value if verb.at_once else "-"


def _task(verb: Verb) -> str:
    if verb.sync:
        return "(the caller waits)"
    return f"`{verb.task.value}`" if verb.task else "-"


def _failed(verb: Verb) -> str:
    if verb.sync:
        return "the caller is told"
    if verb.failed is None:
        return "what the engine shows"
    return f"{verb.failed.value}; what was there before, if it still lives" if verb.keeps else verb.failed.value


def _news() -> list[str]:
    lines = ["| News of the container | in one of | makes it |", "|---|---|---|"]
    for move in MOVES:
        also = ", Error (a new life only)" if move.new_life_ends_error else ""
        lines.append(f"| {_said(move.news)} | {', '.join(_sorted(move.of))}{also} | {move.to.value if move.to else '-'} |")
    return lines


def _phases() -> list[str]:
    lines = [
        "A capsule's status is read off its containers: the first line that applies. One that is on its way out counts only if all are; an",
        "initialising one that has finished counts never.\n",
        "| Of its containers | it is |",
        "|---|---|",
    ]
    return lines + [f"| {row.when} | {row.to.value} |" for row in PHASES]


def _said(news: News) -> str:
    return "its host is silent" if news is News.HOST_LOST else f"the engine says `{news.value}`"


def _sorted(statuses: frozenset[Status]) -> list[str]:
    return [status.value for status in Status if status in statuses]


if __name__ == "__main__":
    print(page(), end="")
