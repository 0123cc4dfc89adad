"""Their other rooms."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from soak.reports.room import Room as ReportRoom
from soak.runner.judge.room import Room as JudgeRoom
from soak.runner.judge.room import Tasks, Tracker
from soak.runner.judge.samples import Facts
from soak.runner.targets.room import Room as TargetsRoom
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import CENSUS, Kind
from soak.simulation.room import Room


class Idle:
    """A model in which nothing happens but samples."""

    def __init__(self, env: Any, plan: Any, recorder: Any) -> None:
        self._row, self._duration_s = recorder.row, plan.scenario.duration_s
        self.ended_s: float | None = None

    def run(self, until_s: float) -> None:
        self._row((until_s, Kind.SAMPLE_QUEUE_DEPTH, -1, 0, -1, 0, 0.0))
        self.ended_s = until_s if until_s >= self._duration_s else None

    def census(self, now: float) -> None:
        for kind in CENSUS.values():
            self._row((now, kind, -1, 0, -1, 0, 0.0))


class Dead(Idle):
    def run(self, until_s: float) -> None:
        raise ValueError("the lamp is out")


class BrokenTracker(Tracker):
    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        facts.series["lamps"] = tasks.lamps  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Forecast:
    rate_per_s: Any
    warnings: tuple[str, ...] = ()


def _broken_forecast(plan: Any) -> Forecast:
    raise ValueError("nobody knows")


MODEL = Room(Idle, lambda plan: Forecast(np.zeros(72)), lambda scenario, forecast: [])
CALIBRATED_MODEL = replace(MODEL, calibrated=True)
BROKEN_MODEL = Room(Dead, lambda plan: Forecast(np.zeros(72)), lambda scenario, forecast: [])
BROKEN_FORECAST = Room(Idle, _broken_forecast, lambda scenario, forecast: [])
JUDGE, BROKEN_JUDGE = JudgeRoom(Tracker), JudgeRoom(BrokenTracker)
TARGETS = TargetsRoom()
REPORT = ReportRoom()
