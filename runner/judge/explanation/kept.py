"""The violations of a run: counted by cause, and the first few of each kept. Bounded by the number of causes and labels."""

from dataclasses import dataclass, field

import numpy as np

from soak.runner.judge.explanation.calendar import Calendar
from soak.runner.judge.violations import Violations, is_law
from soak.schemas.evidence.explanation import MOST_CASES, Case, Cases
from soak.schemas.stream.block import Bools, Ints

_UNLABELLED = -1
"""A series without labels is that of every selection."""


@dataclass(slots=True)
class _OfCause:
    """Violations of one cause and label."""

    count: int = 0
    bursts: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    first: list[Case] = field(default_factory=list)


class KeptCases:
    """Takes the violations of block after block."""

    def __init__(self, calendar: Calendar, warmup_s: float) -> None:
        self._calendar = calendar
        self._warmup_s = warmup_s
        self._kept: dict[tuple[str, str, int], _OfCause] = {}

    def observe(self, violations: list[Violations]) -> None:
        """Process the violations of a block. What happens in the warm-up counts for laws only."""
        for each in violations:
            t_s = each.block.t[each.places]
            late = np.ones(len(t_s), dtype=np.bool_) if is_law(each.of) else t_s >= self._warmup_s
            if late.any():
                self._add(each, late)

    def _add(self, found: Violations, chosen: Bools) -> None:
        label = np.full(len(found.cause), _UNLABELLED) if found.label is None else found.label
        width = int(label.max()) + 2
        code = found.cause * width + label + 1
        for number in np.unique(code[chosen]).tolist():
            cause, own = found.words[number // width], number % width - 1
            kept = self._kept.setdefault((found.of, cause, own), _OfCause())
            self._count(kept, found, np.flatnonzero(chosen & (code == number)))

    def _count(self, kept: _OfCause, found: Violations, positions: Ints) -> None:
        t_s = found.block.t[found.places[positions]]
        amount = np.ones(len(positions), dtype=np.int64) if found.amount is None else found.amount[positions]
        hits = self._calendar.hits(np.repeat(t_s, amount))
        kept.count += int(amount.sum())
        kept.bursts += hits.bursts
        _add(kept.phases, hits.phases)
        _add(kept.faults, hits.faults)
        kept.first += [_case(found, each) for each in positions[: MOST_CASES - len(kept.first)].tolist()]

    def cases(self, of: str, labels: frozenset[int] | None = None) -> list[Cases]:
        """The violations of a series or law by cause, the most frequent first; of tasks with these labels (None: of all)."""
        causes: dict[str, list[_OfCause]] = {}
        for (name, cause, label), kept in self._kept.items():
            if name == of and (labels is None or label in labels or label == _UNLABELLED):
                causes.setdefault(cause, []).append(kept)
        return sorted(
            (_merged(cause, kept) for cause, kept in causes.items()), key=lambda each: (-each.count, each.cause)
        )


def _case(found: Violations, position: int) -> Case:
    block, place = found.block, int(found.places[position])
    told = found.told(position)
    return Case(
        t_s=float(block.t[place]),
        task=found.task(position),
        attempt=max(0, int(block.attempt[place])),
        worker=told.part or found.worker(position),
        before=told.before,
        after=told.after,
        detail=told.detail,
    )


def _merged(cause: str, kept: list[_OfCause]) -> Cases:
    """Of several labels. Cases at one instant are in the order of their tasks, whatever the order of the labels."""
    phases: dict[str, int] = {}
    faults: dict[str, int] = {}
    for each in kept:
        _add(phases, each.phases)
        _add(faults, each.faults)
    first = kept[0].first if len(kept) == 1 else sorted((case for each in kept for case in each.first), key=_order)
    return Cases(
        cause=cause,
        count=sum(each.count for each in kept),
        phases=dict(sorted(phases.items())),
        bursts=sum(each.bursts for each in kept),
        faults=dict(sorted(faults.items())),
        first=first[:MOST_CASES],
    )


def _order(case: Case) -> tuple[float, float, int]:
    return case.t_s, float(case.task or 0), case.attempt


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count
