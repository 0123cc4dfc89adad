"""Records that flow through processes: the model of the system `pipeline`."""

import math

from simpy import Environment

from soak.schemas.stream.block import tick
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.systems.pipeline.settings import Passes, pipeline_of
from soak.simulation.pipeline.ledger import Ledger
from soak.simulation.pipeline.link import Link
from soak.simulation.pipeline.minutes import Minutes
from soak.simulation.pipeline.mishaps import Mishaps
from soak.simulation.pipeline.network import Network
from soak.simulation.pipeline.rules import SETTLING_S, Rules
from soak.simulation.pipeline.shares_seen import SharesSeen
from soak.simulation.pipeline.source import Source
from soak.simulation.pipeline.steps import Steps
from soak.simulation.pipeline.supervisor import STEP_S, Supervisor
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder


class PipelineModel:
    """Turns a plan into events; `ended_s` is when everything was over after the end of arrivals.

    It runs ahead to the end of a stretch: what that brought is known then, and handed out when it is asked for.
    """

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env, self._plan, self._row = env, plan, recorder.row
        self._pipeline = pipeline = pipeline_of(plan.scenario)
        self._minutes, shares = Minutes(plan.ends_s), SharesSeen(pipeline)
        names = [plan.vocabulary.name(each.name) for each in pipeline.processes]
        self._ledger = ledger = Ledger(pipeline, recorder, names, (self._minutes.add, shares.add))
        source = Source(plan, resume=pipeline.resume)
        self._network = network = Network(pipeline, source, plan.seed, ledger)
        link = Link(env, plan, network, ledger, pipeline.stream_timeout_s, pipeline.reader)
        self._link = link
        self._supervisor = Supervisor(env, plan, pipeline, network, ledger, link)
        self._mishaps = Mishaps(env, plan, pipeline, network, ledger, link, self._supervisor, shares)
        self._reached_s = 0.0
        self.ended_s: float | None = None
        self._found_end_s: float | None = None
        for process in (self._sample(), self._close_minutes(), self._export(), self._end()):
            env.process(process)

    def run(self, until_s: float) -> None:
        """Let everything happen that comes before `until_s`."""
        until_s = min(until_s, self._plan.horizon_s)
        while self._reached_s < until_s and self._found_end_s is None:
            self._env.step()
        if self._found_end_s is not None and self._found_end_s <= until_s:
            self.ended_s = self._found_end_s
            until_s = math.inf
        self._ledger.flush(until_s)

    def census(self, now: float) -> None:
        """There are no tasks. What the sinks hold, what is left and what the supervisor says of its restarts."""
        for kind in CENSUS.values():
            self._row((now, kind, -1, 0, -1, 0, 0))
        self._link.tell_missed(now)
        self._levels(now)
        for unit in self._supervisor.units:
            self._ledger.row(now, Kind.REPORTED_RESTARTS, worker=unit.number, value=unit.restarts.total)
        for sink, tally in self._ledger.sinks.items():
            self._ledger.row(now, Kind.SINK_TOTAL, worker=sink, value=tally.total)
            self._ledger.row(now, Kind.SINK_CONFIRM, worker=sink, value=tally.confirmed)
            self._ledger.row(now, Kind.SINK_STRONG, worker=sink, value=tally.strong)
            passed = self._pipeline.passed(self._pipeline.sinks[sink - len(self._pipeline.processes)].of)
            if passed is not Passes.ALL:
                self._ledger.row(now, Kind.SINK_EXPECTED, worker=sink, value=self._ledger.sent_like[passed])
        self._ledger.flush(math.inf)

    # Stretches.

    def _sample(self) -> Steps:
        """Stretches end at whole multiples of the interval, and at the latest end of the run."""
        every_s, count = self._plan.scenario.telemetry.sample_interval_s, 0
        while True:
            count += 1
            next_s = min(tick(count * every_s), self._plan.horizon_s)
            yield self._env.timeout(max(0.0, next_s - self._env.now))
            if self._found_end_s is not None:
                return
            self._stretch()
            self._levels(self._env.now)
            self._reached_s = self._env.now
            if next_s >= self._plan.horizon_s:
                return

    def _stretch(self) -> None:
        now = self._env.now
        self._network.advance(now)
        self._ledger.stretch(now)
        self._mishaps.look()

    def _levels(self, now: float) -> None:
        for number in range(len(self._pipeline.processes)):
            self._ledger.row(now, Kind.SAMPLE_BACKLOG, worker=number, value=self._network.waiting(number))
        for sink, tally in self._ledger.sinks.items():
            if math.isfinite(tally.newest_s):
                self._ledger.row(now, Kind.SAMPLE_FRESHNESS, worker=sink, value=max(0.0, now - tally.newest_s))

    # Minutes and exports.

    def _close_minutes(self) -> Steps:
        rules = Rules(self._pipeline.alerts)
        for number in range(self._minutes.count):
            yield self._env.timeout(max(0.0, Minutes.closes_s(number) - self._env.now))
            now, row = self._env.now, self._ledger.row
            self._network.advance(now)
            minute = self._minutes.close(number)
            row(now, Kind.MINUTE_TOTAL, value=minute.total)
            row(now, Kind.MINUTE_STRONG, value=minute.strong)
            row(now, Kind.MINUTE_LOW_CONSISTENCY, value=minute.low_consistency)
            for rule, fires in rules.minute(minute):
                kind = Kind.REPORTED_ALERT_FIRED if fires else Kind.REPORTED_ALERT_RESOLVED
                row(now, kind, value=self._plan.vocabulary.name(rule))

    def _export(self) -> Steps:
        """An export is made when the minute that ends with it is closed."""
        every_s, count = self._pipeline.export_every_s, 1
        while (at_s := tick(count * every_s)) <= self._plan.ends_s:
            yield self._env.timeout(max(0.0, at_s + SETTLING_S - self._env.now))
            self._mishaps.export()
            count += 1

    # The end.

    def _end(self) -> Steps:
        """After the last record the queues run empty, if the drain leaves time for that; then the processes are ended."""
        ends_s, grace_s = self._plan.ends_s, self._pipeline.supervisor.grace_s
        until_s = self._plan.horizon_s - grace_s - SETTLING_S
        yield self._env.timeout(ends_s + SETTLING_S + STEP_S)
        self._network.advance(self._env.now)
        while not self._network.empty and self._env.now < until_s:
            yield self._env.timeout(min(STEP_S, until_s - self._env.now))
            self._network.advance(self._env.now)
        yield from self._supervisor.shut_down()
        self._supervisor.over = True
        self._stretch()
        self._found_end_s = tick(self._env.now)
