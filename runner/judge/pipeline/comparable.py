"""What a simulated and a real run of a pipeline must share: records by minute and sink, restarts, alerts by kind."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from soak.runner.judge.comparable import Comparable, Probed, Series
from soak.runner.judge.pipeline.alerts import MINUTE_S
from soak.runner.judge.pipeline.lives import LIVES, Lives
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.tolerance import EXACT, Tolerance
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.settings import AlertRule, pipeline_of

_MINUTES = {
    Kind.MINUTE_TOTAL: "records",
    Kind.MINUTE_STRONG: "strong records",
    Kind.MINUTE_LOW_CONSISTENCY: "records of low consistency",
}
_SINKS = {Kind.SINK_TOTAL: "total", Kind.SINK_CONFIRM: "confirm", Kind.SINK_STRONG: "strong"}
_ALERTS = {Kind.REPORTED_ALERT_FIRED: "fired", Kind.REPORTED_ALERT_RESOLVED: "resolved"}
_PROBES = (Kind.PROBE_GREEN, Kind.PROBE_FAILED)
_BACK = (Kind.PROCESS_HEALTHY, Kind.PROCESS_OUTPUT)
_FOLLOWED = kind_flags(
    *_MINUTES,
    *_SINKS,
    *_ALERTS,
    *LIVES,
    Kind.RECORDS_SENT,
    Kind.RECORDS_STORED,
)

_OF_A_MINUTE = Tolerance(absolute=5, relative=0.01, real_s=5)
"""A record that a real source sends a moment late may be of the next minute: that many at the edges, at each speed."""

_OF_A_SINK = Tolerance(absolute=1, relative=0.001)
_RESTART = Tolerance(relative=0.25, real_s=1.5)
_ALERT = Tolerance(absolute=5, real_s=1.5)


class PipelineComparable(Comparable):
    """Follows a pipeline for the figures that two runs of it must share."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._pipeline, self._vocabulary = pipeline_of(scenario), vocabulary
        self._minutes: dict[Kind, list[float]] = {kind: [] for kind in _MINUTES}
        self._sinks: dict[tuple[Kind, int], float] = {}
        self._alerts: dict[tuple[Kind, str], list[float]] = {}
        self._restarts: dict[int, list[float]] = {}
        self._down: dict[int, list[float]] = {}
        """Of the same restarts: how long the process was not healthy."""
        self._probes = 0
        self._lives = Lives(self._pipeline)
        self._records: Counter[int] = Counter()

    def observe(self, block: Block) -> None:
        """See `Comparable`."""
        for place in np.flatnonzero(_FOLLOWED[block.kind]).tolist():
            kind, t_s = Kind(int(block.kind[place])), float(block.t[place])
            worker, value = int(block.worker[place]), float(block.value[place])
            if kind in _MINUTES:
                self._minutes[kind].append(value)
            elif kind in _SINKS:
                self._sinks[kind, worker] = value
            elif kind in _ALERTS:
                rule = self._vocabulary.names[int(value)]
                waited_s = self._waited_s(rule) if kind is Kind.REPORTED_ALERT_RESOLVED else 0.0
                self._alerts.setdefault((kind, rule), []).append(t_s - waited_s)
            elif kind in LIVES:
                found = self._lives.take(kind, worker, t_s)
                self._probes += kind in _PROBES
                if kind in _BACK and found is not None and found.took_s is not None:
                    self._restarts.setdefault(worker, []).append(found.took_s)
                    self._down.setdefault(worker, []).append((found.healthy_s or t_s) - found.away_s)
            elif kind is Kind.RECORDS_SENT:
                self._records[-1] += round(value)
            else:
                self._records[worker] += int(block.attempt[place])

    def _waited_s(self, rule: str) -> float:
        """How long the minutes without records lasted after which an alert on shares resolves: of these no share is known, and
        it may resolve with the first of them as well."""
        before = self._minutes[Kind.MINUTE_TOTAL][:-1]
        empty = next((place for place, total in enumerate(reversed(before)) if total), len(before))
        return 0.0 if rule == AlertRule.NO_RECORDS else empty * MINUTE_S

    def series(self) -> Iterator[Series]:
        """See `Comparable`."""
        for kind, what in _MINUTES.items():
            name, values = f"{kind.name.lower().removeprefix('minute_')}_by_minute", tuple(self._minutes[kind])
            yield Series(name, f"{what} of each closed minute, in the first sink", Unit.COUNT, values, _OF_A_MINUTE)
        for number, each in enumerate(self._pipeline.sinks, len(self._pipeline.processes)):
            missing = (float(self._records[-1] - self._records[number]),)
            what = "records that were sent and that the sink does not hold"
            yield Series(f"records_missing{{sink={each.name}}}", what, Unit.COUNT, missing, EXACT)
            for kind, figure in _SINKS.items():
                found = self._sinks.get((kind, number))
                values = () if found is None else (found,)
                name, what = f"sink_{figure}{{sink={each.name}}}", "of the closed window, at the end"
                yield Series(name, f"{figure} {what}", Unit.COUNT, values, _OF_A_SINK)
        for number, process in enumerate(self._pipeline.processes):
            times = tuple(self._restarts.get(number, ()))
            what = "each time from an exit of the process until it works again"
            yield Series(f"restart_times{{process={process.name}}}", what, Unit.DURATION, times, _RESTART)
        for rule in self._pipeline.alerts.rules:
            for kind, word in _ALERTS.items():
                when = tuple(self._alerts.get((kind, rule.value), ()))
                name, what = f"alerts_{word}{{alert={rule.value}}}", f"when the pipeline's alert {word}"
                shares = kind is Kind.REPORTED_ALERT_RESOLVED and rule is not AlertRule.NO_RECORDS
                what += ", without the minutes without records before it" if shares else ""
                yield Series(name, what, Unit.DURATION, when, _ALERT)

    def probed(self) -> Mapping[str, Probed]:
        """See `Comparable`."""
        processes = enumerate(self._pipeline.processes)
        down = {each.name: tuple(self._down.get(number, ())) for number, each in processes}
        return {"health_green": Probed(self._pipeline.supervisor.health.every_s, self._probes, down)}
