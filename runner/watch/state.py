"""The state of a run at a moment, as shown by watch and dashboard."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from soak.runner.ends import end_after
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.margin_bar import used
from soak.runner.watch.steps import Steps
from soak.schemas.evidence.marks import Mark
from soak.schemas.evidence.verdict import End, ObjectiveResult, Outcome, Status, Verdict
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import Work
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.units import show_duration

_RATE_WINDOW_S = 600.0


class Objective(msgspec.Struct, frozen=True):
    """An objective so far, with formatted values. recent: its indicator in a rolling window, where that is followed."""

    objective: str
    status: str
    value: str
    target: str
    margin: str
    used: float | None = None
    """The share of what is allowed that is used; see `margin_bar.used`."""
    recent: str = ""


class Fired(msgspec.Struct, frozen=True):
    """An alert that fired: when, and when it was resolved (None: it fires)."""

    name: str
    severity: str
    fired_s: float
    resolved_s: float | None


class State(msgspec.Struct, frozen=True):
    """A run at a moment; times in seconds, `eta_s` of real time (None: not known, or not needed).

    verdict: "so far" during the run. provisional: what the verdict would be by the objectives and laws so far.
    """

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
    provisional: str
    reasons: list[str]
    objectives: list[Objective]
    tasks: dict[str, int]
    units: str
    """What is counted in `tasks`."""
    open_tasks: int
    levels: dict[str, float]
    throughput_per_min: float | None
    phases: list[str]
    faults: list[str]
    alerts: list[str]
    """Those that fire."""
    marks: list[Mark]
    """What operators marked, and that they asked to stop it."""
    history: list[Fired]
    """All alerts that fired, the latest first."""
    errors: dict[str, int]
    eta_s: float | None
    offered: int = 0
    answered: int = 0
    """Submissions that were offered to the system, and those that it answered."""


_MOST_FIRED = 200
"""Alerts in the history of a state: the latest."""


@dataclass(slots=True)
class Watched:
    """A judge fed with the events so far, plus what it does not keep: latest samples, and `steps` where they are drawn.

    A run that is judged already is watched by `look`; `observe` has the judge see the events first.
    """

    judge: Judge
    identity: Identity
    end: End = End.CUT
    levels: dict[str, float] = field(default_factory=dict)
    steps: Steps | None = None
    _closed: deque[tuple[float, int]] = field(default_factory=deque)

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
        """Have the judge see a block, and watch it."""
        for part in self.judge.observe(block):
            if self.steps:
                self.steps.append(part, self.judge.facts)
            self.look(part)

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

    def finish(self) -> None:
        """Nothing more will come: the last step is complete."""
        if self.steps and self.ended:
            self.steps.finish(self.judge.until_s)

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
            provisional=verdict.headline if self.ended else provisional(verdict),
            reasons=[*(verdict.reasons if self.ended else []), *(f"warning: {each}" for each in verdict.warned)],
            objectives=list(self._objectives(verdict)),
            tasks=self._tasks(verdict),
            units=self._work.units if self._work else "tasks",
            open_tasks=verdict.unfinished,
            levels=dict(self.levels),
            throughput_per_min=self._throughput(),
            phases=[each.name for each in scenario.phases if each.window.start_s <= now_s < each.window.end_s],
            faults=[
                fault.name
                for fault in scenario.faults
                if any(window.start_s <= now_s < window.end_s for window in fault.windows)
            ],
            alerts=[alert.condition.name for alert, guard in judge.alerts if guard.timer.firing],
            marks=list(judge.operators.marks),
            history=fired(judge)[:_MOST_FIRED],
            errors=dict(islice(verdict.errors.items(), _MOST_ERRORS)),
            eta_s=None if self.ended else eta_s,
            offered=verdict.load.offered,
            answered=verdict.load.answered,
        )

    def _objectives(self, verdict: Verdict) -> Iterator[Objective]:
        rolling = self.steps.rolling.column_of if self.steps else {}
        columns = {each.comparison.text: (name, each.comparison.sli.unit) for each, name in rolling.items()}
        for result in verdict.objectives:
            name, unit = columns.get(result.objective, ("", Unit(result.unit)))
            recent = self.steps.table.latest(name) if self.steps and name else None
            yield _shown(result, "" if recent is None else _LEVEL.get(unit, unit).show(recent))

    def _throughput(self) -> float | None:
        if not self._closed:
            return None
        (from_s, before), (to_s, after) = self._closed[0], self._closed[-1]
        return (after - before) / (to_s - from_s) * 60 if to_s > from_s else None


_MOST_ERRORS = 50
_LEVEL = {Unit.DURATION_PER_HOUR: Unit.DURATION, Unit.SIZE_PER_HOUR: Unit.SIZE, Unit.COUNT_PER_HOUR: Unit.COUNT}
"""What is shown of something that grows."""


def _shown(result: ObjectiveResult, recent: str) -> Objective:
    unit = Unit(result.unit)
    value, target = ("–" if number is None else unit.show(number) for number in (result.value, result.target))
    margin = "–" if result.margin is None else unit.show_margin(result.margin, result.target)
    return Objective(
        result.objective, result.status.value, value, f"{result.op} {target}", margin, used(result), recent
    )


def provisional(verdict: Verdict) -> str:
    """What the verdict of a run would be that goes on as it is: in words, with what can still change."""
    broken = sum(each.status is Status.FAIL for each in verdict.objectives)
    if any(each.status is Status.FAIL for each in verdict.laws):
        return Outcome.FAIL.value
    if broken:
        return f"{Outcome.FAIL.value} so far"
    open_ = [each for each in verdict.applicable if each.status is not Status.PASS]
    return f"{Outcome.PASS.value} so far" if verdict.applicable and not open_ else "undecided so far"


def fired(judge: Judge) -> list[Fired]:
    """The alerts that fired, the latest first."""
    found = [
        Fired(alert.condition.name, alert.severity.value, firing.fired_s, firing.resolved_s)
        for alert, guard in judge.alerts
        for firing in guard.timer.firings
    ]
    return sorted(found, key=lambda each: -each.fired_s)
