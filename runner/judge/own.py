"""Series of a scenario's own SLIs, by event filters."""

import copy
from collections.abc import Mapping

import numpy as np

from soak.runner.judge.elapsed import Elapsed
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.task_labels import TaskLabels
from soak.runner.judge.task_violations import by_fault, errors
from soak.runner.judge.telemetry import SIGNS_OF_LIFE
from soak.runner.judge.violations import Told, note
from soak.schemas.language.expression import EventFilter
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import Block, Bools
from soak.schemas.stream.events import SPECS, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary

_LABELS = {"tenant", "kind"}


def _up_to(sli: Sli, durations: Samples) -> Samples:
    """For each duration whether it counts as good."""
    assert sli.limit is not None
    good = durations.value <= sli.limit
    return Samples(durations.t, good.astype(np.float64), label=durations.label)


class OwnSeries:
    """Adds the series of the scenario's own SLIs to the facts of a block."""

    def __init__(self, slis: dict[str, Sli], vocabulary: Vocabulary, timed: Mapping[str, str]) -> None:
        """timed: which events have a duration, see `Elapsed`."""
        self._slis = [sli for sli in slis.values() if sli.filters]
        self._shares = [sli for sli in slis.values() if sli.source]
        self._elapsed = Elapsed(self._slis, timed)
        self._vocabulary = vocabulary
        fields = {field for sli in self._slis for part in sli.filters for each in part for field, _ in each.fields}
        self._labels = TaskLabels(vocabulary) if fields & _LABELS else None
        """Of the tasks, since few events say which label theirs has."""

    def __deepcopy__(self, memo: dict[int, object]) -> "OwnSeries":
        """Only what has begun and not ended changes."""
        if not self._elapsed:
            return self
        twin = copy.copy(self)
        twin._elapsed = copy.deepcopy(self._elapsed, memo)
        return twin

    def observe(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        for sli in self._shares:
            facts.series[sli.series] = _up_to(sli, facts.get(sli.source))
        values = self._elapsed.of(block) if self._elapsed else block.value
        if self._labels:
            self._labels.observe(block)
        for sli in self._slis:
            good, total = (self._matches(block, filters) for filters in sli.filters)
            either = good | total
            if sli.limit is not None:
                known = total & ~np.isnan(values)
                facts.series[sli.series] = _up_to(sli, Samples(block.t[known], values[known]))
                self._note(facts, sli.series, block, known & (values > sli.limit))
            elif sli.aggregate is Aggregate.RATIO:
                facts.series[sli.series] = Samples(
                    block.t[either], good[either].astype(np.float64), total[either].astype(np.float64)
                )
                self._note(facts, sli.series, block, total & ~good)
            elif sli.aggregate is Aggregate.COUNT:
                either = total | SIGNS_OF_LIFE[block.kind]
                facts.series[sli.series] = Samples(block.t[either], total[either].astype(np.float64))
                self._note(facts, sli.series, block, total)
            else:
                known = total & ~np.isnan(values) if self._elapsed else total
                facts.series[sli.series] = Samples(block.t[known], values[known])

    def _note(self, facts: Facts, series: str, block: Block, chosen: Bools) -> None:
        """Note events that count against an SLI, by their error or type."""
        if series not in facts.wanted or not chosen.any():
            return
        places = np.flatnonzero(chosen)
        causes, types = errors(self._vocabulary), [SPECS[kind].type if kind in SPECS else "" for kind in Kind]
        # Numbers from here on are kinds of events that have no cause.
        first = len(causes)
        number = np.where(block.cause[places] != NO_CAUSE, block.cause[places], first + block.kind[places])
        note(
            facts,
            series,
            block,
            places,
            cause=(number, [*causes, *types]),
            told=lambda position: Told(detail=by_fault(self._vocabulary, int(block.cause[places[position]]))),
        )

    def _matches(self, block: Block, filters: tuple[EventFilter, ...]) -> Bools:
        matches: Bools = np.zeros(len(block), dtype=np.bool_)
        for each in filters:
            matches |= self._matches_one(block, each)
        return matches

    def _matches_one(self, block: Block, event_filter: EventFilter) -> Bools:
        kinds = [kind for kind, spec in SPECS.items() if spec.type == event_filter.type]
        matches: Bools = np.isin(block.kind, kinds)
        for field, value in event_filter.fields:
            if field == "worker":
                matches &= block.worker.astype(str) == value
            elif field in _LABELS and self._labels:
                wanted = [n for n, label in enumerate(self._vocabulary.labels) if getattr(label, field) == value]
                places = np.flatnonzero(matches)
                matches[places] = np.isin(self._labels.of(block.task[places]), wanted)
            elif field == "to":
                matches &= block.value == self._vocabulary.name(value)
            else:
                causes = [
                    index for index, cause in enumerate(self._vocabulary.causes) if getattr(cause, field) == value
                ]
                matches &= np.isin(block.cause, causes)
        return matches
