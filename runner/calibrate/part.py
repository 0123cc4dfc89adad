"""The part of a run that calibrates: its attempts and submissions, and what was going on meanwhile."""

import numpy as np
from msgspec import Struct

from soak.runner.calibrate.attempts import Attempts, attempts_of, originals
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import inside_windows


class Part(Struct, frozen=True):
    """Everything that is known of the tasks that were due in a stretch of a run.

    `all`: attempts of the whole run, for what one attempt does to another; `mine`: which of them are of this part.
    `factor`: by how much what the computer itself needs is longer or shorter, in scenario time, where the model is to hold.
    """

    scenario: Scenario
    vocabulary: Vocabulary
    events: Block
    all: Attempts
    mine: Bools
    window: Window
    ended_s: float
    factor: float

    @classmethod
    def of(
        cls, scenario: Scenario, vocabulary: Vocabulary, events: Block, window: Window, ended_s: float, factor: float
    ) -> "Part":
        """The part of a run that `window` is."""
        attempts = attempts_of(events, scenario, vocabulary)
        mine = (attempts.task_due_s >= window.start_s) & (attempts.task_due_s < window.end_s)
        return cls(scenario, vocabulary, events, attempts, mine, window, ended_s, factor)

    def due_s(self) -> tuple[Floats, Ints, Ints]:
        """When each first submission was due, its task and its label."""
        taken_in = np.isin(self.events.kind, (Kind.TASK_ENQUEUED, Kind.TASK_DEFERRED)) & originals(self.events.task)
        places = np.flatnonzero(taken_in)
        task, first = np.unique(self.events.task[places], return_index=True)
        places = places[first]
        due_s = self.events.value[places]
        inside = (due_s >= self.window.start_s) & (due_s < self.window.end_s)
        return due_s[inside], task[inside], self._labels(task[inside])

    def _labels(self, task: Ints) -> Ints:
        """The label of each task: the event that takes it in tells."""
        told = self.events.kind == Kind.TASK_ENQUEUED
        known, first = np.unique(self.events.task[told], return_index=True)
        if not len(known):
            return np.full(len(task), -1)
        at = np.minimum(np.searchsorted(known, task), len(known) - 1)
        return np.where(known[at] == task, self.events.label[told][first][at], -1)

    def undisturbed(self, start_s: Floats, end_s: Floats) -> Bools:
        """Whether no fault by time was in between."""
        calm = np.ones(len(start_s), dtype=np.bool_)
        for fault in self.scenario.faults:
            for window in fault.windows if fault.by_time else ():
                calm &= ~((start_s < window.end_s) & (end_s >= window.start_s))
        return calm


def inside(t_s: Floats, windows: tuple[Window, ...]) -> Bools:
    """Whether each time lies in a window; all do where there is none."""
    return inside_windows(t_s, windows) if windows else np.ones(len(t_s), dtype=np.bool_)
