"""The supervisor: a SimPy process for each process that it keeps alive, health rounds, and the shutdown."""

from simpy import Environment

from soak.schemas.stream.block import tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.pipeline.settings import Pipeline, Process
from soak.simulation.distributions import draw
from soak.simulation.pipeline.course import STRIKES_AFTER
from soak.simulation.pipeline.ledger import Ledger
from soak.simulation.pipeline.link import Link
from soak.simulation.pipeline.network import Network
from soak.simulation.pipeline.restarts import Restarts
from soak.simulation.pipeline.steps import Steps
from soak.simulation.pipeline.unit import Hang, Status, Unit
from soak.simulation.plan import Plan
from soak.simulation.streams import Stream

STEP_S = 0.05
"""How often it looks whether a process that is to end has ended, or a queue is empty, where that is not known beforehand."""


class Supervisor:
    """Keeps the processes alive, and ends them."""

    def __init__(
        self, env: Environment, plan: Plan, pipeline: Pipeline, network: Network, ledger: Ledger, link: Link
    ) -> None:
        self._env, self._plan, self._pipeline = env, plan, pipeline
        self._network, self._ledger, self._link = network, ledger, link
        self._settings = pipeline.supervisor
        self._starts = [_StartTimes(process, plan.seed) for process in pipeline.processes]
        self.units = [
            Unit(number, stage, Restarts(self._settings.restart), env.event(), env.event())
            for number, stage in enumerate(network.stages)
        ]
        self.ending = False
        """Whether the shutdown has begun."""
        self.over = False
        """Whether all processes have been ended."""
        self.taken_ports: dict[int, list[int]] = {unit.number: [] for unit in self.units}
        """For what causes the port of each process is taken."""
        for unit in self.units:
            ledger.process(0.0, Kind.PROCESS_STARTED, unit.number)
            ledger.process(0.0, Kind.PROCESS_HEALTHY, unit.number)
            unit.stage.begin(0.0)
            env.process(self._look_after(unit))
        link.open(first=True, cause=NO_CAUSE)
        env.process(self._rounds())

    def _is_reader(self, unit: Unit) -> bool:
        return unit.number == self._pipeline.reader

    # Ends and beginnings of a process.

    def _look_after(self, unit: Unit) -> Steps:
        while True:
            yield unit.gone
            if self.ending:
                return
            now = self._env.now
            wait_s = unit.restarts.ended(now, now - unit.healthy_s) if unit.restarts.wanted else None
            if wait_s is None:
                if unit.restarts.wanted:
                    self._ledger.process(now, Kind.PROCESS_ABANDONED, unit.number)
                unit.stage.give_up()
                if self._is_reader(unit):
                    self._network.source.give_up()
                return
            yield self._env.timeout(wait_s)
            if self.ending:
                return
            unit.restarts.total += 1
            yield from self._start(unit)

    def _start(self, unit: Unit) -> Steps:
        """Start a process and watch it until it is healthy, or gone again."""
        begun_s, limit_s = self._env.now, self._settings.health.start_timeout_s
        unit.new_life(self._env)
        unit.healthy_s = float("inf")
        self._ledger.process(begun_s, Kind.PROCESS_STARTED, unit.number)
        strikes, unit.strikes = unit.strikes, []
        for each in strikes:
            if begun_s <= each.until_s and unit.status is Status.STARTING:
                each.strike()
            elif begun_s <= each.until_s:
                unit.strikes.append(each)
        if unit.gone.triggered:
            return
        takes_s = self._starts[unit.number].of(unit.lives - 1)
        too_late = self._env.timeout(limit_s)
        if unit.strike_again:
            yield self._env.timeout(min(takes_s, limit_s) * STRIKES_AFTER) | unit.gone
            if unit.gone.triggered:
                return
            cause, unit.strike_again = unit.strike_again, NO_CAUSE
            self._ledger.row(self._env.now, Kind.FAULT_INJECTED, worker=unit.number, cause=cause)
            self.exit(unit, cause)
            self._ledger.row(self._env.now, Kind.FAULT_CLEARED, worker=unit.number, cause=cause)
            return
        ready = self._env.timeout(takes_s)
        yield ready | too_late | unit.gone
        while unit.hangs and not (too_late.processed or unit.gone.triggered):
            yield unit.resumed | too_late | unit.gone
        if unit.gone.triggered:
            return
        if not ready.processed or unit.hangs:
            self.exit(unit, unit.hangs[0].cause if unit.hangs else unit.cause)
        elif self.taken_ports[unit.number]:
            self.exit(unit, self.taken_ports[unit.number][-1])
        else:
            self._healthy(unit)

    def _healthy(self, unit: Unit) -> None:
        now = self._env.now
        self._network.advance(now)
        unit.status, unit.healthy_s = Status.UP, now
        unit.stage.begin(now)
        self._ledger.process(now, Kind.PROCESS_HEALTHY, unit.number)
        if self._is_reader(unit):
            self._link.open(first=True, cause=unit.cause)

    def exit(self, unit: Unit, cause: int, *, finished: bool = False) -> None:
        """A process ends. finished: as it should, with everything written."""
        now = self._env.now
        self._network.advance(now)
        was_up, unit.status, unit.cause = unit.status is Status.UP, Status.DOWN, cause
        self._ledger.process(now, Kind.PROCESS_EXITED, unit.number, cause)
        unit.hangs.clear()
        if self._is_reader(unit):
            self._network.source.read = True
            self._link.close()
        if was_up and finished:
            unit.stage.finish()
        elif was_up:
            losses = unit.stage.die(cause, resume=self._pipeline.resume)
            for sink, count in self._network.lost(unit.number, losses):
                self._ledger.row(now, Kind.RECORDS_LOST, worker=sink, cause=cause, value=count)
        unit.gone.succeed()

    def terminate(self, unit: Unit, cause: int, kill_after_s: float = float("inf")) -> Steps:
        """Tell a process to end: it works off what it has; one that starts up ends at once. It is killed if it takes too long."""
        life, until_s = unit.lives, self._env.now + kill_after_s
        self._network.advance(self._env.now)
        if unit.status is Status.UP:
            unit.stage.end()
            if self._is_reader(unit):
                self._link.close()
        while unit.status is Status.UP and unit.lives == life:
            now = self._env.now
            wait_s = max(unit.stage.ended_s - now, STEP_S) if not unit.hangs else STEP_S
            yield self._env.timeout(min(wait_s, until_s - now)) | unit.gone
            self._network.advance(self._env.now)
            if unit.status is Status.UP and (unit.stage.ended or self._env.now >= until_s):
                self.exit(unit, cause, finished=unit.stage.ended)
                return
        if unit.status is Status.STARTING and unit.lives == life:
            self.exit(unit, cause)

    # A process stands still.

    def hang(self, unit: Unit, hang: Hang) -> None:
        """Stop a process."""
        self._network.advance(self._env.now)
        if not unit.hangs and unit.status is Status.UP:
            unit.stage.stop(self._env.now)
            if self._is_reader(unit):
                self._network.source.read = False
        unit.hangs.append(hang)

    def resume(self, unit: Unit, hang: Hang) -> None:
        """Let a process go on, if nothing else holds it."""
        if hang not in unit.hangs:
            return
        now = self._env.now
        self._network.advance(now)
        unit.hangs.remove(hang)
        if unit.hangs:
            return
        if unit.status is Status.UP:
            unit.stage.go_on(now)
            if self._is_reader(unit):
                self._network.source.read = True
                self._network.connect(now, hang.cause)
        unit.resumed.succeed()
        unit.resumed = self._env.event()

    # Health rounds.

    def _rounds(self) -> Steps:
        count = 0
        while not self.ending:
            count += 1
            yield self._env.timeout(tick(count * self._settings.health.every_s) - self._env.now)
            for unit in self.units if not self.ending else ():
                self._probe(unit)

    def _probe(self, unit: Unit) -> None:
        now = self._env.now
        if unit.status is Status.UP and unit.hangs_until_s <= now + self._settings.health.timeout_s:
            self._ledger.row(now, Kind.PROBE_GREEN, worker=unit.number)
            unit.failed_probes = 0
            return
        cause = unit.hangs[-1].cause if unit.hangs else unit.cause
        self._ledger.row(now, Kind.PROBE_FAILED, worker=unit.number, cause=cause)
        for hang in unit.hangs:
            if not hang.seen:
                hang.seen = True
                self._ledger.row(now, Kind.FAULT_SEEN, cause=hang.cause)
        unit.failed_probes += unit.status is Status.UP
        most = self._settings.health.unhealthy_after
        if most is not None and unit.failed_probes >= most and unit.status is Status.UP:
            self.exit(unit, cause)

    # The end.

    def shut_down(self) -> Steps:
        """End the processes one after the other, each when the one before has ended."""
        self.ending = True
        self._ledger.row(self._env.now, Kind.SHUTDOWN_STARTED)
        for name in self._settings.order:
            yield from self.terminate(self.units[self._pipeline.process(name)], NO_CAUSE, self._settings.grace_s)


class _StartTimes:
    """How long a process takes to be healthy, by how often it was started before."""

    def __init__(self, process: Process, seed: int) -> None:
        self._distribution, self._stream = process.start, Stream(seed, f"start:{process.name}")

    def of(self, incarnation: int) -> float:
        """Seconds from the start to the first healthy probe."""
        return tick(float(draw(self._distribution, self._stream.at(incarnation), 1)[0]))
