"""Chance of a false abort, computed and against runs that are drawn and judged: `python benchmarks/coverage_aborts.py`.

A row compares the computed chance (`wanted`) with the share of runs (`after`) in which the judge's own watch and timer find that
the condition holds. Observations are independent and come when tasks arrive, as the computation assumes. Nothing was computed
before.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from experiment import Row

from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.timer import Timer
from soak.runner.judge.watch import Watch
from soak.schemas.language.load import load
from soak.schemas.stream.block import quantise
from soak.simulation.alarm_chance import chance
from soak.simulation.false_alarms import Alarm, alarms

SCENARIO = """\
version: 1
name: coverage
system: queue
duration: {duration}
workload: {{arrivals: {arrivals}, task: {{duration: {{distribution: constant, value: 1s}}}}}}
queue: {{workers: 50}}
slos: ["{slo}"]
abort: [{{name: a, when: "{when}"{more}}}]
"""
STEADY, DENSE, REGULAR = "{rate: 5/min}", "{rate: 1/s}", "{process: constant, rate: 5/min}"
BURSTS = "{rate: 5/min, burst: {every: 1h, for: 5m, rate: 20/min}}"
OFTEN_BURSTS = "{rate: 2/min, burst: {every: 15m, for: 3m, rate: 8/min}}"
REGULAR_BURSTS = "{process: constant, rate: 1/min, burst: {every: 1h, for: 10m, rate: 6/min}}"


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario in short; `part` of `runs` are drawn."""

    duration: str
    arrivals: str
    slo: str
    when: str
    more: str
    part: float = 1.0

    @property
    def words(self) -> str:
        """The case, as a row names it."""
        load = self.arrivals.strip("{}").replace("rate: ", "").replace("{", "").replace("}", "")
        return f"{self.duration} of {load}; {self.slo}; {self.when}{self.more}"


SHIPPED = ", window: 30m, min_samples: 20"
CASES = (
    Case("72h", BURSTS, "success_rate >= 97%", "success_rate < 95%", SHIPPED, 0.1),
    Case("72h", BURSTS, "success_rate >= 98%", "success_rate < 95%", SHIPPED),
    Case("72h", BURSTS, "success_rate >= 99%", "success_rate < 95%", SHIPPED),
    Case("24h", OFTEN_BURSTS, "success_rate >= 99%", "success_rate < 95%", SHIPPED),
    Case("24h", STEADY, "success_rate >= 99%", "success_rate < 95%", ", window: 30m, min_samples: 100"),
    Case("24h", STEADY, "success_rate >= 99%", "success_rate < 95%", ", window: 2h, min_samples: 60"),
    Case("24h", STEADY, "success_rate >= 99%", "success_rate < 97.5%", ", window: 2h, min_samples: 200"),
    Case("24h", REGULAR, "success_rate >= 98%", "success_rate < 95%", ", window: 1h, min_samples: 100"),
    Case("6h", REGULAR_BURSTS, "success_rate >= 97%", "success_rate < 90%", ", window: 30m, min_samples: 10"),
    Case("24h", STEADY, "success_rate >= 98%", "success_rate < 95%", f"{SHIPPED}, for: 5m"),
    Case("12h", BURSTS, "success_rate >= 95%", "success_rate <= 80%", ", window: 5m, min_samples: 10"),
    Case("4h", STEADY, "success_rate >= 99%", "success_rate < 95%", ", min_samples: 20"),
    Case("2h", STEADY, "success_rate >= 97%", "success_rate < 92%", ", window: 30m, min_samples: 50"),
    Case("6h", DENSE, "latency_p95 <= 10s", "latency_p95 > 10s", ", window: 1h, min_samples: 1000", 0.2),
    Case("24h", DENSE, "success_rate >= 99%", "success_rate < 98%", ", window: 30m, min_samples: 1000", 0.5),
)


def rows(runs: int) -> list[Row]:
    """A row for each case, of about that many runs."""
    return [_row(case, max(20, round(runs * case.part))) for case in CASES]


def _row(case: Case, runs: int) -> Row:
    alarm = alarm_of(case)
    assert alarm.scan
    found = chance(alarm.scan)
    seen = sum(drawn(alarm, runs, seed=runs))
    wanted = f"computed {100 * found.probability:.2f} ± {100 * found.standard_error:.2f} %"
    return Row("chance of a false abort", case.words, wanted, None, seen / runs, 1.0, runs)


def alarm_of(case: Case) -> Alarm:
    """The abort condition of a case."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "coverage.yaml"
        path.write_text(SCENARIO.format(**{name: getattr(case, name) for name in Case.__slots__}))
        (alarm,) = alarms(load(path).scenario)
    return alarm


def drawn(alarm: Alarm, runs: int, seed: int) -> Iterator[bool]:
    """Of each run whether the condition held for as long as it must."""
    scan = alarm.scan
    assert scan
    generator = np.random.default_rng(seed)
    load, sli = scan.load, alarm.condition.comparison.sli
    total = load.expected(load.length_s)
    for _ in range(runs):
        arrivals = (
            np.arange(np.ceil(total)) if load.regular else np.sort(generator.random(generator.poisson(total))) * total
        )
        bad = generator.random(len(arrivals)) < scan.bad
        target = scan.rule.target
        value = np.where(bad, 2 * target, target / 2) if scan.rule.q is not None else 1.0 - bad
        facts = Facts(load.length_s, True, series={sli.series: Samples(quantise(load.rate.time_of(arrivals)), value)})
        timer = Timer(scan.for_s)
        timer.feed(Watch(alarm.condition, None).observe(facts), load.length_s)
        yield bool(timer.firings)


def main(words: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    for row in rows(parser.parse_args(words).runs):
        print(f"{row.wanted:28} drawn {100 * (row.after or 0):6.2f} % of {row.runs:6}  {row.case}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
