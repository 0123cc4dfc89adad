"""How often the intervals of statements on tails hold what is true: `python benchmarks/coverage_tails.py [runs]`.

What is true of a period is the value that its maximum stays below with probability 1 / e: that is passed once on average.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from experiment import Row

from soak.runner.judge.interval import quantile_ranks
from soak.runner.judge.returns import stated
from soak.runner.judge.samples import Samples
from soak.runner.judge.tails import Largest, Tailed
from soak.schemas.evidence.tails import Tail
from soak.schemas.language.slis import LATENCY
from soak.schemas.stream.block import Floats

WANTED = "93 to 97 %"
RUN_S = 86_400.0
_PERIODS = (86_400.0, 7 * 86_400.0, 30 * 86_400.0)

Draw = Callable[[np.random.Generator, int], Floats]
Truth = Callable[[float], float]
"""The value that one of this many observations passes; under dependence: that is passed once in as many."""


@dataclass(frozen=True)
class Case:
    """A series of `count` observations in a run of 24 h. levels: what is passed once in that many; marginal: by one of them."""

    name: str
    count: int
    draw: Draw
    levels: Truth
    marginal: Truth
    misleading: bool = False
    """Nothing should be said of it."""


def pareto(shape: float) -> tuple[Draw, Truth]:
    """A generalised Pareto distribution of scale 1."""

    def draw(random: np.random.Generator, count: int) -> Floats:
        value: Floats = np.expm1(-shape * np.log(random.random(count))) / shape
        return value

    return draw, lambda odds: math.expm1(shape * math.log(odds)) / shape


def lognormal(deviation: float) -> tuple[Draw, Truth]:
    """A log-normal distribution of median 1."""
    normal = NormalDist()
    return (
        lambda random, count: np.exp(deviation * random.standard_normal(count)),
        lambda odds: math.exp(-deviation * normal.inv_cdf(1 / odds)),
    )


def exponential() -> tuple[Draw, Truth]:
    """A mean of 1."""
    return lambda random, count: random.exponential(size=count), math.log


def retries(shares: tuple[float, ...], delays: tuple[float, ...]) -> tuple[Draw, Truth]:
    """A log-normal service time (median 9 s, deviation 0.4 of the logarithm), and a delay that a share of the tasks has."""
    normal = NormalDist()

    def draw(random: np.random.Generator, count: int) -> Floats:
        service = 9 * np.exp(0.4 * random.standard_normal(count))
        value: Floats = service + np.array(delays)[random.choice(len(shares), size=count, p=shares)]
        return value

    def truth(odds: float) -> float:
        low, high = 0.0, 1e5
        for _ in range(60):
            middle = (low + high) / 2
            passed = sum(
                share * (normal.cdf(-math.log((middle - delay) / 9) / 0.4) if middle > delay else 1.0)
                for share, delay in zip(shares, delays, strict=True)
            )
            low, high = (middle, high) if passed > 1 / odds else (low, middle)
        return low

    return draw, truth


def sojourn(load: float) -> Draw:
    """Times in the system of successive customers of an M/M/1 queue with service rate 1 (Lindley 1952)."""

    def draw(random: np.random.Generator, count: int) -> Floats:
        service, apart = random.exponential(size=count), random.exponential(1 / load, count)
        sums = np.concatenate([[0.0], np.cumsum(service[:-1] - apart[1:])])
        value: Floats = sums - np.minimum.accumulate(sums) + service
        return value

    return draw


def queue(load: float, count: int) -> Case:
    """An M/M/1 queue. Far out, levels rise by log(odds) / (1 - load) (Iglehart 1972); where they begin is simulated."""
    random, draw = np.random.default_rng(1), sojourn(load)
    most = [float(draw(random, 20_000).max()) for _ in range(4000)]
    base = float(np.quantile(most, math.exp(-1)))
    return Case(
        f"M/M/1 sojourn, load {load}",
        count,
        draw,
        lambda odds: base + math.log(odds / 20_000) / (1 - load),
        lambda odds: math.log(odds) / (1 - load),
    )


def cases() -> Iterator[Case]:
    """The cases that are tried."""
    for count in (2000, 27_000):
        for name, (draw, truth) in (
            ("exponential", exponential()),
            ("Pareto, shape -0.2", pareto(-0.2)),
            ("Pareto, shape 0.1", pareto(0.1)),
            ("Pareto, shape 0.3", pareto(0.3)),
            ("log-normal, deviation 0.3", lognormal(0.3)),
            ("log-normal, deviation 0.5", lognormal(0.5)),
            ("log-normal, deviation 1", lognormal(1.0)),
            ("log-normal, 10 % with 10 s more", retries((0.9, 0.1), (0.0, 10.0))),
        ):
            yield Case(name, count, draw, truth, truth)
    for load in (0.5, 0.7):
        yield queue(load, 27_000)
    for count in (3000, 27_000):
        for name, shares, delays in (
            ("5 % retried after 60 s", (0.95, 0.05), (0.0, 60.0)),
            ("1 % retried after 60 s", (0.99, 0.01), (0.0, 60.0)),
            ("0.3 % retried after 60 s", (0.997, 0.003), (0.0, 60.0)),
            ("0.1 % retried after 60 s", (0.999, 0.001), (0.0, 60.0)),
            ("retries after 60, 240, 840 s", (0.97, 0.029, 0.0009, 0.0001), (0.0, 60.0, 240.0, 840.0)),
        ):
            draw, truth = retries(shares, delays)
            # Of 27,000, 5 % are enough that the largest values are all of one kind.
            yield Case(name, count, draw, truth, truth, misleading=shares[1] * count < 1000)


def statement(value: Floats) -> Tail:
    """What is said of a run of 24 h with these observations."""
    [sli] = [each for each in LATENCY if each.name == "latency_max"]
    largest = Largest()
    largest.observe(Samples((np.arange(len(value)) + 0.5) * (RUN_S / len(value)), value))
    return stated(Tailed(sli, (), None, largest), 0.0, RUN_S)


def holds(interval: tuple[float, float], truth: float) -> bool:
    """Whether an interval holds what is true."""
    return interval[0] <= truth <= interval[1]


def rows(runs: int, chosen: Callable[[Case], bool] = lambda case: True) -> list[Row]:
    """The table: levels of a day, a week and a month, and the 99.9th percentile, from runs of 24 h."""
    return [row for case in cases() if chosen(case) for row in _rows(case, runs)]


def _rows(case: Case, runs: int) -> Iterator[Row]:
    random = np.random.default_rng(13)
    drawn = [case.draw(random, case.count) for _ in range(runs)]
    said = [statement(value) for value in drawn]
    made = [tail for tail in said if not tail.withheld]
    name = f"{case.name}, {case.count} observations"
    share = len(made) / runs
    for period_s, words in zip(_PERIODS, ("once a day", "once a week", "once a month"), strict=True):
        truth = case.levels(case.count * period_s / RUN_S)
        held = [holds(level.interval, truth) for tail in made for level in tail.levels if level.period_s == period_s]
        wanted = "withheld" if case.misleading else WANTED
        yield Row(words, name, wanted, None, _share(held), len(held) / runs, runs)
    if not case.misleading:
        truth = case.marginal(1000.0)
        held = [holds(tail.p999_interval, truth) for tail in made if tail.p999_interval]
        before = [holds(_by_ranks(np.sort(value)), truth) for value in drawn]
        yield Row("p99.9", name, WANTED, _share(before), _share(held), min(share, len(held) / runs), runs)


def _by_ranks(ordered: Floats) -> tuple[float, float]:
    """The interval for independent observations."""
    low, high = quantile_ranks(0.999, len(ordered), 0.95)
    return float(ordered[low - 1]) if low else -math.inf, float(ordered[high - 1]) if high <= len(ordered) else math.inf


def _share(held: list[bool]) -> float | None:
    return sum(held) / len(held) if held else None


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 400):
        shares = ["     " if share is None else f"{share:5.1%}" for share in (row.before, row.after, row.stated)]
        print(f"{row.statement:13} {row.case:55} {row.wanted:10} {' '.join(shares)}", flush=True)
