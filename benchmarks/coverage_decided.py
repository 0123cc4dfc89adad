"""How often a run that ends once its verdict is known is ended wrongly, and how long it would have been.

A case is false when the target is exactly the long-run value and anything is decided, or the target lies a tenth of it beyond and
PASS is; shares are of all runs. `before`: the 95 % interval of verdict.json that takes observations as independent, looked at at
the same times.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from experiment import Row

from soak.runner.engine import execute, identify
from soak.runner.judge.deciding.deciding import ERROR
from soak.runner.judge.deciding.grid import Grid
from soak.runner.judge.deciding.measured import Measured
from soak.runner.judge.interval import quantile_ranks, wilson
from soak.runner.judge.samples import Facts, Samples
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import Op
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Better, Sli, Unit
from soak.schemas.stream.block import Block, Floats, quantise
from soak.simulation.plan import Plan

SCENARIO = Path(__file__).parents[1] / "scenarios/72h.yaml"
STEADY = ("workload.arrivals={rate: 5/min}",)
WANTED = "at most 5 %"
UNSEEN = "cannot be known: too rare to be seen in time"

Series: TypeAlias = tuple[Floats, Floats]
"""When observations were made, in seconds, and their values."""


def rows(runs: int) -> list[Row]:
    """The table: false decisions of each rule, at the target and a tenth beyond it."""
    return [row for case, make, q in _cases() for row in _rows(case, [*make(runs)], q)]


def _rows(case: str, made: list[tuple[Grid, Series, float]], q: float) -> Iterator[Row]:
    wanted = UNSEEN if "12 h" in case else WANTED
    wrong = [decision(grid, series, truth, q) is not None for grid, series, truth in made]
    naive = [fixed(grid, series, truth, q) is not None for grid, series, truth in made]
    yield Row("ended at the boundary", case, wanted, _share(naive), _share(wrong), 1.0, len(made))
    found = [decision(grid, series, beyond(truth, q), q) for grid, series, truth in made]
    naively = [fixed(grid, series, beyond(truth, q), q) for grid, series, truth in made]
    false = [each is not None and each[0] is Status.PASS for each in found]
    before = [each is not None and each[0] is Status.PASS for each in naively]
    stated = _share([each is not None for each in found])
    yield Row("PASS a tenth beyond", case, wanted, _share(before), _share(false), stated, len(made))


def savings(
    runs: int, factor: float, grid: Grid, make: Callable[[int], Iterator[Series]], truth: float, q: float
) -> str:
    """How much of a run it takes to decide a target `factor` times the truth: median and share decided."""
    found = [decision(grid, series, truth * factor, q) for series in make(runs)]
    parts = sorted(each[1] / grid.count for each in found if each)
    return (
        f"{len(parts)} of {len(found)} decided, median after {parts[len(parts) // 2]:.0%}" if parts else "none decided"
    )


def beyond(truth: float, q: float) -> float:
    """A target that is missed by a tenth: of the quantile, or of the share of failures."""
    return 1 - 0.9 * (1 - truth) if q == 1 else 0.9 * truth


def _share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def decision(grid: Grid, series: Series, target: float, q: float) -> tuple[Status, int] | None:
    """As what and after how many steps an objective is decided: of a quantile `<= target`, of a ratio (q = 1) `>= target`."""
    comparison, samples = comparison_of(target, q), Samples(*series)
    measured = Measured(comparison, target, 1, grid)
    measured.observe(samples, Samples(np.empty(0), np.empty(0)))
    for steps in grid.looks():
        found = measured.look(steps, ERROR)
        if found.status:
            return found.status, steps
    return None


def fixed(grid: Grid, series: Series, target: float, q: float) -> tuple[Status, int] | None:
    """The same by looking at the interval for independent observations again and again: Wilson's, or that of the ranks."""
    t_s, value = series
    total = np.cumsum(value if q == 1 else value <= target)
    before = np.searchsorted(t_s, [grid.end_s(steps) for steps in grid.looks()])
    for steps, count in zip(grid.looks(), before.tolist(), strict=True):
        good = float(total[count - 1]) if count else 0.0
        if q == 1:
            low, high = wilson(good, count, 0.95)
            above, below = low > target, high < target
        else:
            least, most = quantile_ranks(q, count, 0.95)
            above, below = good >= most, good < least
        if count and (above or below):
            return (Status.PASS if above else Status.FAIL), steps
    return None


