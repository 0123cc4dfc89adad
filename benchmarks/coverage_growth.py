"""Growth: how often noise is called a leak, how often a leak is found, and how often the interval holds the true slope.

`python benchmarks/coverage_growth.py [RUNS]` prints the table. Series have a sample a minute, as memory has. Noise is AR(1) of a
standard deviation of 5 MB; the phase of a cycle is drawn. A false alarm is an interval above 0 where nothing grows, so that
`rss_growth <= 0` with a confidence of 95 % is broken; its share, and that of leaks found, is of all runs, also of those in which
nothing is said.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from experiment import Row

from soak.runner.judge.autocorrelation import LEAST_EFFECTIVE
from soak.runner.judge.growth import Growth, Trend
from soak.runner.judge.samples import Samples
from soak.schemas.language.registry import catalogues
from soak.schemas.stream.block import Floats

MB = 1e6
NOISE_MB = 5.0
ALARMS = "growth: false alarms (of all runs)"
FOUND = "growth: a leak of 1 MB/h is found (of all runs)"
HELD = "growth: the 95 % interval holds the true slope"
_SLI = catalogues()["queue"]["rss_growth"]


@dataclass(frozen=True, slots=True)
class Case:
    """What is observed: `hours` of AR(1) noise (1: a random walk, of 5 MB in an hour), a cycle, a leak.

    before: the share of 1,000 runs when observations counted as independent.
    """

    name: str
    statement: str
    before: float
    hours: int
    rho: float = 0.9
    cycle_mb: float = 0.0
    cycle_h: float = 1.0
    leak_mb_per_h: float = 0.0


CASES = (
    *(
        Case(f"AR(1) {rho:g}, {hours} h", ALARMS, before, hours, rho)
        for (rho, hours), before in {
            (0.0, 24): 0.023,
            (0.5, 4): 0.126,
            (0.5, 24): 0.029,
            (0.5, 72): 0.035,
            (0.9, 4): 0.313,
            (0.9, 24): 0.095,
            (0.9, 72): 0.024,
            (0.99, 4): 0.395,
            (0.99, 24): 0.334,
            (0.99, 72): 0.221,
        }.items()
    ),
    Case("random walk, 24 h", ALARMS, 0.455, 24, 1.0),
    Case("random walk, 72 h", ALARMS, 0.448, 72, 1.0),
    Case("AR(1) 0.9, cycle of 1 h and 15 MB, 4 h", ALARMS, 0.236, 4, 0.9, 15.0, 1.0),
    Case("AR(1) 0.9, cycle of 1 h and 15 MB, 24 h", ALARMS, 0.006, 24, 0.9, 15.0, 1.0),
    Case("AR(1) 0.9, cycle of 8 h and 15 MB, 24 h", ALARMS, 0.264, 24, 0.9, 15.0, 8.0),
    Case("AR(1) 0.9, cycle of a day and 15 MB, 72 h", ALARMS, 0.231, 72, 0.9, 15.0, 24.0),
    Case("AR(1) 0.9, cycle of a day and 5 MB, 24 h", ALARMS, 0.394, 24, 0.9, 5.0, 24.0),
    Case("AR(1) 0.9, cycle of a day and 15 MB, 24 h", ALARMS, 0.455, 24, 0.9, 15.0, 24.0),
    Case("AR(1) 0.9, 4 h", FOUND, 0.663, 4, 0.9, leak_mb_per_h=1.0),
    Case("AR(1) 0.9, 24 h", FOUND, 1, 24, 0.9, leak_mb_per_h=1.0),
    Case("AR(1) 0.9, cycle of 1 h and 15 MB, 24 h", FOUND, 1, 24, 0.9, 15.0, 1.0, 1.0),
    Case("AR(1) 0.9, cycle of a day and 2 MB, 24 h", FOUND, 1, 24, 0.9, 2.0, 24.0, 1.0),
    Case("AR(1) 0.9, cycle of a day and 5 MB, 24 h", FOUND, 1, 24, 0.9, 5.0, 24.0, 1.0),
    Case("AR(1) 0.9, cycle of a day and 15 MB, 72 h", FOUND, 1, 72, 0.9, 15.0, 24.0, 1.0),
    Case("AR(1) 0.5, 24 h", HELD, 0.948, 24, 0.5, leak_mb_per_h=1.0),
    Case("AR(1) 0.9, 24 h", HELD, 0.792, 24, 0.9, leak_mb_per_h=1.0),
    Case("AR(1) 0.9, cycle of 1 h and 15 MB, 24 h", HELD, 0.996, 24, 0.9, 15.0, 1.0, 1.0),
    Case("AR(1) 0.9, cycle of a day and 15 MB, 72 h", HELD, 0.513, 72, 0.9, 15.0, 24.0, 1.0),
)
_WANTED = {ALARMS: "<= 3 %", FOUND: "all, where cycles fit into a third", HELD: ">= 93 %"}


def rows(runs: int) -> list[Row]:
    """The table of `runs` runs a case."""
    return [_row(case, runs) for case in CASES]


def _row(case: Case, runs: int) -> Row:
    trends = [_trend(series) for series in _series(case, runs)]
    stated = [trend for trend in trends if trend.effective >= LEAST_EFFECTIVE or not trend.low <= 0 <= trend.high]
    if case.statement == HELD:
        slope = case.leak_mb_per_h * MB
        share = sum(trend.low <= slope <= trend.high for trend in stated) / max(len(stated), 1)
    else:
        share = sum(trend.low > 0 for trend in trends) / runs
    return Row(case.statement, case.name, _WANTED[case.statement], case.before, share, len(stated) / runs, runs)


def _trend(series: Floats) -> Trend:
    growth = Growth(())
    growth.observe(Samples(np.arange(1, len(series) + 1) * 60.0, series))
    trend = growth.trend(_SLI, 0.95)
    assert trend
    return trend


def _series(case: Case, runs: int) -> Iterator[Floats]:
    generator = np.random.default_rng(CASES.index(case))
    count = 60 * case.hours
    hours = np.arange(count) / 60
    for _ in range(runs):
        phase = generator.uniform(0, 2 * np.pi)
        cycle = case.cycle_mb * np.sin(2 * np.pi * hours / case.cycle_h + phase)
        noise = NOISE_MB * noise_of(generator.normal(size=count), case.rho)
        yield MB * (300 + case.leak_mb_per_h * hours + cycle + noise)


def noise_of(drawn: Floats, rho: float) -> Floats:
    """AR(1) of standard deviation 1 that begins stationary, or a random walk with a standard deviation of 1 after an hour."""
    if rho == 1:
        return np.cumsum(drawn) / np.sqrt(60)
    noise, scale = drawn.copy(), np.sqrt(1 - rho * rho)
    value = float(drawn[0])
    for index, step in enumerate((scale * drawn[1:]).tolist(), 1):
        value = rho * value + step
        noise[index] = value
    return noise


def main() -> None:
    """Print the table."""
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 1000):
        before, after = (f"{100 * share:.1f} %" if share is not None else "" for share in (row.before, row.after))
        print(f"| {row.statement} | {row.case} | {row.wanted} | {before} | {after} | {100 * row.stated:.0f} % |")


if __name__ == "__main__":
    main()
