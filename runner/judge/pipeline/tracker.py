"""Records, processes and probes, followed a block at a time: what the series of a pipeline's SLIs are made of."""

from collections.abc import Iterator, Sequence

import numpy as np

from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.pipeline import counts
from soak.runner.judge.pipeline.alerts import PipelineAlerts
from soak.runner.judge.pipeline.backoff import Backoffs
from soak.runner.judge.pipeline.ends import Ends
from soak.runner.judge.pipeline.flow import Flow
from soak.runner.judge.pipeline.laws import laws_of
from soak.runner.judge.pipeline.parts import Parts
from soak.runner.judge.pipeline.probes import Probes
from soak.runner.judge.pipeline.processes import Processes
from soak.runner.judge.pipeline.recovery import Recovery
from soak.runner.judge.pipeline.reported import Reported
from soak.runner.judge.pipeline.sections import sections_of
from soak.runner.judge.room import DUPLICATED, LOST, Consequence, Law, Recovered, Tasks, Tracker
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.evidence.verdict import Section
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.settings import pipeline_of

_CONSEQUENCES = {Kind.RECORDS_LOST: LOST, Kind.RECORDS_MISSED: LOST, Kind.RECORDS_DUPLICATED: DUPLICATED}


class PipelineTracker(Tracker):
    """Follows records by how many there are, and processes one by one."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._is_real = identity is not None and identity.clock != "simulated"
        pipeline = self._pipeline = pipeline_of(scenario)
        self._parts = parts = Parts(scenario)
        self._real = identity is not None and identity.clock != "simulated"
        self.flow = Flow(pipeline, parts)
        self.ends = Ends(pipeline, parts)
        self.probes = Probes(scenario, parts, vocabulary)
        backoffs = Backoffs(pipeline.supervisor, len(pipeline.processes), identity)
        self.processes = Processes(pipeline, parts, backoffs, vocabulary)
        self.alerts = PipelineAlerts(pipeline.alerts, parts, vocabulary)
        self._reported = Reported(parts)
        self.recovery = Recovery(pipeline, scenario.faults, vocabulary)
        self._brought: dict[tuple[str, str, float], int] = {}
        """What faults brought about, by what it is, fault and time."""

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block."""
        self.flow.observe(block, facts)
        counts.observe(block, self._parts, self._vocabulary, facts, real=self._real)
        self.ends.observe(block, facts)
        self.probes.observe(block, facts)
        self.processes.observe(block, facts)
        self.alerts.observe(block, facts)
        self._reported.observe(block, facts)
        # How late the source of a real run is, as the load generator of other systems.
        late = block.kind == (Kind.SAMPLE_SOURCE_LAG if self._is_real else Kind.RECORDS_SENT)
        facts.series["submission_lag"] = Samples(block.t[late], block.value[late] * self._is_real)
        self.recovery.observe(block, self.processes.back)
        self._attribute(block)

    def _attribute(self, block: Block) -> None:
        places = np.flatnonzero(np.isin(block.kind, list(_CONSEQUENCES)) & (block.cause > 0))
        for place in places.tolist():
            fault = self._vocabulary.causes[int(block.cause[place])].fault
            if fault:
                key = (_CONSEQUENCES[Kind(int(block.kind[place]))], fault, float(block.t[place]))
                self._brought[key] = self._brought.get(key, 0) + int(block.value[place]) * self._sinks(block, place)

    def _sinks(self, block: Block, place: int) -> int:
        """How many sinks an event is of: what a process missed is in none of those behind it."""
        worker = int(block.worker[place])
        missed = block.kind[place] == Kind.RECORDS_MISSED and 0 <= worker < self._parts.count
        return len(self._parts.behind[worker]) if missed else 1

    def consequences(self, lifecycle: Lifecycle) -> Iterator[Consequence]:
        """Records that faults lost, and those that a sink holds twice by them."""
        for (what, fault, met_s), count in self._brought.items():
            yield Consequence(what, fault, met_s, count)

    def recovered(self) -> Iterator[Recovered]:
        """When what faults struck worked again."""
        for each in self.recovery.fresh:
            if each.recovered_s is not None:
                yield Recovered(each.fault.name, each.injected_s, each.recovered_s)

    def not_recovered(self, fault: str, start_s: float) -> str:
        """What still does not work."""
        return self.recovery.why_not(fault, start_s)

    def laws(self, lifecycle: Lifecycle, *, complete: bool) -> Iterator[Law]:
        """Records and the starts of processes are accounted for."""
        parts = (self.flow, self.ends, self.processes, self.probes, self._reported)
        yield from laws_of(self._pipeline, *parts, real=self._real)

    def still_open(self, sli: Sli, lifecycle: Lifecycle, labels: frozenset[int] | None) -> tuple[int, str] | None:
        """Processes that are away, alerts that are due, and queues of which nobody knows what is left in them."""
        if sli.series == "restart_time":
            return self.processes.away(labels), "restarts"
        if sli.series == "left_in_queues":
            return self.ends.unknown(labels, lifecycle.until_s), "counts of queues"
        if sli.series in {"alert_delay", "missed_alerts"}:
            return self.alerts.waiting(labels), "alerts"
        return None

    def sections(self) -> Sequence[Section]:
        """Tables of processes, sinks, alerts and the shutdown."""
        parts = (self.flow, self.ends, self.probes, self.processes, self.alerts)
        return tuple(sections_of(self._pipeline, *parts))

    def answered(self, tasks: int) -> int:
        """Records are not answered: those that the first sink holds."""
        return int(self.flow.stored[0])

    def offered(self, lifecycle: Lifecycle) -> int:
        """Records that the source sent."""
        return self.flow.sent
