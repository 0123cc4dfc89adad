"""The judge: folds the event stream into SLIs, alerts, abort conditions and, at the end, a verdict.

It depends on the scenario and the stream only, so that anyone can reproduce the verdict from the evidence.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, count, takewhile

import numpy as np

from soak.runner.judge.alerts import number_or_none
from soak.runner.judge.applicable import Inapplicable, applicable
from soak.runner.judge.attribution import Attribution
from soak.runner.judge.changepoints.marks import Marks
from soak.runner.judge.checks.expected import objective_texts
from soak.runner.judge.checks.folds import CheckFolds
from soak.runner.judge.combined import AnyGuard, guard_of
from soak.runner.judge.course import Course
from soak.runner.judge.deciding.deciding import Deciding
from soak.runner.judge.explanation.records import Records
from soak.runner.judge.faults import FaultCounts
from soak.runner.judge.folds import UNRECORDED, Folds, Sketch
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.need import EVERYTHING, Need
from soak.runner.judge.operators import Operators
from soak.runner.judge.reads import has_interval, slis_of
from soak.runner.judge.room import room_of
from soak.runner.judge.samples import Facts
from soak.runner.judge.schedule import Schedule, schedule_of
from soak.runner.judge.tails import Tails
from soak.runner.judge.telemetry import Telemetry
from soak.runner.judge.trackers import Trackers
from soak.runner.judge.window_fold import windows_of
from soak.schemas.evidence.verdict import Checkpoint, Resume
from soak.schemas.language.check import Figure, LoadFigure
from soak.schemas.language.conditions import Comparison, Reference
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.slis import AT_THE_END, Sli
from soak.schemas.stream.block import Block, make_block, merge
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary

_ALERTS = kind_flags(Kind.ALERT_FIRED, Kind.ALERT_RESOLVED)
_RESUMES = kind_flags(Kind.RUN_PAUSED, Kind.RUN_RESUMED)
_ENDS = kind_flags(Kind.RUN_ENDED, Kind.RUN_DECIDED, Kind.RUN_ABORTED, Kind.RUN_INTERRUPTED)
_SELDOM = _ALERTS | _ENDS
_OF_THE_RUN = _ENDS | _RESUMES | kind_flags(Kind.RUN_MARKED, Kind.RUN_STOP_REQUESTED, Kind.RUN_REPEATED)
"""Events that say something of the run itself."""


class Judge:
    """Observes blocks of events in time order."""

    def __init__(
        self,
        scenario: Scenario,
        vocabulary: Vocabulary,
        *,
        abort: bool = True,
        identity: Identity | None = None,
        need: Need = EVERYTHING,
    ) -> None:
        """identity: of the run; None where no target has said anything."""
        self.need, self.with_findings = need, need.findings
        """Whether checkpoints are kept, and what findings are made of; set it before anything is observed."""
        scenario, self.not_judged = _judged(scenario, identity)
        scenario, self.beside = _applied(scenario, identity)
        self.scenario, self.vocabulary = scenario, vocabulary
        self.aborting = abort and any(condition.stops for condition in scenario.aborts)
        self.labels = LabelNumbers(scenario)
        self.folds, self.windows = Folds(scenario, self.labels), windows_of(scenario, self.labels)
        self.faults = FaultCounts(scenario, vocabulary)
        self.deciding = Deciding(scenario, self.labels, vocabulary, self.windows, bounded=need.intervals)
        self.operators = Operators(vocabulary)
        self.checks = CheckFolds(scenario, self.labels, vocabulary)
        self.alerts = [
            (alert, guard_of(alert.condition, self.labels, alert.keep_firing_for_s)) for alert in scenario.alerts
        ]
        self.aborts = [guard_of(condition, self.labels) for condition in scenario.aborts]
        self._trackers = Trackers.of(scenario, vocabulary, identity, self.labels, need)
        self.until_s = 0.0
        self.aborted_by: AnyGuard | None = None
        self.kinds_seen = np.zeros(len(Kind), dtype=np.int64)
        self.planned: int | None = None
        self.resumes: list[Resume] = []
        self._pause_s = 0.0
        self.repeats: list[int] = []
        """Number of differing events per repetition."""
        self.checkpoints: list[Checkpoint] = []
        self.facts = Facts(0.0)
        """The facts of the last observed block."""
        self._prepare_folds()

    @classmethod
    def of(cls, scenario: Scenario, vocabulary: Vocabulary, identity: Identity, need: Need = EVERYTHING) -> "Judge":
        """The judge of a run."""
        return cls(scenario, vocabulary, abort=identity.abort, identity=identity, need=need)

    @cached_property
    def schedule(self) -> Schedule:
        """What is scheduled in the scenario."""
        return schedule_of(self.scenario)

    @cached_property
    def records(self) -> Records:
        """What explanations need; used from the first block on, or not at all."""
        return Records(self.scenario)

    @cached_property
    def tails(self) -> Tails:
        """The largest observations; as `records`."""
        return Tails(self.scenario, self.labels)

    @cached_property
    def marks(self) -> Marks:
        """What may have changed an indicator; as `records`."""
        return Marks(self.vocabulary, has_parts=bool(self.scenario.parts))

    @cached_property
    def attribution(self) -> Attribution:
        """What each fault did and what it cost; as `records`."""
        return Attribution(self.scenario, self.vocabulary, self.labels, self.faults)

    def _prepare_folds(self) -> None:
        for sli in slis_of(self.scenario, self.need):
            self.folds.fold(sli)
        for objective in self.scenario.objectives:
            comparison = objective.comparison
            target = comparison.target
            labels = self.labels.selected(comparison.selector)
            fold = self.folds.fold(comparison.sli, labels)
            if comparison.sli.aggregate not in UNRECORDED and has_interval(objective, self.need):
                self.folds.record(comparison.sli, labels)
            if isinstance(target, Reference):
                other = self.folds.fold(comparison.sli, self.labels.selected(target.selector))
                self.folds.record(comparison.sli, self.labels.selected(target.selector))
                for each in (fold, other):
                    if isinstance(each, Sketch):
                        each.histogram.keep()
            elif isinstance(fold, Sketch):
                fold.histogram.pin(target)

    def course_of(self, comparison: Comparison) -> Course | None:
        """How the series of an objective went on under its labels; None for intervals, which have no observations."""
        return self.folds.course(comparison.sli, self.labels.selected(comparison.selector))

    @property
    def lifecycle(self) -> Lifecycle:
        """The tracker of tasks."""
        return self._trackers.lifecycle

    @property
    def telemetry(self) -> Telemetry:
        """The tracker of telemetry."""
        return self._trackers.telemetry

    def observe(self, block: Block) -> Iterator[Block]:
        """Process a block; yields it as judged: in parts that end where a checkpoint or the run does, alerts put in.

        Once `aborted_by` is set the run is over, and what follows in the block is not part of it. Alerts that stand
        in the block are an earlier judge's, who saw the same: they are left out.
        """
        seldom = _SELDOM[block.kind]
        has_alerts = seldom.any() and (is_alert := _ALERTS[block.kind]).any()
        parts = self._parts(block.take(~is_alert) if has_alerts else block)
        # A run that was resumed had been judged to its end before.
        for part in chain.from_iterable(map(_legs, parts)) if seldom.any() else parts:
            judged = self._observe_part(part)
            yield judged
            if self.aborted_by:
                return
            if self.with_findings and judged.until_s >= self._next_checkpoint_s():
                self.checkpoints.append(self.checkpoint(judged.until_s))

    def _next_checkpoint_s(self) -> float:
        return (len(self.checkpoints) + 1) * self.scenario.checkpoint_every_s

    def _parts(self, block: Block) -> Iterator[Block]:
        """The block in parts that end with the warm-up, and with each checkpoint: just before what happens then."""
        warmup_s, every_s = self.scenario.warmup_s, self.scenario.checkpoint_every_s
        checkpoints = (number * every_s for number in count(len(self.checkpoints) + 1))
        edges = list(takewhile(lambda edge_s: edge_s <= block.until_s, checkpoints if self.with_findings else ()))
        if self.until_s < warmup_s <= block.until_s:
            edges.append(warmup_s)
        for edge_s in sorted(edges) if not self.aborted_by else []:
            first, block = block.split(edge_s)
            yield first
        yield block

    def _observe_part(self, block: Block) -> Block:
        before = self._trackers.copied(_shared(self)) if self.aborting and not self.aborted_by else None
        facts = self._follow(block)
        for guard in self.aborts:
            guard.look(facts)
            guard.advance(facts.settled_s)
        held = [guard for guard in self.aborts if self.aborting and guard.condition.stops and guard.timer.firings]
        if before and held:
            self.aborted_by = min(held, key=lambda guard: guard.held_at_s or 0.0)
            assert self.aborted_by.held_at_s is not None
            block = _without_end(block.up_to(self.aborted_by.held_at_s))
            before.lifecycle.take_back(self.lifecycle)
            self._trackers = before
            facts = self._follow(block)
            for guard in self.aborts:
                guard.timer.forget_after(block.until_s)
        for _, guard in self.alerts:
            guard.look(facts)
        judged = self._tell_alerts(block, facts.settled_s)
        self._fold(block, facts)
        return judged

    def _follow(self, block: Block) -> Facts:
        wanted = self.records.wanted if self.need.findings else frozenset[str]()
        facts = Facts(block.until_s, bool(len(block)) and bool(_ENDS[block.kind[-1]]), wanted)
        self._trackers.lifecycle.observe(block, facts)
        self._trackers.telemetry.observe(block, facts)
        self._trackers.own.observe(block, facts)
        self.checks.follow(block, facts)
        return facts

    def _fold(self, block: Block, facts: Facts) -> None:
        self.folds.observe(facts)
        scan = facts.scanned(block)
        self.faults.observe(block, scan)
        for windows in self.windows.values():
            windows.observe(facts)
        self.deciding.observe(block, facts, self.alerts)
        self.checks.observe(block, scan)
        if self.with_findings:
            self.records.observe(facts)
            self.tails.observe(facts)
            self.marks.observe(block)
            self.attribution.observe(block, facts, self.lifecycle.tracker.recovered())
        counts = scan.counts if scan else np.bincount(block.kind, minlength=len(Kind))
        self.kinds_seen += counts
        if counts[_OF_THE_RUN].any():
            self._note_run(block)
        self.until_s = facts.until_s
        self.facts = facts

    def _note_run(self, block: Block) -> None:
        """What a block says of the run itself."""
        planned = block.value[(block.kind == Kind.RUN_ENDED) | (block.kind == Kind.RUN_DECIDED)]
        if len(planned):
            # Nothing planned, and something offered: by a source that sends what it likes.
            self.planned = int(planned[-1]) if planned[-1] or not self.offered else None
        self._note_resumes(block)
        self.operators.observe(block)
        self.repeats += block.value[block.kind == Kind.RUN_REPEATED].astype(np.int64).tolist()

    def _note_resumes(self, block: Block) -> None:
        for index in np.flatnonzero(_RESUMES[block.kind]).tolist():
            if block.kind[index] == Kind.RUN_PAUSED:
                self._pause_s = float(block.value[index])
            else:
                self.resumes.append(Resume(float(block.t[index]), float(block.value[index]), self._pause_s))

    def _tell_alerts(self, block: Block, settled_s: float) -> Block:
        """Advance the alerts as far as all is known and put what they did into the block, as events."""
        times, kinds, names = [], [], []
        for alert, guard in self.alerts:
            known = {(kind, t_s) for kind, t_s in _story(guard)}
            guard.advance(settled_s)
            for kind, t_s in _story(guard):
                if (kind, t_s) not in known:
                    times.append(t_s)
                    kinds.append(int(kind))
                    names.append(self.vocabulary.name(alert.condition.name))
        if not times:
            return block
        order = np.argsort(times, kind="stable")
        alerts = make_block(
            np.array(times)[order],
            np.array(kinds)[order],
            until_s=block.until_s,
            value=np.array(names, dtype=float)[order],
        )
        return merge([block, alerts])

    # What is known so far.

    def sli_value(self, sli: Sli, labels: frozenset[int] | None = None) -> float:
        """The value of an SLI so far; NaN without observations."""
        if sli.name == AT_THE_END:
            uncounted, lost = self.lifecycle.uncounted_tasks(), self.lifecycle.tracker.lost(self.lifecycle)
            # Tasks missing from the census may be those never started again.
            return math.nan if uncounted is None and not lost else float(max(uncounted or 0, lost, key=abs))
        if sli.over:
            return math.nan  # It is of two phases, and of the run there is none.
        return self.folds.fold(sli, labels).value(sli, self.worked_until_s - self.scenario.warmup_s)

    @property
    def worked_until_s(self) -> float:
        """Until when there was work: checks at the end take time in which there is none."""
        return min(self.until_s, self.checks.began_s)

    def slis(self) -> dict[str, float | None]:
        """Every SLI so far, in base units; None without observations. None at all where nobody needs them."""
        return {name: number_or_none(self.sli_value(sli)) for name, sli in self.scenario.slis.items() if self.need.slis}

    @property
    def offered(self) -> int:
        """Submissions made so far, duplicates included; work that was deferred counts once."""
        return self.lifecycle.tracker.offered(self.lifecycle) + int(self.kinds_seen[Kind.TASK_DUPLICATE])

    @property
    def answered(self) -> int:
        """Submissions that the system accepted or skipped."""
        tasks = int(self.kinds_seen[[Kind.TASK_ENQUEUED, Kind.TASK_SKIPPED]].sum())
        return self.lifecycle.tracker.answered(tasks)

    def figure(self, count: LoadFigure, tenant: str = "") -> int:
        """A figure of the load so far, of all work or of a tenant's."""
        figure = count.figure
        if tenant or count.kind:
            return self.checks.figures.of(count, tenant)
        if figure is Figure.OFFERED:
            return self.offered
        if language_of(self.scenario.system).work:
            return self.answered if figure is Figure.DONE else 0
        return self.lifecycle.state_counts()[TaskState.DONE if figure is Figure.DONE else TaskState.FAILED]

    def checkpoint(self, t_s: float) -> Checkpoint:
        """A status row."""
        states = {state.name: count for state, count in self.lifecycle.state_counts().items()}
        firing = [alert.condition.name for alert, guard in self.alerts if guard.timer.firing]
        return Checkpoint(t_s, self.slis(), states, self.faults.errors(), firing)


