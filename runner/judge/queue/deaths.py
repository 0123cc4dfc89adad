"""Executions whose process died: which task, by which worker, and at which exit of its process."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.evidence.explanation import Case
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import task_name, worker_name
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

_LEAST_APART_S = 1.0


class Death(Struct, frozen=True):
    """When an execution died, its attempt and worker (-1: unknown), its cause; exit_s: when its process exited, if known."""

    t_s: float
    attempt: int
    worker: int
    cause: int
    exit_s: float | None = None


class Deaths:
    """The last death of each task that was not started again since.

    A process that exits is started again `restart_s` later at the earliest: an execution that died no further from an exit of
    its worker died with that.
    """

    def __init__(self, vocabulary: Vocabulary, restart_s: float) -> None:
        self._vocabulary = vocabulary
        self._near_s = max(restart_s, _LEAST_APART_S)
        self._of: dict[int, Death] = {}
        self._exits: dict[int, tuple[float, int]] = {}
        """By worker: when its process last exited, and its name."""

    def __deepcopy__(self, memo: dict[int, object]) -> "Deaths":
        """Values are never changed: a copy of the tables is enough."""
        twin = Deaths(self._vocabulary, self._near_s)
        twin._of, twin._exits = dict(self._of), dict(self._exits)
        return twin

    def add(self, task: int, block: Block, place: int) -> None:
        """An execution of a task died."""
        t_s, worker = float(block.t[place]), int(block.worker[place])
        exit_s = self._exits.get(worker, (-np.inf, 0))[0]
        near = exit_s if worker >= 0 and t_s - exit_s <= self._near_s else None
        self._of[task] = Death(t_s, int(block.attempt[place]), worker, int(block.cause[place]), near)

    def exited(self, block: Block, place: int) -> None:
        """A process exited; some that its worker ran may already be known to have died."""
        t_s, worker = float(block.t[place]), int(block.worker[place])
        if worker < 0:
            return
        self._exits[worker] = t_s, int(block.value[place])
        for task, each in self._of.items():
            if each.worker == worker and t_s - each.t_s <= self._near_s:
                self._of[task] = replace(each, exit_s=t_s)

    def pop(self, task: int) -> Death | None:
        """Forget the death of a task, which was started again or needs no more; returns it."""
        return self._of.pop(task, None)

    def items(self) -> Sequence[tuple[int, Death]]:
        """Each task with its death."""
        return list(self._of.items())

    def tasks(self) -> Sequence[int]:
        """The tasks whose death is known."""
        return list(self._of)

    def case(self, task: int) -> tuple[str, Case]:
        """What is said of a task that died and was not started again, and of its cause."""
        death = self._of[task]
        cause = self._vocabulary.causes[death.cause]
        told = Case(
            t_s=death.t_s,
            task=task_name(task),
            attempt=death.attempt,
            worker=self._process(death.worker),
            before="running",
            after="never started again",
            detail="",
        )
        return f"killed by fault {cause.fault}" if cause.fault else f"its process died ({cause.error})", told

    def _process(self, worker: int) -> str:
        """The name of a worker's process, as its exit told it; empty for an unknown worker."""
        if worker in self._exits:
            return self._vocabulary.names[self._exits[worker][1]]
        return worker_name(worker) if worker >= 0 else ""

    def words(self, tasks: Sequence[int]) -> str:
        """At what the executions of these tasks died: how many exits of which processes, by which faults."""
        deaths = [self._of[task] for task in tasks]
        exits = {_exit(each) for each in deaths}
        killed = {_exit(each) for each in deaths if self._vocabulary.causes[each.cause].fault}
        names = dict.fromkeys(self._process(each.worker) for each in sorted(deaths, key=lambda each: each.worker))
        faults = dict.fromkeys(fault for each in deaths if (fault := self._vocabulary.causes[each.cause].fault))
        what = ("kill" if killed == exits else "death") + ("" if len(exits) == 1 else "s")
        of = f" of {_listed([name or 'an unknown worker' for name in names])}"
        by = f" ({'fault' if len(faults) == 1 else 'faults'} {_listed(list(faults))})" if faults else ""
        first_s = min(each.t_s for each in deaths)
        were = "1 task was" if len(tasks) == 1 else f"{len(tasks):,} tasks were"
        return f"{were} running at {len(exits):,} {what}{of}{by}, first at {show_duration(first_s)}"


def _exit(death: Death) -> tuple[int, float]:
    """At which exit of which worker an execution died."""
    return death.worker, death.t_s if death.exit_s is None else death.exit_s


_MOST_NAMES = 4


def _listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    shown = names if len(names) <= _MOST_NAMES else [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
