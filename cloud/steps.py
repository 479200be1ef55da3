"""Work that depends on other work, all at once as far as the order allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from tools.progress import Progress, Trouble


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work, done when all that it ``needs`` is done. It returns whether there was anything to do."""

    name: str
    work: Callable[[], bool]
    needs: Sequence[str] = ()


def wanted(steps: Sequence[Step], names: Sequence[str]) -> list[Step]:
    """Those of the steps that have one of the names, and all that they need; all steps where no name is given. Raises Trouble for a name
    that no step has."""
    known = {step.name: step for step in steps}
    if unknown := sorted(set(names) - set(known)):
        raise Trouble(f"no step is called {', '.join(map(repr, unknown))}; there are: {', '.join(sorted(known))}")
    chosen = set(names or known)
    due = list(chosen)
    while due:
        new = set(known[due.pop()].needs) - chosen
        chosen |= new
        due += new
    return [step for step in steps if step.name in chosen]


def run(steps: Sequence[Step], progress: Progress, workers: int = 16) -> dict[str, float]:
    """Do all steps; the seconds that each took, without those that had nothing to do.

    After a failure no step begins any more; those at work are waited for, and the first failure is raised.
    """
    waiting = {step.name: step for step in steps}
    unknown = {need for step in steps for need in step.needs} - set(waiting)
    if unknown:
        raise ValueError(f"steps need what no step does: {sorted(unknown)}")
    took: dict[str, float] = {}
    done: set[str] = set()
    at_work: dict[Future[tuple[bool, float]], Step] = {}
    failure: BaseException | None = None
    with ThreadPoolExecutor(workers) as pool:
        while at_work or (waiting and failure is None):
            for step in [step for step in waiting.values() if failure is None and done.issuperset(step.needs)]:
                del waiting[step.name]
                at_work[pool.submit(_timed, step.work)] = step
            if not at_work:
                raise ValueError(f"steps wait for each other: {sorted(waiting)}")
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                step = at_work.pop(future)
                if error := future.exception():
                    failure = failure or error
                    continue
                done.add(step.name)
                worked, seconds = future.result()
                if worked:
                    took[step.name] = seconds
                    progress.say(f"{step.name} ({seconds:.1f} s)")
    if failure is not None:
        raise failure
    return took


def _timed(work: Callable[[], bool]) -> tuple[bool, float]:
    begun = time.monotonic()
    worked = work()
    return worked, time.monotonic() - begun