def _applied(scenario: Scenario, identity: Identity | None) -> tuple[Scenario, Inapplicable]:
    """The scenario with what applies to the target of a run, as that shows its faults; and the rest."""
    rest, beside = applicable(scenario, identity)
    return room_of(scenario.system).seen(rest, identity) if identity else rest, beside


def _judged(scenario: Scenario, identity: Identity | None) -> tuple[Scenario, list[str]]:
    """The scenario with the objectives that the run is judged by, and the others in words."""
    found = scenario.judged(simulated=identity is not None and identity.clock == "simulated")
    all_of_them = found.objectives == scenario.objectives
    others = (
        [] if all_of_them else [each.comparison.text for each in scenario.objectives if each not in found.objectives]
    )
    expected = objective_texts(scenario.checks) if scenario.checks != found.checks else ()
    return found, [*others, *expected]


def _story(guard: AnyGuard) -> Iterator[tuple[Kind, float]]:
    for firing in guard.timer.firings:
        yield Kind.ALERT_FIRED, firing.fired_s
        if firing.resolved_s is not None:
            yield Kind.ALERT_RESOLVED, firing.resolved_s


def _legs(block: Block) -> Iterator[Block]:
    """The block in parts that end where the run did: a run that was resumed had been judged to its end before."""
    begin = 0
    for end in (np.flatnonzero(_ENDS[block.kind]) + 1).tolist():
        yield block.take(slice(begin, end), float(block.t[end - 1]))
        begin = end
    if not begin or begin < len(block) or block.until_s > block.t[-1]:
        yield block.take(slice(begin, None)) if begin else block


def _without_end(block: Block) -> Block:
    """A run that is aborted at the instant at which it would have ended is aborted."""
    return block.take(~kind_flags(Kind.RUN_ENDED, Kind.RUN_DECIDED, Kind.RUN_INTERRUPTED)[block.kind])


def _shared(judge: Judge) -> dict[int, object]:
    """Shared by copies of the trackers: scenario, vocabulary and labels never change."""
    shared = (judge.scenario, judge.scenario.system_settings, judge.scenario.slis, judge.vocabulary, judge.labels)
    return {id(each): each for each in shared}
