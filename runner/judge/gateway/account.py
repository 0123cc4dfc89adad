"""The files of a gateway's evidence, as folds over the stream: latencies, tenants by phase, failed requests."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from soak.runner.judge.account import Account, Beside
from soak.runner.judge.alerts import number_or_none
from soak.runner.judge.checks.expected import Expectations
from soak.runner.judge.checks.outcomes import Outcomes
from soak.runner.judge.confidence import DEFAULT_CONFIDENCE, Evidence
from soak.runner.judge.course import Course
from soak.runner.judge.fairness import Evenness
from soak.runner.judge.folds import Sketch, Tally
from soak.runner.judge.gateway.checked import check_reports
from soak.runner.judge.gateway.ended import Ended, OpenRequests
from soak.runner.judge.gateway.failed import Failed
from soak.runner.judge.gateway.over_time import TenantsOverTime
from soak.runner.judge.histogram import RELATIVE_ERROR
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.ratio import ratio_interval
from soak.runner.judge.samples import Samples
from soak.runner.judge.schedule import schedule_of
from soak.runner.judge.task_violations import errors
from soak.schemas.language.model import Phase, Scenario
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.gateway.documents import (
    COMPARISON,
    ERRORS,
    LATENCY,
    SCHEMA_VERSION,
    ComparisonReport,
    Latencies,
    LatencyReport,
    PhaseReport,
    TenantInPhase,
)
from soak.schemas.systems.gateway.indicators import JAIN_INDEX, SLOWDOWN
from soak.schemas.systems.gateway.settings import gateway_of

_LEAST = 100
"""Fewer observations have no 99th percentile but their largest."""


@dataclass(slots=True)
class _Part:
    """Requests of some tenant, kind and phase: their latencies, how many succeeded, and why the others failed."""

    latency: Sketch = field(default_factory=Sketch)
    mean: Tally = field(default_factory=Tally)
    done: Tally = field(default_factory=Tally)
    course: Course | None = None
    causes: Counter[int] = field(default_factory=Counter)

    def observe(self, ended: Ended) -> None:
        """Take in requests that ended."""
        samples = Samples(ended.t, ended.latency_s)
        self.latency.observe(samples)
        self.mean.observe(samples)
        self.done.observe(Samples(ended.t, ended.done.astype(np.float64)))
        self.causes.update(ended.cause[~ended.done].tolist())
        if self.course is not None:
            self.course.observe(samples)

    def quantile(self, q: float) -> float | None:
        """A quantile of the latencies in seconds; None without any."""
        return self.latency.histogram.quantile(q) if self.latency.samples else None

    def by_error(self, words: Sequence[str]) -> dict[str, int]:
        """How many failed of each error, the most frequent first; words: by cause."""
        counts: Counter[str] = Counter()
        for cause, count in self.causes.items():
            counts[words[cause]] += count
        return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))

    def told(self, tenant: str | None, kind: str | None, phase: str | None, words: Sequence[str]) -> Latencies:
        """As latency.json has it; there is at least one request. words: the error of each cause."""
        count, histogram = self.latency.samples, self.latency.histogram
        failed = count - round(self.done.total)
        mean_s, (p50_s, p95_s, p99_s) = self.mean.total / count, (histogram.quantile(q) for q in (0.5, 0.95, 0.99))
        error_rate, longest_s = failed / count, histogram.largest
        mean_s, by_error = round(mean_s, 6), self.by_error(words)
        return Latencies(
            tenant, kind, phase, count, failed, error_rate, mean_s, p50_s, p95_s, p99_s, longest_s, by_error
        )


class GatewayAccount(Account):
    """Follows requests for latency.json, comparison.json and errors.log."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._scenario, self._labels = scenario, LabelNumbers(scenario)
        self._known = [(label.tenant, label.kind) for label in scenario.workload.labels] or [("", "")]
        self._tenants = [tenant.name for tenant in scenario.workload.tenants] or [""]
        self._phases = [phase.name for phase in scenario.phases]
        self._kinds = [*dict.fromkeys(kind for _, kind in self._known)]
        self._vocabulary = vocabulary
        self._open, self._failed = OpenRequests(), Failed(vocabulary)
        self._parts: dict[tuple[str | None, str | None, str | None], _Part] = {}
        self._even = {each: Evenness(scenario, self._labels, self._in(each)) for each in (None, *self._phases)}
        self._due, self._done = np.zeros(self._labels.unknown + 1), np.zeros(self._labels.unknown + 1)
        self._outcomes = Outcomes(scenario, vocabulary)
        self._expectations = Expectations(scenario)
        self._time = TenantsOverTime(scenario, len(self._tenants))
        self._until_s = 0.0

    def _in(self, phase: str | None) -> frozenset[int] | None:
        return None if phase is None else self._labels.selected((("phase", phase),))

    def observe(self, block: Block) -> None:
        """Take in a block."""
        self._until_s = block.until_s
        self._outcomes.observe(block)
        self._expectations.observe(self._outcomes)
        ended, due_s, label = self._open.observe(block)
        self._failed.observe(ended)
        self._count(ended, due_s, label)
        self._time.observe(ended, self._tenant_of(ended.label), due_s, self._tenant_of(label))
        ended = ended.take(ended.t >= self._scenario.warmup_s)
        number = self._labels.of(ended.label, ended.due)
        for each in np.unique(number).tolist():
            some = ended.take(number == each)
            (tenant, kind), phase = self._name(each)
            self._part(tenant, kind, phase).observe(some)
        for each in np.unique(tenants := self._tenant_of(ended.label)).tolist():
            tenant = self._tenants[each]
            mine = ended.take(tenants == each)
            self._part(tenant, None, None).observe(mine)
            places = self._labels.of(np.zeros(len(mine.t), dtype=np.int64), mine.due) % self._labels.phases
            for place in np.unique(places).tolist():
                if place < len(self._phases):
                    self._part(tenant, None, self._phases[place]).observe(mine.take(places == place))
        if len(ended.t):
            self._part(None, None, None).observe(ended)
        kinds = self._kind_of(ended.label)
        for each in np.unique(kinds).tolist():
            self._part(None, self._kinds[each], None).observe(ended.take(kinds == each))

    def _part(self, tenant: str | None, kind: str | None, phase: str | None) -> _Part:
        key = (tenant, kind, phase)
        if key not in self._parts:
            compared = kind is None and tenant is not None and phase is not None
            self._parts[key] = _Part(course=Course(ranked=True) if compared else None)
            if compared:
                # Exact, as those of the indicator are.
                self._parts[key].latency.histogram.keep()
        return self._parts[key]

    def _name(self, number: int) -> tuple[tuple[str, str], str | None]:
        label, phase = divmod(number, self._labels.phases)
        known = self._known[label] if label < len(self._known) else ("", "")
        return known, self._phases[phase] if phase < len(self._phases) else None

    def _tenant_of(self, label: Ints) -> Ints:
        return _places([self._tenants.index(tenant) for tenant, _ in self._known], label)

    def _kind_of(self, label: Ints) -> Ints:
        return _places([self._kinds.index(kind) for _, kind in self._known], label)

    def _count(self, ended: Ended, due_s: Floats, label: Ints) -> None:
        """What was due, and what succeeded, by label and phase: the one by when it was due, the other by when it ended."""
        warmup_s, until_s = self._scenario.warmup_s, self._scenario.duration_s
        well = ended.take(ended.done & (ended.t >= warmup_s) & (ended.t < until_s))
        begun = due_s >= warmup_s
        due, done = self._labels.of(label[begun], due_s[begun]), self._labels.of(well.label, well.t)
        self._due += np.bincount(due, minlength=len(self._due))
        self._done += np.bincount(done, minlength=len(self._done))
        for phase, even in self._even.items():
            for numbers, succeeded in ((due, 0.0), (done, 1.0)):
                chosen = self._in(phase)
                some = numbers if chosen is None else numbers[np.isin(numbers, list(chosen))]
                value = np.full(len(some), succeeded)
                even.observe(Samples(np.zeros(len(some)), value, weight=1 - value, label=some))

    def documents(self, beside: Beside) -> Mapping[str, msgspec.Struct]:
        """latency.json, comparison.json, and what checks of some names answered."""
        name = self._scenario.name
        found = list(self._latencies())
        baseline = gateway_of(self._scenario).fairness.baseline or (self._phases[0] if self._phases else None)
        phases = [self._phase(each, baseline or "") for each in self._scenario.phases]
        return {
            LATENCY: LatencyReport(
                SCHEMA_VERSION,
                name,
                round(RELATIVE_ERROR, 6),
                found,
                self._time.window_s,
                list(self._time.told(self._tenants, self._until_s)),
            ),
            COMPARISON: ComparisonReport(SCHEMA_VERSION, name, baseline, self._jain(None), phases),
            **dict(check_reports(self._scenario, self._outcomes, self._expectations, beside.end)),
        }

    def texts(self, beside: Beside) -> Mapping[str, bytes]:
        """errors.log."""
        return {ERRORS: self._failed.text(beside)}

    def _latencies(self) -> Iterator[Latencies]:
        """In the order of the scenario: all, then each kind, then each tenant, its phases, and its kinds in each."""
        kinds, words = self._kinds, errors(self._vocabulary)
        keys: list[tuple[str | None, str | None, str | None]] = [(None, None, None)]
        keys += [(None, kind, None) for kind in kinds]
        for tenant in self._tenants:
            keys.append((tenant, None, None))
            keys += [(tenant, None, phase) for phase in self._phases]
            keys += [(tenant, kind, phase) for kind in kinds for phase in (*self._phases, None)]
        for key in keys:
            part = self._parts.get(key)
            if part is not None and part.latency.samples:
                yield part.told(*key, words)

    def _jain(self, phase: str | None) -> float | None:
        return number_or_none(self._even[phase].value(JAIN_INDEX, self._until_s - self._scenario.warmup_s))

    def _phase(self, phase: Phase, baseline: str) -> PhaseReport:
        begin_s, end_s = max(phase.window.start_s, self._scenario.warmup_s), min(phase.window.end_s, self._until_s)
        place, length_s = self._phases.index(phase.name), max(0.0, end_s - begin_s)
        tenants = self._labels.tenants(self._scenario)
        here = np.arange(len(self._due)) % self._labels.phases == place
        told = []
        for number, tenant in enumerate(self._tenants):
            mine = here & (tenants == number) if tenant else here
            per_s = [float(each[mine].sum()) / length_s if length_s else None for each in (self._due, self._done)]
            told.append(self._tenant(tenant, phase.name, baseline, *per_s))
        return PhaseReport(phase.name, self._jain(phase.name), told)

    def _tenant(
        self, tenant: str, phase: str, baseline: str, offered: float | None, achieved: float | None
    ) -> TenantInPhase:
        part, other = self._parts.get((tenant, None, phase), _Part()), self._parts.get((tenant, None, baseline))
        count = part.latency.samples
        slowdown, interval = self._slowdown(part, other) if other and phase != baseline else (None, None)
        return TenantInPhase(
            tenant,
            count,
            part.done.total / count if count else None,
            offered,
            achieved,
            part.quantile(0.5),
            part.quantile(0.95),
            part.quantile(0.99),
            slowdown,
            interval,
        )

    def _slowdown(self, part: _Part, other: _Part) -> tuple[float | None, tuple[float | None, float | None] | None]:
        """p99 over that in the baseline, and its interval; None of too few."""
        if min(part.latency.samples, other.latency.samples) < _LEAST:
            return None, None
        schedule = schedule_of(self._scenario)
        values = [each.quantile(SLOWDOWN.q) or math.nan for each in (part, other)]
        statements = [
            Evidence(SLOWDOWN, each.latency, each.course, schedule).statement(DEFAULT_CONFIDENCE).interval
            for each in (part, other)
        ]
        slowdown = number_or_none(values[0] / values[1])
        if statements[0] is None or statements[1] is None:
            return slowdown, None
        low, high = ratio_interval(values[0], statements[0], values[1], statements[1])
        return slowdown, (number_or_none(low / values[1]), number_or_none(high / values[1]))


def _places(by_label: list[int], label: Ints) -> Ints:
    """By label of the stream; the first where a request has none."""
    found: Ints = np.array([*by_label, 0])[np.clip(label, -1, len(by_label))]
    return found
