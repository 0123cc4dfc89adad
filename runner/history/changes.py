"""Between which runs an objective's values changed: the test of change points within a run, on the values of whole runs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from soak.runner.judge.changepoints.divisive import Division, Split, divide, is_straight
from soak.runner.judge.changepoints.place import half_width
from soak.schemas.evidence.changepoints import LEAST_EFFECTIVE, ChangeKind
from soak.schemas.evidence.runs import LEAST_RUNS, MOST_RUNS
from soak.schemas.stream.block import Floats


@dataclass(frozen=True, slots=True)
class Found:
    """A change by places of values: `at` is the first of the new level, `low` and `high` the first and last place where, with
    95 % confidence, it may have begun. A drift goes on from `low` to `high`."""

    kind: ChangeKind
    at: int
    low: int
    high: int
    old: float
    new: float
    p: float


@dataclass(frozen=True, slots=True)
class Search:
    """Of the newest `searched` values. detail: why nothing can be said; empty where something can."""

    searched: int
    detail: str
    found: tuple[Found, ...] = ()


def search(values: Sequence[float], level: float) -> Search:
    """Changes of values in the order of their runs. level: the probability of any where the values are exchangeable.

    A permutation test is exact for those, such as independent values of one distribution (see `divisive`).
    """
    if len(values) < LEAST_RUNS:
        return Search(0, f"{len(values)} runs: nothing is said about changes of fewer than {LEAST_RUNS}")
    newest = np.array(values[-MOST_RUNS:], dtype=np.float64)
    division = divide(newest, level)
    if not division.stated:
        worth = f"{len(newest)} runs depend on each other and are worth {division.effective:.2g}"
        return Search(len(newest), f"{worth} (at least {LEAST_EFFECTIVE:g} are needed)")
    skipped = len(values) - len(newest)
    return Search(len(newest), "", tuple(_found(newest, division, skipped)))


def _found(values: Floats, division: Division, skipped: int) -> Iterator[Found]:
    if division.straight:
        first = division.splits[0]
        whole = Split(first.index, 0, len(values), min(each.p for each in division.splits), first.inflation)
        yield _drift(values, whole, skipped)
        return
    for split in division.splits:
        part, cut = values[split.begin : split.end], split.index - split.begin
        yield _drift(values, split, skipped) if is_straight(part, [cut]) else _step(values, split, skipped)


def _drift(values: Floats, split: Split, skipped: int) -> Found:
    """A change that takes all of its stretch: from its first quarter to its last."""
    part = values[split.begin : split.end]
    quarter = max(1, len(part) // 4)
    old, new = float(part[:quarter].mean()), float(part[-quarter:].mean())
    ends = skipped + split.begin, skipped + split.end - 1
    return Found(ChangeKind.DRIFT, skipped + split.index, *ends, old, new, split.p)


def _step(values: Floats, split: Split, skipped: int) -> Found:
    part, cut = values[split.begin : split.end], split.index - split.begin
    half = math.ceil(min(half_width(part, cut, split.inflation), len(part)))
    low, high = max(split.begin + 1, split.index - half), min(split.end - 1, split.index + half)
    old, new = float(part[:cut].mean()), float(part[cut:].mean())
    at, first, last = (skipped + each for each in (split.index, low, high))
    return Found(ChangeKind.STEP, at, first, last, old, new, split.p)
