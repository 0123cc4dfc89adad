"""Processes one by one: their exits and restarts, how long they were away, and what their supervisor made of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from soak.runner.judge.pipeline.backoff import Backoffs
from soak.runner.judge.pipeline.parts import Gathered, Parts
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, law, note
from soak.schemas.stream.block import Block, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.schemas.units import show_duration

_FOLLOWED = kind_flags(
    Kind.PROCESS_STARTED,
    Kind.PROCESS_EXITED,
    Kind.PROCESS_HEALTHY,
    Kind.PROCESS_OUTPUT,
    Kind.PROCESS_ABANDONED,
    Kind.PROCESS_ORPHANED,
    Kind.PROBE_GREEN,
    Kind.PROBE_FAILED,
    Kind.SHUTDOWN_STARTED,
    Kind.REPORTED_RESTARTS,
    Kind.RUN_RESUMED,
)
MOST_LISTED = 20
"""How many restarts of each process are listed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A restart as it is listed. waited_s: from the exit to the start; planned_s: its backoff."""

    waited_s: float
    planned_s: float


@dataclass(frozen=True, slots=True)
class CameBack:
    """A process that had come back from an exit at a time."""

    number: int
    t_s: float


@dataclass(slots=True)
class Followed:
    """A process as it is followed. up: whether it runs; None before anything was seen of it. Times in seconds."""

    up: bool | None = None
    exits: int = 0
    restarts: int = 0
    reported: int | None = None
    away_s: float | None = None
    """When it exited of what it has not come back from."""
    exit_s: float | None = None
    healthy_s: float | None = None
    output_s: float | None = None
    well_since_s: float | None = None
    """Since when it has been healthy without a break."""
    abandoned: bool = False
    orphaned: bool = False
    waits: list[Listed] = field(default_factory=list)
    back: list[float] = field(default_factory=list)


class Processes:
    """Follows all processes of a pipeline."""

    def __init__(self, pipeline: Pipeline, parts: Parts, backoffs: Backoffs) -> None:
        self._parts, self._backoffs = parts, backoffs
        self._writes = [bool(each.writes) for each in pipeline.processes]
        order = {name: place for place, name in enumerate(pipeline.supervisor.order)}
        self._place = [order.get(each.name, len(order)) for each in pipeline.processes]
        self.of = [Followed() for _ in pipeline.processes]
        self._strangers = 0
        """Processes that are left at the end and of which it is not known what they were."""
        self.shutdown_s: float | None = None
        self.ended: list[int] = []
        """The processes in the order in which they ended after the shutdown began."""
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
            self._take(block, place, facts, series)
        if facts.ended and self.shutdown_s is None:
            self._add_away(facts.until_s, series["restart_time"])
        # What is left of an unknown process may be of any.
        if facts.ended and self.shutdown_s is not None and not self._strangers:
            for number, each in enumerate(self.of):
                if not each.orphaned:
                    series["orphans"].add(facts.until_s, 0.0, self._parts.of_process(number, facts.until_s))
        for name, gathered in series.items():
            facts.series[name] = gathered.samples()

    def _take(self, block: Block, place: int, facts: Facts, series: dict[str, Gathered]) -> None:
        t_s, kind, number = float(block.t[place]), int(block.kind[place]), int(block.worker[place])
        if kind == Kind.SHUTDOWN_STARTED and self.shutdown_s is None:
            self.shutdown_s = t_s
            self._add_away(t_s, series["restart_time"])
        elif kind == Kind.RUN_RESUMED:
            self.resumed, self.shutdown_s, self.ended = True, None, []
            for each in self.of:
                # It ended with the runner and was started with it: nobody restarted it.
                each.up = each.exit_s = each.away_s = each.healthy_s = each.output_s = each.well_since_s = None
        elif kind == Kind.PROCESS_ORPHANED:
            self._orphaned(block, place, facts, series["orphans"])
        if not 0 <= number < len(self.of):
            return
        each, label = self.of[number], self._parts.of_process(number, t_s)
        match kind:
            case Kind.PROCESS_STARTED:
                self._started(each, block, place, facts, series)
            case Kind.PROCESS_EXITED:
                self._exited(each, block, place, facts, series)
            case Kind.PROCESS_HEALTHY | Kind.PROCESS_OUTPUT:
                self._came_back(each, number, kind, t_s, series["restart_time"])
            case Kind.PROBE_GREEN | Kind.PROBE_FAILED:
                series["restarts"].add(t_s, 0.0, label)
                series["backoff_violations"].add(t_s, 0.0, label)
                well = kind == Kind.PROBE_GREEN
                each.well_since_s = (t_s if each.well_since_s is None else each.well_since_s) if well else None
            case Kind.PROCESS_ABANDONED:
                each.abandoned = True
            case Kind.REPORTED_RESTARTS:
                each.reported = int(block.value[place])

    def _started(self, each: Followed, block: Block, place: int, facts: Facts, series: dict[str, Gathered]) -> None:
        t_s, number = float(block.t[place]), int(block.worker[place])
        label = self._parts.of_process(number, t_s)
        if each.up:
            self._turn(block, place, facts, "started while it ran")
        again = each.exit_s is not None
        series["restarts"].add(t_s, float(again), label)
        if again:
            assert each.exit_s is not None
            each.restarts += 1
            self._note(facts, "restarts", block, place, "restarted")
            waited_s = tick(t_s - each.exit_s)
            found = self._backoffs.restarted(number, t_s, waited_s)
            series["backoff_violations"].add(t_s, float(bool(found.wrong)), label)
            if found.wrong:
                waited = f"{show_duration(waited_s)} after its exit"
                self._note(facts, "backoff_violations", block, place, found.wrong, waited)
            if len(each.waits) < MOST_LISTED:
                each.waits.append(Listed(waited_s, found.planned_s))
        each.up, each.exit_s = True, None
        each.healthy_s = each.output_s = each.well_since_s = None

    def _exited(self, each: Followed, block: Block, place: int, facts: Facts, series: dict[str, Gathered]) -> None:
        t_s, number = float(block.t[place]), int(block.worker[place])
        if each.up is False:
            self._turn(block, place, facts, "exited while it did not run")
        each.up = False
        if self.shutdown_s is not None:
            self._ended(number, block, place, facts, series["shutdown_order_violations"])
            return
        each.exits += 1
        self._backoffs.exited(number, t_s, each.well_since_s, each.healthy_s)
        each.exit_s = t_s
        each.away_s = t_s if each.away_s is None else each.away_s
        each.healthy_s = each.output_s = each.well_since_s = None

    def _ended(self, number: int, block: Block, place: int, facts: Facts, series: Gathered) -> None:
        """A process ended in the shutdown: those that have their turn before it must have ended, also at this instant."""
        if number in self.ended:
            return
        self.ended.append(number)
        now = {int(block.worker[other]) for other in np.flatnonzero(block.t == block.t[place]).tolist()}
        before = [
            other
            for other, each in enumerate(self.of)
            if self._place[other] < self._place[number] and each.up and other not in now
        ]
        series.add(float(block.t[place]), float(bool(before)), -1)
        if before:
            names = ", ".join(self._parts.names[other] for other in before)
            detail = f"{names} had to end before it"
            self._note(facts, "shutdown_order_violations", block, place, "ended too early", detail)

    def _orphaned(self, block: Block, place: int, facts: Facts, series: Gathered) -> None:
        t_s, number = float(block.t[place]), int(block.worker[place])
        if 0 <= number < len(self.of):
            self.of[number].orphaned = True
        else:
            self._strangers += 1
        series.add(t_s, 1.0, self._parts.of_process(number, t_s))
        detail = "" if number >= 0 else "of an unknown process"
        self._note(facts, "orphans", block, place, "still there at the end", detail)

    def _came_back(self, each: Followed, number: int, kind: int, t_s: float, series: Gathered) -> None:
        if kind == Kind.PROCESS_HEALTHY:
            each.healthy_s = t_s if each.healthy_s is None else each.healthy_s
            each.well_since_s = t_s if each.well_since_s is None else each.well_since_s
        else:
            each.output_s = t_s if each.output_s is None else each.output_s
        done = each.healthy_s is not None and (each.output_s is not None or not self._writes[number])
        if each.away_s is None or not done:
            return
        took_s = tick(t_s - each.away_s)
        series.add(t_s, took_s, self._parts.of_process(number, each.away_s))
        each.away_s = None
        self.back.append(CameBack(number, t_s))
        if len(each.back) < MOST_LISTED:
            each.back.append(took_s)

    def _add_away(self, t_s: float, series: Gathered) -> None:
        """Nobody brings back any more what has not come back: it takes as long as it was down at least.

        What was healthy again and had perhaps nothing to pass on was away until then at least.
        """
        for number, each in enumerate(self.of):
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
            for number, each in enumerate(self.of)
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
