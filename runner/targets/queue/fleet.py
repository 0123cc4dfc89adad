"""The workers of a real run over time: what the roster of the model asks for, done on the clock of the run."""

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from soak.runner.targets.context import RunContext, patiently
from soak.runner.targets.queue.names import worker_name
from soak.schemas.errors import SoakError
from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.queue.roster import Roster

T = TypeVar("T")


class Crew(Protocol):
    """Workers of a real run. Times are seconds of scenario time. `kill` may raise BusyError, and is made again then."""

    def reachable(self, number: int) -> bool:
        """Whether anything can be done to a worker."""

    def pending(self) -> int:
        """Tasks that are PENDING."""

    def idle_since(self, number: int) -> float | None:
        """Since when a worker has had nothing to do; None while it has."""

    def start(self, number: int) -> None:
        """Start a worker."""

    def ask_to_stop(self, number: int) -> None:
        """Let a worker end after its attempt, which may be now; then `Roster.stopped` is called."""

    def kill(self, number: int, cause: int) -> None:
        """Kill a worker, and record the injection and the end of its attempt."""

    def stop(self, number: int, cause: int) -> bool:
        """Stop a worker in whatever it does, and record the injection; whether that could be done."""

    def go_on(self, number: int) -> None:
        """Let a worker go on that was stopped."""


class RealHands:
    """Does to the workers of a run what a roster says."""

    def __init__(self, context: RunContext, crew: Crew) -> None:
        self._context = context
        self._crew = crew
        self._stopped: set[int] = set()
        self.pending, self.idle_since = crew.pending, crew.idle_since
        self.reachable, self.start, self.ask_to_stop = crew.reachable, crew.start, crew.ask_to_stop

    def kill(self, number: int, cause: int) -> None:
        """Kill a worker. Raises SoakError where the system stays busy."""
        if not patiently(lambda: self._crew.kill(number, cause)):
            raise SoakError(f"worker {number} cannot be killed: the system stays busy")

    def hang(self, number: int, cause: int, until_s: float) -> None:
        """Stop a worker."""
        patiently(lambda: self._stop(number, cause))

    def _stop(self, number: int, cause: int) -> None:
        if self._crew.stop(number, cause):
            self._stopped.add(number)

    def wake(self, number: int, cause: int) -> None:
        """A worker goes on."""
        if number in self._stopped:
            self._stopped.remove(number)
            patiently(lambda: self._crew.go_on(number))
            self._context.note(self.now, Kind.FAULT_SEEN, worker=number, cause=cause)

    @property
    def now(self) -> float:
        """Scenario time in seconds."""
        return self._context.now()

    def at(self, t_s: float, callback: Callable[[T], None], value: T) -> None:
        """Call `callback(value)` at `t_s`."""
        self._context.at(t_s, lambda: callback(value))

    def note(self, kind: Kind, number: int, cause: int) -> None:
        """Record an event of a worker, now."""
        if kind in {Kind.PROCESS_EXITED, Kind.PROCESS_STARTED}:
            self._context.note_process(self.now, kind, worker_name(number), number, cause)
        else:
            self._context.note(self.now, kind, worker=number, cause=cause)

    def cause_of(self, fault: Fault) -> int:
        """The number of the cause that a fault is."""
        return self._context.plan.cause_of(fault)


def roster_of(context: RunContext, crew: Crew) -> Roster:
    """The roster of a run, with all that is planned on its clock."""
    queue, scenario = queue_of(context.plan.scenario), context.plan.scenario
    roster = Roster(RealHands(context, crew), queue.fleet, queue.workers)
    roster.begin()
    for fault in scenario.faults:
        for window in fault.windows if roster.strikes(fault) else ():
            context.at(window.start_s, partial(roster.fault_starts, fault))
            context.at(window.end_s, partial(roster.fault_ends, fault))
    return roster
