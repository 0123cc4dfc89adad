"""Processes one by one: their exits and restarts, how long they were away, and what their supervisor made of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.judge.pipeline.backoff import Backoffs
from soak.runner.judge.pipeline.lives import LIVES, Exit, Lives
from soak.runner.judge.pipeline.parts import Gathered, Parts, note_one
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, law, note
from soak.schemas.stream.block import Block, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.exits import CLEAN
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.schemas.units import show_duration

_TOLD = (Kind.PROCESS_ABANDONED, Kind.PROCESS_ORPHANED, Kind.REPORTED_RESTARTS)
_FOLLOWED = kind_flags(*LIVES, *_TOLD)
MOST_LISTED = 20
"""How many restarts of each process are listed."""


class Listed(Struct, frozen=True):
    """A restart as it is listed. waited_s: from the exit to the start; least_s, most_s: its backoff."""

    waited_s: float
    least_s: float
    most_s: float


class CameBack(Struct, frozen=True):
    """A process that had come back from an exit at a time."""

    number: int
    t_s: float


@dataclass(slots=True)
class Followed:
    """What is counted of a process."""

    exits: int = 0
    restarts: int = 0
    reported: int | None = None
    abandoned: bool = False
    orphaned: bool = False
    waits: list[Listed] = field(default_factory=list)
    back: list[float] = field(default_factory=list)


class Processes:
    """Follows all processes of a pipeline."""

    def __init__(self, pipeline: Pipeline, parts: Parts, backoffs: Backoffs, vocabulary: Vocabulary) -> None:
        self._parts, self._backoffs, self._vocabulary = parts, backoffs, vocabulary
        order = {name: place for place, name in enumerate(pipeline.supervisor.order)}
        self._place = [order.get(each.name, len(order)) for each in pipeline.processes]
        self.of = [Followed() for _ in pipeline.processes]
        self._lives = Lives(pipeline)
        self._strangers = 0
        """Processes that are left at the end and of which it is not known what they were."""
        self._ending: list[int] = []
        """The processes that ended in the shutdown and whose turn is not judged yet: more may end at the instant `_ending_s`."""
        self._ending_s = 0.0
        self.out_of_turn = 0
        """Starts of processes that ran, and exits of those that did not."""
        self.resumed = False
        self.back: list[CameBack] = []
        """The processes that came back in the last block."""

    def observe(self, block: Block, facts: Facts) -> None:
        """Take in a block."""
        names = ("restart_time", "restarts", "backoff_violations", "shutdown_order_violations", "orphans")
        series = {name: Gathered() for name in names}
        self.back = []
        places = np.flatnonzero(_FOLLOWED[block.kind]).tolist()
        for place in places:
            if block.t[place] > self._ending_s:
                self._settle(facts, series["shutdown_order_violations"])
            if block.kind[place] == Kind.SHUTDOWN_STARTED and self._lives.shutdown_s is None:
                self._add_away(float(block.t[place]), series["restart_time"])
            self._take(block, place, facts, series)
        if self._ending_s <= facts.settled_s:
            self._settle(facts, series["shutdown_order_violations"])
        if facts.ended and self._lives.shutdown_s is None:
            self._add_away(facts.until_s, series["restart_time"])
        # What is left of an unknown process may be of any.
        if facts.ended and self._lives.shutdown_s is not None and not self._strangers:
            for number, each in enumerate(self.of):
                if not each.orphaned:
                    series["orphans"].add(facts.until_s, 0.0, self._parts.of_process(number, facts.until_s))
        for name, gathered in series.items():
            facts.series[name] = gathered.samples()

    def _take(self, block: Block, place: int, facts: Facts, series: dict[str, Gathered]) -> None:
        t_s, kind, number = float(block.t[place]), int(block.kind[place]), int(block.worker[place])
        was_up, ended = self._up(number), len(self.ended)
        found = self._lives.take(kind, number, t_s, int(block.cause[place]))
        if kind == Kind.RUN_RESUMED:
            self.resumed = True
            self._backoffs.resumed()
        if kind in _TOLD:
            self._told(block, place, facts, series["orphans"])
        if not 0 <= number < len(self.of):
            return
        each, label = self.of[number], self._parts.of_process(number, t_s)
        match kind:
            case Kind.PROCESS_STARTED:
                if was_up:
                    self._turn(block, place, facts, "started while it ran")
                series["restarts"].add(t_s, float(found is not None), label)
                if found is not None:
                    self._restarted(found, block, place, facts, series["backoff_violations"])
            case Kind.PROCESS_EXITED:
                if was_up is False:
                    self._turn(block, place, facts, "exited while it did not run")
                each.exits += found is not None
                if len(self.ended) > ended:
                    self._ending.append(number)
                    self._ending_s = t_s
            case Kind.PROCESS_HEALTHY | Kind.PROCESS_OUTPUT if found is not None:
                self._came_back(each, number, found, series["restart_time"])
            case Kind.PROBE_GREEN | Kind.PROBE_FAILED:
                series["restarts"].add(t_s, 0.0, label)
                series["backoff_violations"].add(t_s, 0.0, label)

    def _up(self, number: int) -> bool | None:
        return self._lives.of[number].up if 0 <= number < len(self.of) else None

    @property
    def ended(self) -> list[int]:
        """The processes in the order in which they ended after the shutdown began."""
        return self._lives.ended

    def away_s(self, number: int) -> float | None:
        """When a process exited of what it has not come back from."""
        return self._lives.of[number].away_s

    def _restarted(self, found: Exit, block: Block, place: int, facts: Facts, series: Gathered) -> None:
        t_s, number = float(block.t[place]), int(block.worker[place])
        each, waited_s = self.of[number], found.waited_s or 0.0
        each.restarts += 1
        self._note(facts, "restarts", block, place, "restarted")
        clean = self._vocabulary.causes[found.cause].error == CLEAN
        judged = self._backoffs.restarted(number, found, clean=clean)
        series.add(t_s, float(bool(judged.wrong)), self._parts.of_process(number, t_s))
        if judged.wrong:
            waited = f"{show_duration(waited_s)} after its exit"
            self._note(facts, "backoff_violations", block, place, judged.wrong, waited)
        if len(each.waits) < MOST_LISTED:
            each.waits.append(Listed(waited_s, judged.least_s, judged.most_s))

    def _settle(self, facts: Facts, series: Gathered) -> None:
        """All that ended at an instant is known: those that have their turn before it must have ended, also then."""
        for number in self._ending:
            before = [
                self._parts.names[other]
                for other, each in enumerate(self._lives.of)
                if self._place[other] < self._place[number] and each.up
            ]
            series.add(self._ending_s, float(bool(before)), -1)
            if before:
                label = self._parts.of_process(number, self._ending_s)
                told = Told(detail=f"{', '.join(before)} had to end before it", part=self._parts.names[number])
                note_one(facts, "shutdown_order_violations", self._ending_s, label, "ended too early", told)
        self._ending = []

    def _told(self, block: Block, place: int, facts: Facts, orphans: Gathered) -> None:
        """What is said of a process once. What is left at the end may be of an unknown one."""
        t_s, kind, number = float(block.t[place]), int(block.kind[place]), int(block.worker[place])
        each = self.of[number] if 0 <= number < len(self.of) else None
        if kind == Kind.PROCESS_ORPHANED:
            self._strangers += each is None
            orphans.add(t_s, 1.0, self._parts.of_process(number, t_s))
            self._note(
                facts, "orphans", block, place, "still there at the end", "" if each else "of an unknown process"
            )
        if each is not None:
            each.orphaned = each.orphaned or kind == Kind.PROCESS_ORPHANED
            each.abandoned = each.abandoned or kind == Kind.PROCESS_ABANDONED
            each.reported = int(block.value[place]) if kind == Kind.REPORTED_RESTARTS else each.reported

    def _came_back(self, each: Followed, number: int, found: Exit, series: Gathered) -> None:
        assert found.back_s is not None and found.took_s is not None
        series.add(found.back_s, found.took_s, self._parts.of_process(number, found.away_s))
        self.back.append(CameBack(number, found.back_s))
        if len(each.back) < MOST_LISTED:
            each.back.append(found.took_s)

    def _add_away(self, t_s: float, series: Gathered) -> None:
        """Nobody brings back any more what has not come back: it takes as long as it was down at least.

        What was healthy again and had perhaps nothing to pass on was away until then at least.
        """
        for number, each in enumerate(self._lives.of):
            if each.away_s is not None:
                back_s = t_s if each.healthy_s is None else each.healthy_s
                series.add(t_s, tick(back_s - each.away_s), self._parts.of_process(number, each.away_s))

    def _turn(self, block: Block, place: int, facts: Facts, what: str) -> None:
        self.out_of_turn += 1
        self._note(facts, law("processes"), block, place, what)

    def _note(self, facts: Facts, of: str, block: Block, place: int, cause: str, detail: str = "") -> None:
        number = int(block.worker[place])
        label = np.array([self._parts.of_process(number, float(block.t[place]))])
        told = Told(detail=detail, part=self._parts.name(number))
        note(facts, of, block, np.array([place]), cause=cause, told=lambda position: told, label=label)

    # What is known at the end.

    def away(self, labels: frozenset[int] | None) -> int:
        """How many processes have not come back from an exit."""
        gone = [
            number
            for number, each in enumerate(self._lives.of)
            if each.away_s is not None and (labels is None or self._parts.of_process(number, each.away_s) in labels)
        ]
        return len(gone)

    def differing(self) -> Iterator[str]:
        """Processes whose restarts are not those that the supervisor reported, in words."""
        for name, each in zip(self._parts.names, self.of, strict=False):
            if each.reported is not None and each.reported != each.restarts:
                yield f"{name}: {each.restarts} restarts seen, {each.reported} reported"

    @property
    def any_reported(self) -> bool:
        """Whether the supervisor reported how often it restarted anything."""
        return any(each.reported is not None for each in self.of)


def longest(times: list[float]) -> float:
    """The longest of some times; NaN without any."""
    return max(times, default=math.nan)
