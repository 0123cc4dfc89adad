"""How often a change between runs is found where nothing changes, and where something does: rows for `benchmarks/coverage.py`.

python benchmarks/coverage.py history --runs 500
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from experiment import Row

from soak.runner.history.changes import Found, search
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.runs import FAMILY_ERROR
from soak.schemas.stream.block import Floats

SERIES = 4
"""Objectives of a scenario and target, which share the error."""

_LEVEL = FAMILY_ERROR / SERIES
_QUIET, _STEP, _PLACE, _HOLDS = "change by mistake", "change found", "change found at its run", "interval holds it"
_ANY = "<= 5 %"

Generator = np.random.Generator
Draw = Callable[[Generator, int], Floats]


def rows(runs: int) -> list[Row]:
    """False alarms, power and intervals; `runs` of each case."""
    return [*_quiet(runs), *_stepping(runs)]


def _quiet(runs: int) -> Iterator[Row]:
    draws: dict[str, Draw] = {"normal": _normal, "lognormal": _lognormal, "of three values": _tied}
    for name, draw in draws.items():
        for count in (22, 30, 60, 100, 250):
            yield _mistakes(f"{SERIES} objectives of {count} runs, independent, {name}", draw, count, runs)
    for lag1 in (0.3, 0.5, 0.8):
        for count in (30, 60, 100):
            case = f"{SERIES} objectives of {count} runs, AR(1) {lag1:g}"
            yield _mistakes(case, partial(_autoregressive, lag1=lag1), count, runs)


def _mistakes(case: str, draw: Draw, count: int, runs: int) -> Row:
    alarms = stated = 0
    for seed in range(runs):
        generator = np.random.default_rng([count, seed])
        found = [search(draw(generator, count).tolist(), _LEVEL) for _ in range(SERIES)]
        stated += any(not each.detail for each in found)
        alarms += any(each.found for each in found)
    return Row(_QUIET, case, _ANY, None, alarms / max(1, stated), stated / runs, runs)


def _stepping(runs: int) -> Iterator[Row]:
    for count in (30, 60, 100):
        for size in (1.0, 2.0, 3.0):
            case = f"{size:g} standard deviations in the middle of {count} runs, one of {SERIES} objectives"
            steps = [found for seed in range(runs) if (found := _step(count, size, seed))]
            yield Row(_STEP, case, "", None, len(steps) / runs, 1.0, runs)
            if steps:
                at = count // 2
                exact = sum(each.at == at for each in steps) / len(steps)
                yield Row(_PLACE, case, "", None, exact, len(steps) / runs, runs)
                holds = sum(each.low <= at <= each.high for each in steps) / len(steps)
                yield Row(_HOLDS, case, "95 to 100 %", None, holds, len(steps) / runs, runs)


def _step(count: int, size: float, seed: int) -> Found | None:
    """The change that is found of a series with one in its middle; of several the first."""
    values = _normal(np.random.default_rng([count, seed]), count) + size * (np.arange(count) >= count // 2)
    found = search(values.tolist(), _LEVEL).found
    return next((each for each in found if each.kind is ChangeKind.STEP), None)


def _normal(generator: Generator, count: int) -> Floats:
    return generator.standard_normal(count)


def _lognormal(generator: Generator, count: int) -> Floats:
    return generator.lognormal(0.0, 1.0, count)


def _tied(generator: Generator, count: int) -> Floats:
    return generator.integers(0, 3, count).astype(np.float64)


def _autoregressive(generator: Generator, count: int, lag1: float) -> Floats:
    noise = generator.standard_normal(count + 200)
    for place in range(1, len(noise)):
        noise[place] += lag1 * noise[place - 1]
    return noise[200:]
