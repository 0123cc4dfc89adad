"""A run in steps: the columns of metrics.csv, the rolling indicator of each objective, and what else a live page draws."""

from collections.abc import Mapping

import numpy as np

from soak.runner.evidence.metrics import MINUTE_S, MinuteRows
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Facts
from soak.runner.watch.flow import PLANNED, Errors, Planned, Resources, counted
from soak.runner.watch.grid import grid_of
from soak.runner.watch.rolling import Rolling
from soak.runner.watch.table import Table
from soak.schemas.language.registry import language_of
from soak.schemas.stream.block import Block, Floats, Ints, make_block
from soak.schemas.stream.identity import Identity

MOST_INDICATORS = 48
"""Objectives beyond these have no line: a page with more would show nothing well."""

ERROR = "error:"
"""What the columns of error classes begin with."""


class Steps:
    """The steps of a run that are complete, from blocks as they were judged. Counts are per minute, whatever the step.

    Memory: the columns, of 5,000 steps at most, and what one window holds.
    """

    def __init__(self, judge: Judge, identity: Identity) -> None:
        scenario = judge.scenario
        self.grid = grid_of(scenario)
        self.table = Table()
        self._rows = MinuteRows(scenario, [cause.fault for cause in judge.vocabulary.causes], self.grid.step_s)
        self.rolling = Rolling(scenario, judge.labels, self.grid, MOST_INDICATORS)
        self._planned = Planned(scenario, self.grid.step_s)
        self._errors, self._resources = Errors(judge.vocabulary), Resources(identity.speed)
        self._open: dict[str, float] = {}
        """Counts of the step that goes on."""
        self._first = 0
        self._per_minute = MINUTE_S / self.grid.step_s
        minutes = language_of(scenario.system).minutes_of(scenario.system_settings)
        peaks = {name for name, amount in minutes.amounts.items() if amount.most}
        sums = {*minutes.amounts, *minutes.more} - peaks
        self._counts = [
            place
            for place, (name, whole) in enumerate(zip(self._rows.names, self._rows.whole, strict=True))
            if place and (whole or name in sums)
        ]

    @property
    def errors(self) -> list[str]:
        """The error classes that have a column."""
        return self._errors.classes

    def append(self, block: Block, facts: Facts) -> None:
        """Process a block and what the judge made of it."""
        self._advance(
            block, self._rows.append(block, facts), self.rolling.append(facts), self.grid.number(facts.until_s)
        )

    def finish(self, until_s: float) -> None:
        """The run ended then: its last step is complete, cut short."""
        last = self.grid.ended(until_s)
        if last > self._first:
            nothing = make_block([], [], until_s=until_s)
            self._advance(nothing, self._rows.last(until_s), self.rolling.last(until_s), last)

    def _advance(self, block: Block, rows: Floats, rolling: Floats, now: int) -> None:
        first, count = self._first, now - self._first + 1
        step = np.maximum(self.grid.of(block.t), first)
        added = self._added(block, step, count)
        resources = self._resources.steps(block, step, first, count)
        self._first = now
        if count == 1:
            return
        rows[:, self._counts] *= self._per_minute
        columns = dict(zip(self._rows.names, rows.T, strict=True))
        columns |= zip(self.rolling.names, rolling.T, strict=True)
        columns |= {name: values[:-1] * self._per_minute for name, values in added.items()}
        columns |= {name: values[:-1] for name, values in resources.items()}
        columns[PLANNED] = self._planned.steps(first, count - 1) * self._per_minute
        fill = {f"{ERROR}{name}": 0.0 for name in self._errors.classes}
        self.table.add({name: np.ascontiguousarray(values) for name, values in columns.items()}, count - 1, fill)

    def _added(self, block: Block, step: Ints, count: int) -> dict[str, Floats]:
        """Counts of each step, with what the block before had of the first; the last is kept."""
        errors = self._errors.steps(block, step, self._first, count)
        added = {**counted(block, step, self._first, count), **{f"{ERROR}{name}": row for name, row in errors.items()}}
        return _carried(added, self._open, count)


def _carried(added: Mapping[str, Floats], open_: dict[str, float], count: int) -> dict[str, Floats]:
    result: dict[str, Floats] = {}
    for name in dict.fromkeys([*added, *open_]):
        values = added.get(name)
        values = np.zeros(count) if values is None else values.astype(np.float64)
        values[0] += open_.get(name, 0.0)
        open_[name] = float(values[-1])
        result[name] = values
    return result
