"""Between which runs an objective's values changed: the test of change points within a run, on the values of whole runs."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.runner.judge.changepoints.divisive import Division, Split, divide, is_straight
from soak.runner.judge.changepoints.place import half_width
from soak.schemas.evidence.changepoints import LEAST_EFFECTIVE, ChangeKind
from soak.schemas.evidence.runs import LEAST_RUNS, WINDOW_RUNS
from soak.schemas.stream.block import Floats


class Found(Struct, frozen=True):
    """A change by places of values: `at` is the first of the new level, `low` and `high` the first and last place where, with
    95 % confidence, it may have begun. A drift goes on from `low` to `high`."""

    kind: ChangeKind
    at: int
    low: int
    high: int
    old: float
    new: float
    p: float


class Search(Struct, frozen=True):
    """What a search gave. detail: why nothing can be said; empty where something can."""

    detail: str
    found: tuple[Found, ...] = ()


def search(values: Sequence[float], level: float) -> Search:
    """Changes of values in the order of their runs. level: the probability of any where the values are exchangeable.

    A permutation test is exact for those, such as independent values of one distribution (see `divisive`). More values than
    `WINDOW_RUNS` are searched in windows that overlap by half, which share the level (Bonferroni).
    """
    if len(values) < LEAST_RUNS:
        runs = "1 run" if len(values) == 1 else f"{len(values)} runs"
        return Search(f"{runs}: nothing is said about changes of fewer than {LEAST_RUNS}")
    every = np.array(values, dtype=np.float64)
    begins = _windows(len(every))
    divisions = [divide(every[begin : begin + WINDOW_RUNS], level / len(begins)) for begin in begins]
    if not any(each.stated for each in divisions):
        worth = f"{min(len(every), WINDOW_RUNS)} runs depend on each other and are worth {divisions[-1].effective:.2g}"
        return Search(f"{worth} (at least {LEAST_EFFECTIVE:g} are needed)")
    found: list[Found] = []
    for begin, division in zip(begins, divisions, strict=True):
        if division.splits:
            for each in _found(every[begin : begin + WINDOW_RUNS], division, begin):
                _add(found, each)
    return Search("", tuple(sorted(found, key=lambda each: each.at)))


def _windows(count: int) -> list[int]:
    """Where windows begin: at fixed places from the oldest value on, the last one so that it ends with the newest."""
    last = max(0, count - WINDOW_RUNS)
    return [*range(0, last, WINDOW_RUNS // 2), last]


def _add(found: list[Found], new: Found) -> None:
    """Add a change, unless the window before has it as well: of two that may be the same, the more exact one is kept."""
    for place, known in enumerate(found):
        if known.kind is new.kind and known.low <= new.high and new.low <= known.high:
            if known.kind is ChangeKind.DRIFT:
                found[place] = replace(
                    new, at=known.at, low=min(known.low, new.low), old=known.old, p=min(known.p, new.p)
                )
            elif new.high - new.low < known.high - known.low:
                found[place] = new
            return
    found.append(new)


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
