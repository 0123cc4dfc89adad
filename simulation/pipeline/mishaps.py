"""Faults: each begins, brings something about, is seen when that shows outside of the fault itself, and is over."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from simpy import Environment

from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.faults import PipelineFaultType as Type
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.simulation.pipeline.course import STRIKES_WITHIN_S
from soak.simulation.pipeline.ledger import NOBODY, Ledger
from soak.simulation.pipeline.link import Link
from soak.simulation.pipeline.network import Network
from soak.simulation.pipeline.outputs import Output
from soak.simulation.pipeline.shares_seen import SharesSeen
from soak.simulation.pipeline.steps import Steps
from soak.simulation.pipeline.supervisor import STEP_S, Supervisor
from soak.simulation.pipeline.unit import Hang, Status, Strike, Unit
from soak.simulation.plan import Plan

HOLDS_WITHIN_S = 1.0
"""For so long `term_during_batch` waits for records that its process holds: one that is quick holds hardly any."""


@dataclass(eq=False, slots=True)
class Watch:
    """A fault that is to be seen. shows_s: since when it does; infinite if it does not yet. clears: the process for which it
    is over when it is seen.
    """

    cause: int
    shows_s: Callable[[], float]
    clears: int | None = None


class Mishaps:
    """Puts the faults of a plan into the model."""

    def __init__(
        self,
        env: Environment,
        plan: Plan,
        pipeline: Pipeline,
        network: Network,
        ledger: Ledger,
        link: Link,
        supervisor: Supervisor,
        shares: SharesSeen,
    ) -> None:
        self._env, self._plan, self._pipeline = env, plan, pipeline
        self._network, self._ledger, self._link, self._supervisor = network, ledger, link, supervisor
        self._shares = shares
        self._watches: list[Watch] = []
        self.outages: list[int] = []
        """The causes for which no export can be made."""
        self._unseen_outages: list[int] = []
        begin = {
            Type.PROCESS_KILL: self._kill,
            Type.PROCESS_HANG: self._hang,
            Type.TERM_DURING_BATCH: self._term,
            Type.SOURCE_SILENCE: self._silence,
            Type.SOURCE_DISCONNECT: self._disconnect,
            Type.SOURCE_BURST: self._burst,
            Type.CONSISTENCY_DROP: self._share_change,
            Type.STRENGTH_DROP: self._share_change,
            Type.SINK_LOCK: self._close_sink,
            Type.SINK_FULL: self._close_sink,
            Type.PORT_TAKEN: self._take_port,
            Type.EXPORT_OUTAGE: self._outage,
            Type.CLOCK_JUMP: self._clock_jump,
        }
        for fault in plan.scenario.faults:
            for window in fault.windows if fault.type == TELEMETRY_LOSS else ():
                self._at(window.start_s, partial(self._lose_telemetry, fault, window))
            if fault.type in begin:
                for window in fault.windows:
                    self._at(window.start_s, partial(begin[Type(fault.type)], fault, window))

    def _at(self, t_s: float, happen: Callable[[], None]) -> None:
        def call(_: object) -> None:
            if not self._supervisor.over:
                self._network.advance(self._env.now)
                happen()

        self._env.timeout(max(0.0, t_s - self._env.now)).callbacks.append(call)

    def _tell(self, kind: Kind, cause: int, worker: int = NOBODY) -> None:
        self._ledger.row(self._env.now, kind, worker=NOBODY if kind is Kind.FAULT_SEEN else worker, cause=cause)

    def look(self) -> None:
        """See which faults show by now."""
        for watch in list(self._watches):
            self._look_at(watch)

    def _look_at(self, watch: Watch) -> None:
        if math.isinf(shows_s := watch.shows_s()):
            return
        self._watches.remove(watch)
        self._ledger.row(shows_s, Kind.FAULT_SEEN, cause=watch.cause)
        if watch.clears is not None:
            self._ledger.row(shows_s, Kind.FAULT_CLEARED, worker=watch.clears, cause=watch.cause)

    def _now_if(self, shows: bool) -> float:
        return self._env.now if shows else math.inf

    def _lasts(self, cause: int, window: Window, worker: int, watch: Watch | None, over: Callable[[], None]) -> None:
        """A fault lasts for its window; at its end it is looked for once more."""
        self._tell(Kind.FAULT_INJECTED, cause, worker)
        if watch:
            self._watches.append(watch)

        def end() -> None:
            if watch and watch in self._watches:
                self._look_at(watch)
                self._watches = [each for each in self._watches if each is not watch]
            over()
            self._tell(Kind.FAULT_CLEARED, cause, worker)

        self._at(window.end_s, end)

    def _unit(self, fault: Fault) -> Unit:
        return self._supervisor.units[self._pipeline.process(fault.dependency)]

    # Faults of processes. One that finds no process waits for a while until it is there.

    def _strike(self, unit: Unit, window: Window, strike: Callable[[], None]) -> None:
        if unit.status is Status.DOWN:
            unit.strikes.append(Strike(window.start_s + STRIKES_WITHIN_S, strike))
        else:
            strike()

    def _kill(self, fault: Fault, window: Window) -> None:
        unit, cause = self._unit(fault), self._plan.cause_of(fault)
        again = self._pipeline.faults[fault.name].during_startup

        def strike() -> None:
            self._tell(Kind.FAULT_INJECTED, cause, unit.number)
            unit.strike_again = cause if again else unit.strike_again
            self._supervisor.exit(unit, cause)
            if not again:
                self._tell(Kind.FAULT_CLEARED, cause, unit.number)

        self._strike(unit, window, strike)

    def _term(self, fault: Fault, window: Window) -> None:
        unit, cause = self._unit(fault), self._plan.cause_of(fault)
        self._strike(unit, window, lambda: self._begin_term(unit, cause))

    def _begin_term(self, unit: Unit, cause: int) -> None:
        self._env.process(self._end_in_a_batch(unit, cause, self._env.now + HOLDS_WITHIN_S))

    def _end_in_a_batch(self, unit: Unit, cause: int, until_s: float) -> Steps:
        """Wait for a moment at which it holds records that it has not passed on, then tell it to end."""
        while not unit.stage.waiting and self._env.now < until_s:
            yield self._env.timeout(STEP_S)
            self._network.advance(self._env.now)
        if unit.status is Status.DOWN:
            return
        self._tell(Kind.FAULT_INJECTED, cause, unit.number)
        yield from self._supervisor.terminate(unit, cause)
        self._tell(Kind.FAULT_CLEARED, cause, unit.number)

    def _hang(self, fault: Fault, window: Window) -> None:
        unit, cause = self._unit(fault), self._plan.cause_of(fault)

        def strike() -> None:
            hang = Hang(cause, window.end_s)
            self._supervisor.hang(unit, hang)
            self._lasts(cause, window, unit.number, None, lambda: self._end_hang(unit, hang))

        self._strike(unit, window, strike)

    def _end_hang(self, unit: Unit, hang: Hang) -> None:
        if hang in unit.hangs and not hang.seen and self._network.waiting(unit.number):
            self._tell(Kind.FAULT_SEEN, hang.cause)
        self._supervisor.resume(unit, hang)

    def _take_port(self, fault: Fault, window: Window) -> None:
        unit, cause = self._unit(fault), self._plan.cause_of(fault)
        ports = self._supervisor.taken_ports[unit.number]

        def strike() -> None:
            ports.append(cause)
            self._lasts(cause, window, unit.number, None, lambda: ports.remove(cause))
            self._supervisor.exit(unit, cause)

        self._strike(unit, window, strike)

    def _clock_jump(self, fault: Fault, window: Window) -> None:
        """Times are measured with a clock that does not jump: it shows in what the process writes from then on."""
        unit, cause = self._unit(fault), self._plan.cause_of(fault)

        def strike() -> None:
            self._tell(Kind.FAULT_INJECTED, cause, unit.number)
            worked = unit.stage.reached
            shows_s = partial(self._now_if_worked, unit, worked)
            self._watches.append(Watch(cause, shows_s, unit.number))

        self._strike(unit, window, strike)

    def _now_if_worked(self, unit: Unit, before: int) -> float:
        return self._now_if(unit.stage.reached > before)

    # Faults of the source.

    def _silence(self, fault: Fault, window: Window) -> None:
        cause, sent = self._plan.cause_of(fault), self._ledger.records_sent
        self._link.silent.append(cause)
        begun_s, every_s = self._env.now, self._plan.scenario.telemetry.sample_interval_s
        least_s = min(every_s, window.end_s - window.start_s)

        def shows_s() -> float:
            return self._now_if(self._ledger.records_sent == sent and self._env.now >= begun_s + least_s)

        self._lasts(cause, window, NOBODY, Watch(cause, shows_s), lambda: self._link.silent.remove(cause))

    def _burst(self, fault: Fault, window: Window) -> None:
        cause, sent = self._plan.cause_of(fault), self._ledger.records_sent
        self._ledger.dropping = cause

        def over() -> None:
            if self._ledger.dropping == cause:
                self._ledger.dropping = 0

        self._lasts(cause, window, NOBODY, Watch(cause, lambda: self._now_if(self._ledger.records_sent > sent)), over)

    def _disconnect(self, fault: Fault, window: Window) -> None:
        cause, reader = self._plan.cause_of(fault), self._pipeline.reader
        self._tell(Kind.FAULT_INJECTED, cause, reader)
        if self._link.break_off(cause, window.end_s):
            self._tell(Kind.FAULT_SEEN, cause)
        self._at(window.end_s, lambda: self._tell(Kind.FAULT_CLEARED, cause, reader))

    def _share_change(self, fault: Fault, window: Window) -> None:
        cause = self._plan.cause_of(fault)
        seen = self._shares.follow(fault, window)
        self._lasts(
            cause, window, NOBODY, Watch(cause, lambda: self._now_if(seen.shows())), lambda: self._shares.forget(seen)
        )

    # What the run does not see. The events themselves are left out when all are known.

    def _lose_telemetry(self, fault: Fault, window: Window) -> None:
        cause = self._plan.cause_of(fault)
        self._tell(Kind.FAULT_INJECTED, cause)

        def end() -> None:
            self._tell(Kind.FAULT_CLEARED, cause)
            self._tell(Kind.SAMPLE_LOST, cause)

        self._at(window.end_s, end)

    # Faults of sinks and exports.

    def _close_sink(self, fault: Fault, window: Window) -> None:
        cause, number = self._plan.cause_of(fault), self._pipeline.sink(fault.dependency)
        output: Output = self._network.outputs[number]
        output.closed.append(cause)
        writer, now_s = next(unit for unit in self._supervisor.units if output in unit.stage.outputs), self._env.now

        def shows_s() -> float:
            due_s = max(now_s, output.due_s(at_once=False))
            return due_s if writer.stage.running and due_s <= self._env.now else math.inf

        self._lasts(cause, window, number, Watch(cause, shows_s), lambda: output.closed.remove(cause))

    def _outage(self, fault: Fault, window: Window) -> None:
        cause = self._plan.cause_of(fault)
        self.outages.append(cause)
        self._unseen_outages.append(cause)

        def over() -> None:
            self.outages.remove(cause)
            if cause in self._unseen_outages:
                self._unseen_outages.remove(cause)

        self._lasts(cause, window, NOBODY, None, over)

    def export(self) -> None:
        """An export is made, or fails."""
        if not self.outages:
            self._tell(Kind.EXPORT_MADE, 0)
            return
        self._tell(Kind.EXPORT_FAILED, self.outages[-1])
        for cause in self._unseen_outages:
            self._tell(Kind.FAULT_SEEN, cause)
        self._unseen_outages.clear()