def comparison_of(target: float, q: float) -> Comparison:
    """An objective on the series `x`."""
    if q == 1:
        ratio = Sli("x", "", Unit.RATIO, Aggregate.RATIO, "x", Better.HIGHER)
        return Comparison(f"x >= {target}", ratio, (), Op.GE, target)
    quantile = Sli("x", "", Unit.DURATION, Aggregate.QUANTILE, "x", Better.LOWER, q)
    return Comparison(f"x <= {target}", quantile, (), Op.LE, target)


# Cases: for each run its steps, its observations, and the long-run value.

Case: TypeAlias = Callable[[int], Iterator[tuple[Grid, Series, float]]]


def _cases() -> Iterator[tuple[str, Case, float]]:
    yield "independent, ratio 97 %, 27,000", lambda runs: independent(runs, 27_000, 0.97), 1.0
    yield "independent, ratio 99 %, 3,000", lambda runs: independent(runs, 3_000, 0.99), 1.0
    for rho in (0.7, 0.9):
        for q in (0.5, 0.95, 0.99):
            for count in (3_000, 27_000):
                name = f"M/M/1, rho {rho:g}, p{q * 100:g}, {count:,}"
                yield name, lambda runs, rho=rho, q=q, count=count: queue(runs, count, rho, q), q
    for hours in (1, 12):
        name = f"outages of 10 min every {hours} h, ratio, 72 h"
        yield name, lambda runs, hours=hours: outages(runs, hours), 1.0
    for workers in (2, 3):
        name = f"72h.yaml, {workers} workers, p95"
        yield name, lambda runs, workers=workers: scenario(runs, workers, 0.95), 0.95


def steady(duration_s: float) -> Grid:
    """The steps of a run of 72h.yaml without bursts, of any length."""
    return Grid.of(load(SCENARIO, settings=(*STEADY, f"duration={duration_s:.0f}s")).scenario)


def independent(runs: int, count: int, share: float) -> Iterator[tuple[Grid, Series, float]]:
    """Successes, one a second on average."""
    draw, grid = np.random.default_rng(1), steady(count)
    for _ in range(runs):
        yield grid, (np.sort(draw.uniform(0, count, count)), (draw.random(count) < share).astype(float)), share


def outages(runs: int, hours: float) -> Iterator[tuple[Grid, Series, float]]:
    """Successes, five a minute over 72 h, that all fail in outages at random: before the first one nothing shows them."""
    draw, end_s = np.random.default_rng(6), 72 * 3600.0
    grid, count, mean_s = steady(end_s), round(end_s / 12), 600.0
    truth = 1 - mean_s / (mean_s + hours * 3600)
    for _ in range(runs):
        up_s, down_s = draw.exponential(hours * 3600, 600), draw.exponential(mean_s, 600)
        edges = np.cumsum(np.ravel(np.column_stack([up_s, down_s])))
        t_s = np.sort(draw.uniform(0, end_s, count))
        yield grid, (t_s, (np.searchsorted(edges, t_s) % 2 == 0).astype(float)), truth


def queue(runs: int, count: int, rho: float, q: float) -> Iterator[tuple[Grid, Series, float]]:
    """Times in an M/M/1 queue that starts empty, one arrival a second (Lindley 1952); their quantile is exact."""
    draw, grid, truth = np.random.default_rng(2), steady(count), -math.log(1 - q) / (1 / rho - 1)
    for _ in range(runs):
        between, service = draw.exponential(1.0, count), draw.exponential(rho, count)
        walk = np.concatenate([[0.0], np.cumsum(service[:-1] - between[1:])])
        spent = walk - np.minimum.accumulate(walk) + service
        t_s = np.cumsum(between) + spent
        order = np.argsort(t_s)
        yield grid, (quantise(t_s[order]), quantise(spent[order])), truth


def scenario(runs: int, workers: int, q: float) -> Iterator[tuple[Grid, Series, float]]:
    """Latencies of 72h.yaml; the long-run value is that of all runs together."""
    loaded = load(SCENARIO, settings=(f"queue.workers={workers}",)).scenario
    made = [latencies(loaded, seed) for seed in range(runs)]
    truth = float(np.quantile(np.concatenate([value for _, value in made]), q))
    for series in made:
        yield Grid.of(loaded), series, truth


class _Latencies:
    """Keeps them."""

    def __init__(self) -> None:
        self.parts: list[Samples] = []

    def append(self, block: Block, facts: Facts) -> None:
        """Of a block."""
        self.parts.append(facts.get("latency"))


def latencies(loaded: Scenario, seed: int) -> Series:
    """Of a simulated run."""
    kept, target = _Latencies(), Simulation()
    execute(Plan(loaded, seed), target, identify(loaded, "", seed, target, abort=False), [kept])
    return np.concatenate([part.t for part in kept.parts]), np.concatenate([part.value for part in kept.parts])
