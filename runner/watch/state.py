"""The state of a run at a moment, as shown by watch and dashboard."""

import math
from collections import deque
from dataclasses import dataclass, field

import msgspec

from soak.runner.ends import end_after
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.margin_bar import used
from soak.schemas.evidence.verdict import End, ObjectiveResult, Verdict
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import Work
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.units import show_duration

_RATE_WINDOW_S = 600.0
MOST_POINTS = 400


class Objective(msgspec.Struct, frozen=True):
    """An objective so far, with formatted values."""

    objective: str
    status: str
    value: str
    target: str
    margin: str
    used: float | None = None
    """The share of what is allowed that is used; see `margin_bar.used`."""


class State(msgspec.Struct, frozen=True):
    """A run at a moment; times in seconds, `eta_s` of real time (None: not known, or not needed)."""

    scenario: str
    title: str
    target: str
    speed: float
    t_s: float
    duration_s: float
    shown_t: str
    shown_duration: str
    ended: str
    verdict: str
    reasons: list[str]
    objectives: list[Objective]
    tasks: dict[str, int]
    units: str
    """What is counted in `tasks`."""
    open_tasks: int
    levels: dict[str, float]
    throughput_per_min: float | None
    faults: list[str]
    alerts: list[str]
    eta_s: float | None
    series: dict[str, list[float | None]]
    offered: int = 0
    answered: int = 0
    """Submissions that were offered to the system, and those that it answered."""


@dataclass(slots=True)
class Watched:
    """A judge fed with the events so far, plus what the judge does not keep: latest samples and points to plot."""

    judge: Judge
    identity: Identity
    end: End = End.CUT
    levels: dict[str, float] = field(default_factory=dict)
    _closed: deque[tuple[float, int]] = field(default_factory=deque)
    _points: list[tuple[float, float | None, float | None, float]] = field(default_factory=list)
    _every_s: float = 0.0

    @property
    def ended(self) -> str:
        """How it ended; empty during the run."""
        return "" if self.end is End.CUT else self.end.value

    @property
    def _work(self) -> Work | None:
        return language_of(self.judge.scenario.system).work

    def _tasks(self, verdict: Verdict) -> dict[str, int]:
        """Tasks by state, or what became of the work of a system without any."""
        if work := self._work:
            counts = {work.offered: verdict.load.offered, work.answered: verdict.load.answered}
        else:
            counts = verdict.tasks
        return {name: count for name, count in counts.items() if count}

    def observe(self, block: Block) -> None:
        """Process a block."""
        for _ in self.judge.observe(block):
            pass
        self.look(block)

    def look(self, block: Block) -> None:
        """Note what the judge, which has observed the block, does not keep."""
        for kind, name in language_of(self.judge.scenario.system).levels.items():
            values = block.value[block.kind == kind]
            if len(values):
                self.levels[name] = float(values[-1])
        self.end = end_after(block, self.end)
        counts = self.judge.kinds_seen
        closed = self.judge.answered if self._work else int(counts[[Kind.TASK_DONE, Kind.TASK_FAILED]].sum())
        self._closed.append((self.judge.until_s, closed))
        while len(self._closed) > 2 and self._closed[0][0] < self.judge.until_s - _RATE_WINDOW_S:
            self._closed.popleft()
        self._note_point()

    def _note_point(self) -> None:
        """Downsampled, so that the whole run fits into MOST_POINTS."""
        self._every_s = self._every_s or self.judge.scenario.horizon_s / MOST_POINTS
        if self._points and self.judge.until_s < self._points[-1][0] + self._every_s:
            return
        slis = self.judge.scenario.slis
        drawn = (slis.get(name) for name in ("success_rate", "latency_p95"))
        values = (self.judge.sli_value(sli) if sli else math.nan for sli in drawn)
        success, p95_s = (value if value == value else None for value in values)
        self._points.append((self.judge.until_s, success, p95_s, self.levels.get("queue depth", 0.0)))

    def state(self, eta_s: float | None = None) -> State:
        """The run so far."""
        judge, scenario = self.judge, self.judge.scenario
        verdict = decide(judge, self.identity, self.end, with_findings=False)
        now_s = judge.until_s
        return State(
            scenario=scenario.name,
            title=scenario.title or scenario.name,
            target=self.identity.target,
            speed=self.identity.speed,
            t_s=now_s,
            duration_s=scenario.duration_s,
            shown_t=show_duration(round(now_s)),
            shown_duration=show_duration(scenario.duration_s),
            ended=self.ended,
            verdict=verdict.verdict.value if self.ended else "so far",
            reasons=[*(verdict.reasons if self.ended else []), *(f"warning: {each}" for each in verdict.warned)],
            objectives=[_shown(each) for each in verdict.objectives],
            tasks=self._tasks(verdict),
            units=self._work.units if self._work else "tasks",
            open_tasks=verdict.unfinished,
            levels=dict(self.levels),
            throughput_per_min=self._throughput(),
            faults=[
                fault.name
                for fault in scenario.faults
                if any(window.start_s <= now_s < window.end_s for window in fault.windows)
            ],
            alerts=[alert.condition.name for alert, guard in judge.alerts if guard.timer.firing],
            eta_s=None if self.ended else eta_s,
            series={name: [point[place] for point in self._points] for place, name in enumerate(_SERIES)},
            offered=verdict.load.offered,
            answered=verdict.load.answered,
        )

    def _throughput(self) -> float | None:
        (from_s, before), (to_s, after) = self._closed[0], self._closed[-1]
        return (after - before) / (to_s - from_s) * 60 if to_s > from_s else None


def _shown(result: ObjectiveResult) -> Objective:
    unit = Unit(result.unit)
    value, target = ("–" if number is None else unit.show(number) for number in (result.value, result.target))
    margin = "–" if result.margin is None else unit.show_margin(result.margin, result.target)
    return Objective(result.objective, result.status.value, value, f"{result.op} {target}", margin, used(result))


_SERIES = ("t_s", "success_rate", "latency_p95_s", "queue_depth")
