"""The system `relay` in the simulation: each relay switches for one signal at a time."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from simpy import Environment, Resource

from relay_soak.language import RELEASED, STICK, STUCK, SWITCHED, Relays
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats
from soak.schemas.stream.events import CENSUS, KEY_SHIFT, Kind
from soak.schemas.stream.states import TaskState
from soak.simulation.losses import put_losses
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder
from soak.simulation.room import Doubt, Room

Steps = Generator[Any, Any, None]
POINTS = 72


class RelayModel:
    """Signals go to the relays in turn; one that sticks keeps its signals until it comes free."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env, self._plan, self._row = env, plan, recorder.row
        self._relays = plan.scenario.settings(Relays)
        self._one = [Resource(env) for _ in self._relays.lamps]
        self._free = {}
        self._open = self._done = 0
        self.ended_s: float | None = None
        env.process(self._signals())
        env.timeout(plan.scenario.duration_s).callbacks.append(lambda _: self._look_for_the_end())
        put_losses(env, plan, recorder)
        for fault in plan.scenario.faults:
            for window in fault.windows if fault.type == STICK else ():
                env.process(self._stick(fault, window))

    def run(self, until_s: float) -> None:
        self._env.run(until=until_s)

    def census(self, now: float) -> None:
        counts = {TaskState.IN_PROGRESS: self._open, TaskState.DONE: self._done}
        for state, kind in CENSUS.items():
            self._row((now, kind, -1, 0, -1, 0, counts.get(state, 0)))

    def _signals(self) -> Steps:
        for chunk in self._plan.submissions():
            for due_s, number in zip(chunk.due_s.tolist(), chunk.number.tolist(), strict=True):
                yield self._env.timeout(max(0.0, due_s - self._env.now))
                self._env.process(self._switch(number, due_s))

    def _switch(self, number: int, due_s: float) -> Steps:
        lamp = (number >> KEY_SHIFT) % len(self._one)
        self._row((due_s, Kind.TASK_ENQUEUED, number, 0, -1, 0, due_s))
        self._row((due_s, Kind.TASK_DISPATCHED, number, 1, lamp, 0, 0.0))
        self._open += 1
        with self._one[lamp].request() as turn:
            yield turn
            travel_s = self._plan.fate(number, 1, self._env.now)[0]
            yield self._env.timeout(travel_s)
            while lamp in self._free:
                yield self._free[lamp]
        self._row((self._env.now, SWITCHED, number, 1, lamp, 0, travel_s))
        self._row((self._env.now, Kind.TASK_DONE, number, 1, lamp, 0, 0.0))
        self._open, self._done = self._open - 1, self._done + 1
        self._look_for_the_end()

    def _stick(self, fault: Fault, window: Window) -> Steps:
        lamp, cause = self._relays.lamps.index(fault.dependency), self._plan.cause_of(fault)
        name = self._plan.vocabulary.name(fault.dependency)
        yield self._env.timeout(window.start_s)
        self._free[lamp] = self._env.event()
        self._row((self._env.now, Kind.FAULT_INJECTED, -1, 0, lamp, cause, 0.0))
        self._row((self._env.now, STUCK, -1, 0, lamp, cause, name))
        yield self._env.timeout(window.end_s - window.start_s)
        self._row((self._env.now, Kind.FAULT_CLEARED, -1, 0, lamp, cause, 0.0))
        if self._relays.springs:
            self._row((self._env.now, RELEASED, -1, 0, lamp, cause, name))
            self._free.pop(lamp).succeed()

    def _look_for_the_end(self) -> None:
        if not self._open and self._env.now >= self._plan.scenario.duration_s and self.ended_s is None:
            self.ended_s = self._env.now


@dataclass(frozen=True, slots=True)
class RelayForecast:
    """Signals drawn, the share of the time for which a relay travels, and signals per second in POINTS parts of the run."""

    signals: int
    utilisation: float
    rate_per_s: Floats
    warnings: tuple[str, ...]


def _forecast(plan: Plan) -> RelayForecast:
    duration_s, relays = plan.scenario.duration_s, plan.scenario.settings(Relays)
    due_s = np.concatenate([chunk.due_s for chunk in plan.submissions()])
    histogram, edges = np.histogram(due_s, POINTS, (0.0, duration_s))
    utilisation = len(due_s) * relays.travel.mean_s / duration_s / len(relays.lamps)
    warnings = ("more signals come than the relays can switch",) if utilisation > 1 else ()
    return RelayForecast(len(due_s), utilisation, histogram / (edges[1] - edges[0]), warnings)


def _figures(scenario: Scenario, forecast: RelayForecast) -> list[str]:
    return [f"  signals     {forecast.signals:,}", f"  relays      {forecast.utilisation:.0%} of the time under way"]


def _doubts(scenario: Scenario) -> Iterator[Doubt]:
    for place, fault in enumerate(scenario.faults):
        if fault.type == STICK and not scenario.settings(Relays).springs:
            yield Doubt(("faults", place), f"{fault.dependency} never comes free again", "write springs: true")


ROOM = Room(model=RelayModel, forecast=_forecast, figures=_figures, doubts=_doubts)
